"""Opening a store: transactions, and the schema."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from octossh.errors import RecordError
from octossh.recording.faults import BUSY_TIMEOUT_S, explain
from octossh.recording.sqlite import SQLite
from octossh.recording.statements import SCHEMA, Connection, select
from octossh.recording.urls import Server

if TYPE_CHECKING:
    import sqlalchemy

__all__ = ["Database"]


class Session(Connection, Protocol):
    """A connection, with what the databases differ in."""

    def begun(self, *, write: bool) -> AbstractContextManager[None]:
        """A transaction, committed at the end; a write excludes all others from here on."""

    def is_empty(self) -> bool:
        """Whether there are no tables."""

    def columns(self, table: str) -> set[str]:
        """The columns of *table*; none: it is not there."""

    def alchemy(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """The same connection as SQLAlchemy has it, for what makes tables."""

    def loosen(self) -> None:
        """Let tables be made anew within the next transaction, though others refer to them."""


class Base(Protocol):
    """What the databases differ in.

    Attributes:
        where: Its name for messages.
        shared: Whether all threads use one connection.
    """

    where: str
    shared: bool

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What can come out of it."""

    def connected(self) -> AbstractContextManager[Session]:
        """A connection; what is not committed at the end is rolled back."""

    def opened(self) -> None:
        """It has been opened, and is a store."""

    def check(self) -> None:
        """Raise if nothing may be written to it now."""

    def busy(self) -> RecordError:
        """What to say when another thread does not end its writing."""

    def explain(self, error: BaseException) -> RecordError:
        """What *error* means, and what to do."""

    def close(self) -> None:
        """Close the connections that are not in use."""


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
            undo.callback(self._base.close)
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
        with self._connected(write=write) as session, session.begun(write=write):
            yield session

    @contextlib.contextmanager
    def _connected(self, *, write: bool) -> Iterator[Session]:
        if self._busy_thread == threading.get_ident():
            raise RecordError(f"store {self.where}: it is busy with a record; use it after that, not within")
        # Threads wait on a lock, since SQLite waits by sleeping. In memory, all of them share one connection.
        with self._alone() if write or self._base.shared else contextlib.nullcontext():
            if write:
                self._base.check()
            try:
                with self._base.connected() as session:
                    yield session
            except self._base.failures as error:
                raise self._base.explain(error) from None

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._base.close()

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

    def _prepare(self) -> None:
        """Check the schema; make it in an empty database, and bring an older one up to date."""
        with self._connected(write=False) as session, session.begun(write=False):
            known = self._schema(session)
        if known == SCHEMA:
            return
        with self._connected(write=True) as session, session.alchemy() as connection:
            if known is not None:
                session.loosen()
            with session.begun(write=True):
                known = self._schema(session)  # somebody else may have done it meanwhile
                if known is None:
                    from octossh.recording.tables import make

                    make(connection)
                elif known != SCHEMA:
                    from octossh.recording.upgrading import upgrade

                    upgrade(connection, known, self.where)

    def _schema(self, session: Session) -> int | None:
        """The version of its schema; None: it is empty."""
        if session.is_empty():
            return None
        version = ""
        if {"name", "value"} <= session.columns("meta"):
            found = next(session.rows(select("meta", ("name",)), {"of_name": "schema"}), None)
            version = str(found["value"]) if found else ""
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
