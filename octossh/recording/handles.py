"""A store as it is held: opened when it is first used, closed once, and what is written while it cannot be."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from attrs import define

from octossh.errors import RecordError
from octossh.recording.actors import actor_here
from octossh.recording.aside import Aside, Unwritable
from octossh.recording.urls import Server, place_of

if TYPE_CHECKING:
    from octossh.recording.connecting import Database
    from octossh.recording.facts import Facts
    from octossh.recording.leasing import Leasing
    from octossh.recording.tidying import Tidier
    from octossh.recording.transactions import Transaction

__all__ = ["Handle"]

_log = logging.getLogger("octossh.recording")

_RETRY_S = 5.0
"""Seconds after a failure in which records go aside without a further try: one may take long to fail."""

_of_parents: list[object] = []


@define(eq=False)
class _Waiting:
    """A record that a thread waits for."""

    write: Callable[[Transaction], None]
    entry: Callable[[], Mapping[str, Any]]
    done: bool = False
    error: Exception | None = None

    def end(self, error: Exception | None) -> None:
        """It is on the disk, or will not be."""
        self.done, self.error = True, error


class Handle:
    """One store, held by the threads of one process. See `octossh.recording.Store`."""

    def __init__(self, url: str) -> None:
        self._place = place_of(url)
        self._opening = threading.Lock()
        self._database: Database | None = None
        self._process = os.getpid()
        self._closed = False
        self._aside = None if self._place is None else _aside(self._place)
        self._apart = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._under_way: set[str] = set()
        self._retry_at = 0.0
        self.on_written: Callable[[], None] | None = None

    @property
    def there(self) -> bool:
        """Whether there may be something in it: a file that is not there holds nothing, and need not be made."""
        return not isinstance(self._place, Path) or self._place.exists()

    def close(self) -> None:
        """Close the file. The store cannot be used any more."""
        with self._opening:
            database, self._database, self._closed = self._database, None, True
        if self._process != os.getpid():
            return
        if database is not None:
            if self._aside is not None and self._aside.path is not None:
                with self._apart:
                    with contextlib.suppress(RecordError):
                        self._catch_up(database)
                    self._aside.close()
            database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({_shown(self._place)!r})"

    @contextlib.contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[Transaction]:
        from octossh.recording.transactions import Transaction

        database = self._opened()
        with database.transaction(write=write) as connection:
            yield Transaction(connection, database.where)
        if write and self.on_written is not None:
            self.on_written()

    @contextlib.contextmanager
    def _facts(self, *, write: bool = False) -> Iterator[Facts]:
        from octossh.recording.facts import Facts

        with self._transaction(write=write) as transaction:
            yield Facts(transaction.connection, transaction.where)

    @contextlib.contextmanager
    def _leasing(self, *, write: bool = False) -> Iterator[Leasing]:
        from octossh.recording.leasing import Leasing

        with self._transaction(write=write) as transaction:
            yield Leasing(transaction.connection, transaction.where)

    @contextlib.contextmanager
    def _tidier(self, *, write: bool = False) -> Iterator[Tidier]:
        from octossh.recording.tidying import Tidier

        with self._transaction(write=write) as transaction:
            yield Tidier(transaction.connection, transaction.where)

    def _opened(self) -> Database:
        from octossh.recording.connecting import Database

        self._see_fork()
        with self._opening:
            if self._closed:
                raise RecordError(f"store {self._place or 'in memory'}: it was closed; open a new Store")
            if self._database is None:
                database = Database(self._place)
                try:
                    self._catch_up(database)
                except RecordError as error:
                    _log.warning("what was kept in a side file cannot be taken in now: %s", error)
                self._database = database
            return self._database

    def _see_fork(self) -> None:
        if self._process == os.getpid() or self._place is None:
            return
        # Connections, locks and a side file belong to the parent, and SQLite forbids even to close them here.
        _of_parents.append((self._database, self._aside))
        self._process, self._database = os.getpid(), None
        self._opening, self._apart, self._waiting = threading.Lock(), threading.Lock(), deque()
        self._aside = _aside(self._place)

    # Records that find no place in the store

    def _write(
        self, deployment: str, write: Callable[[Transaction], None], entry: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Record something of a deployment that is under way: in the store, or else in a side file.

        It is on the disk then. What several threads want to record at one time goes there together.

        Raises:
            RecordError: The store refuses it, or takes nothing and there is no place for a side file either.
        """
        self._see_fork()
        aside = self._aside
        if aside is None or deployment not in self._under_way:
            with self._transaction(write=True) as transaction:
                write(transaction)
            return
        mine = _Waiting(write, entry)
        self._waiting.append(mine)
        # What went aside comes first: while that is being decided, no other record may overtake it.
        with self._apart:
            if not mine.done:
                batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
                try:
                    self._write_batch(aside, batch)
                finally:
                    mine.done = True
                    self._waiting.extendleft(one for one in reversed(batch) if not one.done)
        if mine.error is not None:
            raise mine.error

    def _write_batch(self, aside: Aside, batch: Sequence[_Waiting]) -> None:
        """Write what threads wait for, in their order: in one transaction, or where that fails each by itself."""
        problem: Unwritable | None = None
        if aside.path is None or time.monotonic() >= self._retry_at:
            try:
                if aside.path is not None:
                    self._catch_up(self._opened())
                with self._transaction(write=True) as transaction:
                    for one in batch:
                        one.write(transaction)
            except Unwritable as error:
                problem = error
            except Exception as error:  # noqa: BLE001 - it belongs to the thread whose record it is
                if len(batch) == 1:
                    batch[0].end(error)
                    return
                for one in batch:
                    self._write_batch(aside, [one])
                return
            else:
                for one in batch:
                    one.end(None)
                return
        for one in batch:
            try:
                self._write_aside(aside, one.entry(), problem)
                one.end(None)
            except RecordError as error:
                one.end(error)

    def _write_aside(self, aside: Aside, entry: Mapping[str, Any], problem: Unwritable | None) -> None:
        if problem is not None:
            self._retry_at = time.monotonic() + _RETRY_S
        try:
            if aside.write({**entry, "actor": actor_here().to_dict()}):
                _log.warning(
                    "%s. Until then, what happens is kept in %s, and is taken in when the store can be written again",
                    problem or "the side file is full",
                    aside.path,
                )
        except OSError as error:
            text = f"{problem or f'store {_shown(self._place)}: it takes no record now'}"
            raise RecordError(
                f"{text}; and a side file could not be written either ({error.strerror or error})"
            ) from None

    def _catch_up(self, database: Database) -> None:
        """Take in what was written aside, by this process or one that is gone.

        Raises:
            RecordError: The store still takes no record.
        """
        if self._aside is None:
            return
        for file in self._aside.left():
            from octossh.recording.catching_up import CatchingUp

            with database.transaction(write=True) as connection:
                count = CatchingUp(connection, database.where).take_in(file)
            _log.warning("store %s: %d records of %s were taken in", database.where, count, file.path)
            try:
                kept = self._aside.remove(file)
            except OSError as error:
                _log.warning("%s could not be removed (%s); it is not taken in again", file.path, error.strerror)
                continue
            if kept:
                _log.warning("what stands behind them was changed by somebody; it is in %s now", kept)


def _aside(place: Path | Server) -> Aside:
    if isinstance(place, Path):
        return Aside(_shown(place), place)
    return Aside(place.told_apart, None)


def _shown(place: Path | Server | None) -> str:
    return f"sqlite:///{place}" if isinstance(place, Path) else str(place or "sqlite://")
