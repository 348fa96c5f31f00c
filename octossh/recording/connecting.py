"""Opening a store: transactions, and the schema."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import sqlalchemy
from sqlalchemy import Connection, Engine, insert, select

from octossh.errors import RecordError
from octossh.recording.faults import BUSY_TIMEOUT_S, FAILURES, explain
from octossh.recording.sqlite import SQLite
from octossh.recording.tables import SCHEMA, meta, metadata, revisions
from octossh.recording.urls import Server

__all__ = ["Database"]


class Base(Protocol):
    """What the databases differ in."""

    where: str
    shared: bool
    engine: Engine

    def opened(self) -> None:
        """It has been opened, and is a store."""

    def check(self) -> None:
        """Raise if nothing may be written to it now."""

    def begin(self, connection: Connection, *, write: bool) -> None:
        """Begin a transaction; a write excludes all others from here on."""

    def loosen(self, connection: Connection) -> None:
        """Let tables be made anew within the next transaction, though others refer to them."""

    def busy(self) -> RecordError:
        """What to say when another thread does not end its writing."""

    def explain(self, error: BaseException) -> RecordError:
        """What *error* means, and what to do."""


class Database:
    """One open database: what threads of one process share.

    Args:
        place: A file, made with mode 0600 if it is not there; a server; None: in memory.

    Raises:
        RecordError: It cannot be opened, or a newer octossh wrote it.
    """

    def __init__(self, place: Path | Server | None) -> None:
        self._lock = threading.Lock()
        self._busy_thread: int | None = None
        self._base = _base(place)
        self.where = self._base.where
        with contextlib.ExitStack() as undo:
            undo.callback(self._base.engine.dispose)
            self._prepare()
            try:
                self._base.opened()
            except OSError as error:
                raise self._base.explain(error) from None
            undo.pop_all()

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back if an exception leaves it.

        A write takes the write lock at its beginning, so that what it reads stays true until it has written.

        Raises:
            RecordError: The database failed, or was locked by another process for 15 s.
        """
        with self._connected(write=write) as connection, self._begun(connection, write=write):
            yield connection

    @contextlib.contextmanager
    def _connected(self, *, write: bool) -> Iterator[Connection]:
        if self._busy_thread == threading.get_ident():
            raise RecordError(f"store {self.where}: it is busy with a record; use it after that, not within")
        # Threads wait on a lock, since SQLite waits by sleeping. In memory, all of them share one connection.
        with self._alone() if write or self._base.shared else contextlib.nullcontext():
            if write:
                self._base.check()
            try:
                with self._base.engine.connect() as connection:
                    yield connection
            except FAILURES as error:
                raise self._base.explain(error) from None

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._base.engine.dispose()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise self._base.busy()
        self._busy_thread = threading.get_ident()
        try:
            yield
        finally:
            self._busy_thread = None
            self._lock.release()

    @contextlib.contextmanager
    def _begun(self, connection: Connection, *, write: bool) -> Iterator[None]:
        with connection.begin():
            self._base.begin(connection, write=write)
            yield

    def _prepare(self) -> None:
        """Check the schema; make it in an empty database, and bring an older one up to date."""
        with self.transaction(write=False) as connection:
            known = self._schema(connection)
        if known == SCHEMA:
            return
        with self._connected(write=True) as connection:
            if known is not None:
                self._base.loosen(connection)
            with self._begun(connection, write=True):
                known = self._schema(connection)  # somebody else may have done it meanwhile
                if known is None:
                    metadata.create_all(connection, checkfirst=False)
                    connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
                    connection.execute(insert(revisions).values(version_num=f"{SCHEMA:04}"))
                elif known != SCHEMA:
                    from octossh.recording.upgrading import upgrade

                    upgrade(connection, known)
            if known is not None:
                connection.invalidate()  # what was let go for this one is not for others

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
            raise RecordError(f"store {self.where}: it is a database of something else than octossh; name another one")
        if int(version) > SCHEMA:
            raise RecordError(
                f"store {self.where}: a newer octossh wrote it (schema {version}, and this one knows "
                f"{SCHEMA}); upgrade octossh"
            )
        return int(version)


def _base(place: Path | Server | None) -> Base:
    if isinstance(place, Server):
        from octossh.recording.postgresql import PostgreSQL

        return PostgreSQL(place)
    try:
        return SQLite(place)
    except OSError as error:
        raise explain(error, place) from None
