"""A store in a database of PostgreSQL. The door of ``psycopg``, which need not be installed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, TextClause, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from octossh.errors import ModelError, RecordError
from octossh.recording.aside import Unwritable
from octossh.recording.faults import BUSY_TIMEOUT_S
from octossh.recording.urls import Server

__all__ = ["PostgreSQL"]

_LOCK = 0x6F63746F737368  # "octossh": all stores of one database wait for each other
_IDLE = 5
_AT_ONCE = 200  # rows that are held in memory, of many

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


class Session:
    """One connection."""

    dialect = "postgresql"

    def __init__(self, alchemy: Connection) -> None:
        self._alchemy = alchemy

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """See `statements.Connection`."""
        self._alchemy.execute(_text(statement), values)

    def run_for_each(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """See `statements.Connection`."""
        self._alchemy.execute(_text(statement), rows)

    def rows(
        self, statement: str, values: Mapping[str, Any] | None = None, *, many: bool = False
    ) -> Iterator[dict[str, Any]]:
        """See `statements.Connection`."""
        options = {"yield_per": _AT_ONCE} if many else {}
        result = self._alchemy.execute(_text(statement), values, execution_options=options)
        names = tuple(result.keys())
        return (dict(zip(names, row, strict=True)) for row in result)

    @contextlib.contextmanager
    def begun(self, *, write: bool) -> Iterator[None]:
        """A transaction: one writer at a time, and for a reader one state of all tables.

        What holds for it is set in it: poolers such as PgBouncer give the next one to another session. All of it is one
        statement, and one round trip.
        """
        patience = f"SET LOCAL lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}"
        begin = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {patience}"
        if write:
            begin = f"{patience}; {_TO_THE_DISK}; SELECT pg_advisory_xact_lock({_LOCK})"
        with self._alchemy.begin():
            self._alchemy.exec_driver_sql(begin)
            yield

    def columns(self, table: str) -> set[str]:
        """The columns of *table*; none: it is not there."""
        inspector = inspect(self._alchemy)
        return {column["name"] for column in inspector.get_columns(table)} if inspector.has_table(table) else set()

    def is_empty(self) -> bool:
        """Whether it has no tables."""
        return not inspect(self._alchemy).get_table_names()

    def alchemy(self) -> contextlib.AbstractContextManager[Connection]:
        """See `connecting.Session`."""
        return contextlib.nullcontext(self._alchemy)

    def loosen(self) -> None:
        """Tables can be changed as they are."""


@functools.lru_cache(maxsize=128)
def _text(statement: str) -> TextClause:
    return text(statement)


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
        self.failures = (SQLAlchemyError, OverflowError)
        self._engine = _engine(server)

    def opened(self) -> None:
        """Nothing is left to do."""

    def check(self) -> None:
        """The server itself says what is wrong."""

    @contextlib.contextmanager
    def connected(self) -> Iterator[Session]:
        """A connection; what is not committed at the end is rolled back."""
        with self._engine.connect() as connection:
            yield Session(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    def busy(self) -> RecordError:
        """What to say when another thread does not end its writing."""
        return Unwritable(f"store {self.where}: {_LOCKED}")

    def explain(self, error: BaseException) -> RecordError:
        """What *error* means for this store, and what to do."""
        while isinstance(cause := getattr(error, "orig", None), BaseException):
            error = cause
        state = getattr(error, "sqlstate", None) or ""
        said = " ".join(str(error).split()) or type(error).__name__
        for length in (5, 3, 2):
            if state[:length] in _KNOWN:
                reason, later = _KNOWN[state[:length]]
                return (Unwritable if later else RecordError)(f"store {self.where}: {reason}")
        if isinstance(error, OverflowError):
            return RecordError(f"store {self.where}: {_LARGE}")
        if state.startswith("23"):
            taken = f"{said}: somebody else wrote to it; see what 'octossh audit verify' finds"
            return RecordError(f"store {self.where}: {taken}")
        if not state and type(error).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout"}:
            if "connection failed" in said or "connection timeout" in said or "could not" in said:
                return Unwritable(f"store {self.where}: it cannot be reached: {said}")
            return Unwritable(f"store {self.where}: {_LOST} ({said})")
        return RecordError(f"store {self.where}: {said}; see that it is a store of octossh, and what the server logs")


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
