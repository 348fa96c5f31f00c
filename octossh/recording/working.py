"""What all work on a store has in common: one transaction, its rows, and the chain of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from octossh.errors import RecordError
from octossh.model import Event
from octossh.recording.actors import actor_here
from octossh.recording.rows import GENESIS, Row, event_row
from octossh.recording.statements import Connection, among, chunks, delete, insert, select, update

__all__ = ["UNREADABLE", "Work"]

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What comes of reading a row that was changed behind octossh's back."""

_TIP = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"


def _of(key: Row) -> Row:
    return {f"of_{name}": value for name, value in key.items()}


class Work:
    """Work on one connection within one transaction.

    Args:
        connection: In a transaction, and for what writes, with the write lock.
        where: The store's name for messages.
    """

    def __init__(self, connection: Connection, where: str) -> None:
        self.connection = connection
        self.where = where

    def insert(self, table: str, row: Row) -> None:
        """Put *row* into *table*."""
        self.connection.run(insert(table, tuple(row)), row)

    def insert_all(self, table: str, rows: Sequence[Row]) -> None:
        """Put *rows*, which have the same columns, into *table*."""
        if rows:
            self.connection.run_for_each(insert(table, tuple(rows[0])), rows)

    def find(self, table: str, **key: object) -> Row | None:
        """The row of *table* in which *key* stands."""
        return next(self.find_all(table, **key), None)

    def find_all(self, table: str, **key: object) -> Iterator[Row]:
        """The rows of *table* in which *key* stands."""
        return self.connection.rows(select(table, tuple(key)), _of(key))

    def rows_among(
        self, query: str, column: str, given: Sequence[object], order: str = "", **values: object
    ) -> Iterator[Row]:
        """What *query*, which ends in WHERE or AND, finds where *column* is one of *given*, however many they are."""
        for some in chunks(given):
            about = dict(values)
            chosen = among(column, some, about)
            yield from self.connection.rows(f"{query} {chosen} {order}", about)

    def change(self, table: str, key: Row, values: Row) -> None:
        """Put *values* into the rows of *table* in which *key* stands."""
        self.connection.run(update(table, tuple(key), tuple(values)), values | _of(key))

    def remove(self, table: str, **key: object) -> None:
        """Take the rows away in which *key* stands."""
        self.connection.run(delete(table, tuple(key)), _of(key))

    def tip(self) -> tuple[int, str]:
        """The number and the hash of the newest event."""
        last = next(self.connection.rows(_TIP), None)
        return (last["seq"], last["hash"]) if last else (0, GENESIS)

    def mark(self) -> str:
        """See `Store.mark`."""
        first = self.find("events", seq=1)
        return str(first["hash"])[:16] if first else ""

    def actor(self) -> Any:
        """Who acts, as plain data."""
        return actor_here().to_dict()

    def append(self, event: Event, subject_sha256: str) -> int:
        """Put *event* at the end of the chain; returns its number. Who acts is told by each but those of steps."""
        seq, prev_hash = self.tip()
        if not event.step:
            event = attrs.evolve(event, data={**event.data, "actor": self.actor()})
        self.insert("events", event_row(event, seq + 1, prev_hash, subject_sha256))
        return seq + 1

    def damaged(self, what: str, error: Exception) -> RecordError:
        """The error that *what* cannot be read any more."""
        return RecordError(
            f"store {self.where}: {what} cannot be read, so it was changed behind octossh's back ({error}); "
            "see what 'octossh audit verify' finds, and put a backup in its place"
        )
