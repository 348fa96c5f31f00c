"""What all work on a store has in common: one transaction, its rows, and the chain of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from sqlalchemy import Connection, Select, Table, insert, select

from octossh.errors import RecordError
from octossh.model import Event
from octossh.recording.actors import actor_here
from octossh.recording.rows import GENESIS, Row, event_row
from octossh.recording.tables import events

__all__ = ["UNREADABLE", "Work"]

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What comes of reading a row that was changed behind octossh's back."""

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
        # As parameters, not as values(): then the statement is the same each time, and nothing is compiled anew.
        self.connection.execute(insert(table), row)

    def insert_all(self, table: Table, rows: Sequence[Row]) -> None:
        """Put *rows*, which have the same columns, into *table*."""
        if rows:
            self.connection.execute(insert(table), rows)

    def rows(self, query: Select[Any]) -> Iterator[Row]:
        """What *query* finds."""
        return (dict(row) for row in self.connection.execute(query).mappings())

    def tip(self) -> tuple[int, str]:
        """The number and the hash of the newest event."""
        last = self.connection.execute(_TIP).first()
        return (last.seq, last.hash) if last else (0, GENESIS)

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
