"""A store in a database of PostgreSQL. The door of ``psycopg``, which need not be installed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine

from octossh.errors import ModelError, RecordError
from octossh.recording.aside import Unwritable
from octossh.recording.faults import BUSY_TIMEOUT_S
from octossh.recording.urls import Server

__all__ = ["PostgreSQL"]

_LOCK = 0x6F63746F737368  # "octossh": all stores of one database wait for each other
_IDLE = 5

# What is acknowledged is on the disk, whatever the server does for others.
_TO_THE_DISK = (
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)

_DEFAULTS = {
    "application_name": "octossh",
    "connect_timeout": "10",
    # A link that has gone shows within half a minute, and not when the kernel gives up after a quarter of an hour.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_LOCKED = f"it has been locked by another process for {BUSY_TIMEOUT_S:g} s; see pg_stat_activity, and try again"
_LOST = "the link to the server was lost; see that it runs and can be reached, and try again"
_FULL = "the disk of the server is full; make room there, and try again"
_TOO_LONG = "the server ended what took longer than its statement_timeout; raise it for this user, and try again"
_BUSY = "the server has no room for one more client; end one, or raise max_connections"
_READ_ONLY = "the database is read-only: a standby, or set so; name the primary"
_DENIED = "this user may not do that; see GRANT, or name another user in the URL"
_CORRUPT = "the database is damaged; put a backup in its place"
_LARGE = "a number in this record is too large to be stored; it must fit into 64 bits"
_TOO_BIG = "this record is too large to be stored; shorten its log"

# The first letters of an SQLSTATE, the longest first; and whether the same record could be written later.
_KNOWN = {
    "53100": (_FULL, True),
    "53300": (_BUSY, True),
    "55P03": (_LOCKED, True),
    "40P01": (_LOCKED, True),
    "57014": (_TOO_LONG, True),
    "57P": (_LOST, True),
    "25006": (_READ_ONLY, True),
    "42501": (_DENIED, True),
    "22003": (_LARGE, False),
    "08": (_LOST, True),
    "XX": (_CORRUPT, True),
    "58": (_CORRUPT, True),
    "54": (_TOO_BIG, False),
}


class PostgreSQL:
    """A server, and the database there.

    Args:
        server: Which one.

    Raises:
        ModelError: psycopg is not installed, or libpq cannot read the URL.
    """

    def __init__(self, server: Server) -> None:
        self.where = server.shown
        self.shared = False
        self.engine = _engine(server)

    def opened(self) -> None:
        """Nothing is left to do."""

    def check(self) -> None:
        """The server itself says what is wrong."""

    def begin(self, connection: Connection, *, write: bool) -> None:
        """Begin a transaction: one writer at a time, and for a reader one state of all tables.

        What holds for it is set in it: poolers such as PgBouncer give the next one to another session. All of it is one
        statement, and one round trip.
        """
        patience = f"SET LOCAL lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}"
        if write:
            connection.exec_driver_sql(f"{patience}; {_TO_THE_DISK}; SELECT pg_advisory_xact_lock({_LOCK})")
        else:
            connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {patience}")

    def loosen(self, connection: Connection) -> None:
        """Tables can be changed as they are."""

    def busy(self) -> RecordError:
        """What to say when another thread does not end its writing."""
        return Unwritable(f"store {self.where}: {_LOCKED}")

    def explain(self, error: BaseException) -> RecordError:
        """What *error* means for this store, and what to do."""
        while isinstance(cause := getattr(error, "orig", None), BaseException):
            error = cause
        state = getattr(error, "sqlstate", None) or ""
        text = " ".join(str(error).split()) or type(error).__name__
        for length in (5, 3, 2):
            if state[:length] in _KNOWN:
                reason, later = _KNOWN[state[:length]]
                return (Unwritable if later else RecordError)(f"store {self.where}: {reason}")
        if isinstance(error, OverflowError):
            return RecordError(f"store {self.where}: {_LARGE}")
        if state.startswith("23"):
            said = f"{text}: somebody else wrote to it; see what 'octossh audit verify' finds"
            return RecordError(f"store {self.where}: {said}")
        if not state and type(error).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout"}:
            if "connection failed" in text or "connection timeout" in text or "could not" in text:
                return Unwritable(f"store {self.where}: it cannot be reached: {text}")
            return Unwritable(f"store {self.where}: {_LOST} ({text})")
        return RecordError(f"store {self.where}: {text}; see that it is a store of octossh, and what the server logs")


def _engine(server: Server) -> Engine:
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise ModelError(
            "the library that speaks to PostgreSQL is not installed; run pip install 'octossh[postgresql]'"
        ) from None
    try:
        conninfo: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(server.conninfo)}
    except psycopg.Error as error:
        raise ModelError(f"the URL of the store {server.shown} cannot be read: {_first_line(error)}") from None

    def connect() -> psycopg.Connection[Any]:
        # No statement is prepared on the server: poolers such as PgBouncer hand the next one to another server.
        made = psycopg.connect(**conninfo, prepare_threshold=None)
        # Whatever is the default of the server: a writer that waited for the lock sees what was written meanwhile.
        made.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return made

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=_IDLE,
        max_overflow=-1,
        pool_pre_ping=True,
    )


def _first_line(error: BaseException) -> str:
    # libpq quotes what it cannot read, and that may be a password.
    return str(error).partition('"')[0].strip(" :\n") or type(error).__name__
