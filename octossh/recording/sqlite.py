"""A store in a file of SQLite, or in memory: its file, its settings, and its engine."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, StaticPool, create_engine, event

from octossh.errors import RecordError
from octossh.recording.faults import BUSY_TIMEOUT_S, explain
from octossh.recording.tables import events, meta

__all__ = ["SQLite"]

_log = logging.getLogger("octossh.recording")

_NAP_S = 0.01
_creating = threading.Lock()


class SQLite:
    """A file, made with mode 0600 if it is not there; or a database in memory.

    Args:
        path: The file; None: in memory.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.where = str(path or "in memory")
        self.shared = path is None  # all threads use one connection
        if path is not None:
            _create(path)
        self.engine = _engine(path)
        self._file: tuple[int, int] | None = None

    def opened(self) -> None:
        """Remember which file it is, now that it is a store."""
        self._file = None if self.path is None else _identity(self.path)

    def check(self) -> None:
        """Raise if the file was removed: SQLite does not notice, and would write on into nothing."""
        if self.path is None or self._file is None:
            return
        try:
            same = _identity(self.path) == self._file
        except OSError:
            same = False
        if not same:
            raise self.explain(_said("the file moved", "SQLITE_READONLY_DBMOVED"))

    def begin(self, connection: Connection, *, write: bool) -> None:
        """Begin a transaction; a write takes the lock at once, so that what it reads stays true."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    def loosen(self, connection: Connection) -> None:
        """Let tables be made anew within the next transaction, though others refer to them."""
        connection.connection.execute("PRAGMA foreign_keys = OFF")

    def busy(self) -> RecordError:
        """What to say when another thread does not end its writing."""
        return self.explain(_said("locked by another thread", "SQLITE_BUSY"))

    def explain(self, error: BaseException) -> RecordError:
        """See `faults.explain`."""
        return explain(error, self.path)


def _said(text: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def _create(path: Path) -> None:
    # Closing any descriptor of a file drops all locks that this process has on it: no thread may open it
    # meanwhile.
    with _creating:
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _engine(path: Path | None) -> Engine:
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if path is not None:
        # Connections are kept: when the last one closes, SQLite folds its journal into the file: slow.
        pool = {"poolclass": QueuePool, "pool_size": 5, "max_overflow": -1}
    engine = create_engine(
        URL.create("sqlite", database=None if path is None else str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        try:
            _settle(connection, path)
        except BaseException:
            connection.close()  # older versions of SQLAlchemy leave it to the collector
            raise

    return engine


def _settle(connection: sqlite3.Connection, path: Path | None) -> None:
    # By itself the sqlite3 module begins transactions at the first write: two can read the same last event.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    if path is not None and _is_ours(connection):
        mode = _journal(connection)
        if mode != "wal":
            _log.warning("store %s: its journal has mode %r here, so readers and writers wait", path, mode)
    for setting in ("synchronous = FULL", "foreign_keys = ON", "recursive_triggers = ON"):
        connection.execute(f"PRAGMA {setting}")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether a file is empty or looks like a store: the mode of the journal stays in the file, also in another's."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return not names or {meta.name, events.name} <= names


def _journal(connection: sqlite3.Connection) -> str:
    """Turn write-ahead logging on; returns the mode that the file is in then."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            # SQLite does not wait here by itself while another process turns it on or off.
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(_NAP_S)
