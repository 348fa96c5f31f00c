"""What all work on a store has in common: one transaction, its rows, and the chain of events."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from octossh.errors import RecordError
from octossh.model import Event
from octossh.recording.actors import actor_here
from octossh.recording.rows import GENESIS, Row, event_row
from octossh.recording.tables import events

__all__ = ["UNREADABLE", "Work"]

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What comes of reading a row that was changed behind octossh's back."""

# Statements are built once, and what differs in them are parameters: then they are not compiled again.


def _where(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == bindparam(f"of_{name}") for name in names))


def _of(key: Row) -> Row:
    return {f"of_{name}": value for name, value in key.items()}


@functools.cache
def _select(table: Table, names: tuple[str, ...]) -> Select[Any]:
    return select(table).where(_where(table, names))


@functools.cache
def _insert(table: Table) -> Insert:
    return insert(table)


@functools.cache
def _update(table: Table, names: tuple[str, ...]) -> Update:
    return update(table).where(_where(table, names))


@functools.cache
def _delete(table: Table, names: tuple[str, ...]) -> Delete:
    return delete(table).where(_where(table, names))


_TIP = select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)


class Work:
    """Work on one connection within one transaction.

    Args:
        connection: In a transaction, and for what writes, with the write lock.
        where: The store's name for messages.
    """

    def __init__(self, connection: Connection, where: str) -> None:
        self.connection = connection
        self.where = where

    def insert(self, table: Table, row: Row) -> None:
        """Put *row* into *table*."""
        self.connection.execute(_insert(table), row)

    def insert_all(self, table: Table, rows: Sequence[Row]) -> None:
        """Put *rows*, which have the same columns, into *table*."""
        if rows:
            self.connection.execute(_insert(table), rows)

    def find(self, table: Table, **key: object) -> Row | None:
        """The row of *table* in which *key* stands."""
        return next(self.rows(_select(table, tuple(key)), _of(key)), None)

    def find_all(self, table: Table, **key: object) -> Iterator[Row]:
        """The rows of *table* in which *key* stands."""
        return self.rows(_select(table, tuple(key)), _of(key))

    def change(self, table: Table, key: Row, values: Row) -> None:
        """Put *values* into the rows of *table* in which *key* stands."""
        self.connection.execute(_update(table, tuple(key)), values | _of(key))

    def remove(self, table: Table, **key: object) -> None:
        """Take the rows away in which *key* stands."""
        self.connection.execute(_delete(table, tuple(key)), _of(key))

    def rows(self, query: Select[Any], values: Row | None = None) -> Iterator[Row]:
        """What *query* finds."""
        result = self.connection.execute(query, values)
        names = tuple(result.keys())
        return (dict(zip(names, row, strict=True)) for row in result)

    def tip(self) -> tuple[int, str]:
        """The number and the hash of the newest event."""
        last = self.connection.execute(_TIP).first()
        return (last.seq, last.hash) if last else (0, GENESIS)

    def mark(self) -> str:
        """See `Store.mark`."""
        first = self.find(events, seq=1)
        return str(first["hash"])[:16] if first else ""

    def actor(self) -> Any:
        """Who acts, as plain data."""
        return actor_here().to_dict()

    def append(self, event: Event, subject_sha256: str) -> int:
        """Put *event* at the end of the chain; returns its number. Who acts is told by each but those of steps."""
        seq, prev_hash = self.tip()
        if not event.step:
            event = attrs.evolve(event, data={**event.data, "actor": self.actor()})
        self.insert(events, event_row(event, seq + 1, prev_hash, subject_sha256))
        return seq + 1

    def damaged(self, what: str, error: Exception) -> RecordError:
        """The error that *what* cannot be read any more."""
        return RecordError(
            f"store {self.where}: {what} cannot be read, so it was changed behind octossh's back ({error}); "
            "see what 'octossh audit verify' finds, and put a backup in its place"
        )
