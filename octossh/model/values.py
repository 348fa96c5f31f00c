"""Values that are stored, and nobody can read without the key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from attrs import field, frozen

from octossh.model._values import Described
from octossh.model.tables import Table

__all__ = ["Sealed", "StoredValue", "StoredValues"]


@frozen(kw_only=True)
class Sealed(Described):
    """A value as it is stored.

    Attributes:
        token: Name and value, encrypted.
        key: Which key opens it: the beginning of its hash.
        at: When it was set.
        by: Who set it.
    """

    token: str = field(repr=False)
    key: str
    at: datetime
    by: str


@frozen(kw_only=True)
class StoredValue(Described):
    """What can be told of a stored value.

    Attributes:
        name: Of the secret whose value it is.
        at: When it was set.
        by: Who set it.
        key: Which key opens it.
        readable: Whether that key is here.
    """

    name: str
    at: datetime
    by: str
    key: str
    readable: bool


@frozen
class StoredValues(Described):
    """The stored values, sorted by name."""

    items: tuple[StoredValue, ...]

    def tables(self) -> tuple[Table, ...]:
        """The table that is shown."""
        rows = [
            (value.name, f"{value.at:%Y-%m-%d %H:%M}", value.by, value.key + ("" if value.readable else " (not here)"))
            for value in self.items
        ]
        head = ("value", "set", "by", "key")
        return (Table(head=head, rows=tuple(rows), caption="Stored values", empty="no value is stored"),)

    def __iter__(self) -> Iterator[StoredValue]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return "\n".join(map(str, self.tables()))
