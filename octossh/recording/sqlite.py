"""A store in a file of SQLite, or in memory: its file, its settings, and its connections."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octossh.errors import RecordError
from octossh.recording.faults import BUSY_TIMEOUT_S, FAILURES, explain

if TYPE_CHECKING:
    import sqlalchemy

__all__ = ["SQLite"]

_log = logging.getLogger("octossh.recording")

_NAP_S = 0.01
_IDLE = 5
_creating = threading.Lock()


class Session:
    """One connection.

    Attributes:
        lasting: Whether it is kept for others when nobody uses it any more.
    """

    dialect = "sqlite"

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver
        self.lasting = True
        # Whoever holds the traceback of an exception holds what was being read then, too: it is ended from here.
        self._reading: set[sqlite3.Cursor] = set()

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """See `statements.Connection`."""
        self.driver.execute(statement, values or {})

    def run_for_each(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """See `statements.Connection`."""
        self.driver.executemany(statement, rows)

    def rows(
        self,
        statement: str,
        values: Mapping[str, Any] | None = None,
        *,
        many: bool = False,  # noqa: ARG002 - it never holds more than one
    ) -> Iterator[dict[str, Any]]:
        """See `statements.Connection`."""
        cursor = self.driver.cursor()
        self._reading.add(cursor)
        cursor.execute(statement, values or {})
        return self._rows(cursor)

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
        names = [column[0] for column in cursor.description]
        try:
            for row in cursor:
                yield dict(zip(names, row, strict=True))
        finally:
            if cursor in self._reading:
                cursor.close()
                self._reading.discard(cursor)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being read or written by it."""
        return not self._reading and not self.driver.in_transaction

    def rest(self) -> None:
        """End what is being read, and roll back what is not committed."""
        self._stop_reading()
        self.driver.rollback()

    def close(self) -> None:
        """Close it, by which what is not committed is rolled back; what is being read would keep it open."""
        try:
            self._stop_reading()
        finally:
            self.driver.close()

    def _stop_reading(self) -> None:
        for cursor in tuple(self._reading):
            cursor.close()
        self._reading.clear()

    @contextlib.contextmanager
    def begun(self, *, write: bool) -> Iterator[None]:
        """A transaction; a write takes the lock at once, so that what it reads stays true."""
        self.run("BEGIN IMMEDIATE" if write else "BEGIN")
        yield
        self.driver.commit()

    def columns(self, table: str) -> set[str]:
        """The columns of *table*; none: it is not there."""
        return {row["name"] for row in self.rows(f"PRAGMA table_info({table})")}

    def is_empty(self) -> bool:
        """Whether it has no tables."""
        return not _tables(self.driver)

    @contextlib.contextmanager
    def alchemy(self) -> Iterator[sqlalchemy.Connection]:
        """See `connecting.Session`."""
        from sqlalchemy import StaticPool, create_engine
        from sqlalchemy.exc import DBAPIError

        engine = create_engine("sqlite://", creator=lambda: self.driver, poolclass=StaticPool)
        try:
            with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise (error.orig or error) from None

    def loosen(self) -> None:
        """Let tables be made anew within the next transaction, though others refer to them."""
        self.run("PRAGMA foreign_keys = OFF")
        self.lasting = False


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
        self.failures = FAILURES
        # Connections are kept: when the last one closes, SQLite folds its journal into the file: slow.
        self._idle: list[Session] = []
        self._pooling = threading.Lock()
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

    @contextlib.contextmanager
    def connected(self) -> Iterator[Session]:
        """A connection; what is not committed at the end is rolled back."""
        with self._pooling:
            idle = self._idle
            session = idle.pop() if idle else None
        session = session or Session(_connect(self.path))
        try:
            session.rest()  # the only one of a store in memory is kept however it was left
            yield session
            session.rest()
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                session.rest()
            raise
        finally:
            with self._pooling:
                # Those of before it was closed are not for whoever opens it again.
                kept = session.lasting and (session.at_rest or self.shared) and idle is self._idle and len(idle) < _IDLE
                if kept:
                    idle.append(session)
            if not kept:
                session.close()

    def busy(self) -> RecordError:
        """What to say when another thread does not end its writing."""
        return self.explain(_said("locked by another thread", "SQLITE_BUSY"))

    def explain(self, error: BaseException) -> RecordError:
        """See `faults.explain`."""
        return explain(error, self.path)

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._pooling:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()


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


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(str(path or ":memory:"), timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        _settle(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


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
    names = _tables(connection)
    return not names or {"meta", "events"} <= names


def _tables(connection: sqlite3.Connection) -> set[str]:
    # Those of SQLite itself, such as sqlite_sequence, stay behind others' tables that were dropped.
    wanted = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite/_%' ESCAPE '/'"
    return {name for (name,) in connection.execute(wanted).fetchall()}


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
