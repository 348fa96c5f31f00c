"""Opening a store: its file, SQLite's settings, transactions, and the schema."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, QueuePool, StaticPool, create_engine, event, insert, select, update

from octossh.errors import RecordError
from octossh.recording.faults import BUSY_TIMEOUT_S, FAILURES, explain
from octossh.recording.tables import SCHEMA, events, meta, metadata

__all__ = ["Database"]

_log = logging.getLogger("octossh.recording")
_creating = threading.Lock()


class Database:
    """One open database: what threads of one process share.

    Args:
        path: The file, made with mode 0600 if it is not there. None: in memory.

    Raises:
        RecordError: It cannot be opened, or a newer octossh wrote it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.where = str(path or "in memory")
        self._lock = threading.Lock()
        self._busy_thread: int | None = None
        self._file: tuple[int, int] | None = None
        try:
            if path is not None:
                _create(path)
            self._engine = _engine(path)
            with contextlib.ExitStack() as undo:
                undo.callback(self._engine.dispose)
                self._prepare()
                undo.pop_all()
            self._file = None if path is None else _identity(path)
        except OSError as error:
            raise explain(error, path) from None

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back if an exception leaves it.

        A write takes the write lock at its beginning, so that what it reads stays true until it has written.

        Raises:
            RecordError: The database failed, or was locked by another process for 15 s.
        """
        if self._busy_thread == threading.get_ident():
            raise RecordError(f"store {self.where}: it is busy with a record; use it after that, not within")
        # Threads wait on a lock, since SQLite waits by sleeping. In memory, all of them share one connection.
        with self._alone() if write or self.path is None else contextlib.nullcontext():
            if write:
                self._check_file()
            try:
                with self._engine.connect() as connection:
                    connection.execution_options(octossh_write=write)
                    with connection.begin():
                        yield connection
            except FAILURES as error:
                raise explain(error, self.path) from None

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_S):
            busy = sqlite3.OperationalError("locked by another thread")
            busy.sqlite_errorname = "SQLITE_BUSY"
            raise explain(busy, self.path)
        self._busy_thread = threading.get_ident()
        try:
            yield
        finally:
            self._busy_thread = None
            self._lock.release()

    def _check_file(self) -> None:
        """Raise if the file was removed: SQLite does not notice, and would write on into nothing."""
        if self.path is None or self._file is None:
            return
        try:
            same = _identity(self.path) == self._file
        except OSError:
            same = False
        if not same:
            moved = sqlite3.OperationalError("the file moved")
            moved.sqlite_errorname = "SQLITE_READONLY_DBMOVED"
            raise explain(moved, self.path)

    def _prepare(self) -> None:
        """Check the schema, or make it in an empty database."""
        with self.transaction(write=False) as connection:
            known = self._schema(connection)
        if known != SCHEMA:
            with self.transaction(write=True) as connection:
                self._upgrade(connection, self._schema(connection))

    def _upgrade(self, connection: Connection, known: int | None) -> None:
        """Bring the schema from *known* to the newest one."""
        if known == SCHEMA:
            return  # somebody else has done it meanwhile
        metadata.create_all(connection)
        if known is None:
            connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
            return
        connection.exec_driver_sql("ALTER TABLE deployments ADD COLUMN token INTEGER")
        connection.execute(update(meta).where(meta.c.name == "schema").values(value=str(SCHEMA)))

    def _schema(self, connection: Connection) -> int | None:
        """The version of its schema; None: it is empty."""
        inspector = sqlalchemy.inspect(connection)
        names = inspector.get_table_names()
        if not names:
            return None
        version = ""
        if meta.name in names and {"name", "value"} <= {c["name"] for c in inspector.get_columns(meta.name)}:
            query = select(meta.c.value).where(meta.c.name == "schema")
            version = str(connection.execute(query).scalar_one_or_none() or "")
        if not version.isdecimal():
            raise RecordError(f"store {self.where}: it is a database of something else than octossh; name another file")
        if int(version) > SCHEMA:
            raise RecordError(
                f"store {self.where}: a newer octossh wrote it (schema {version}, and this one knows "
                f"{SCHEMA}); upgrade octossh"
            )
        return int(version)


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
        _settle(connection, path)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        write = connection.get_execution_options().get("octossh_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

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
            time.sleep(0.01)
