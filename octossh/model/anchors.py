"""Anchors: heads of the audit chain that are kept on hosts, out of reach of whoever rewrites the store."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from octossh.model._values import Described
from octossh.model.tables import Table

__all__ = ["Anchor", "Mismatch", "Witnesses"]


@frozen(kw_only=True)
class Anchor(Described):
    """The newest event of the chain when a deployment to a host had ended, as it stands on that host.

    Attributes:
        place: Project and environment, as they stand in the name of the file.
        seq: The number of the event.
        hash: Its hash.
        deployment: The deployment that left it there.
        at: When.
    """

    target: str
    place: str
    seq: int
    hash: str
    deployment: str
    at: datetime

    @property
    def line(self) -> str:
        """As it stands in a file: number, hash, deployment and time."""
        return f"{self.seq} {self.hash} {self.deployment} {self.at.isoformat(timespec='seconds')}"


@frozen(kw_only=True)
class Mismatch(Described):
    """An anchor that the store contradicts.

    Attributes:
        anchor: What stands on the host.
        why: What the store says instead.
    """

    anchor: Anchor
    why: str


@frozen(kw_only=True)
class Witnesses(Described):
    """What hosts say about the store; printing it gives a table.

    Attributes:
        compared: How many anchors were held against the store.
        mismatches: Those that it contradicts; of each host and place the first.
        without: The hosts on which no anchor is.
        unseen: The hosts that could not be asked, with the reason.
        events: How many events the store has.
    """

    compared: int
    events: int
    mismatches: tuple[Mismatch, ...] = ()
    without: tuple[str, ...] = ()
    unseen: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every host was asked, and the store contradicts none of them."""
        return not self.mismatches and not self.unseen

    @property
    def verdict(self) -> str:
        """In one line."""
        if self.mismatches:
            hosts = len({mismatch.anchor.target for mismatch in self.mismatches})
            who = "1 host contradicts" if hosts == 1 else f"{hosts} hosts contradict"
            return f"{who} the store: it was rolled back or rewritten"
        return f"{self.compared} anchors on hosts, none contradicts the {self.events} events of the store"

    def tables(self) -> tuple[Table, ...]:
        """One row for each contradiction."""
        rows = [
            (m.anchor.target, m.anchor.place, str(m.anchor.seq), m.anchor.deployment, m.why) for m in self.mismatches
        ]
        notes = [f"{host} has no anchor" for host in self.without]
        notes += [f"{host} could not be asked: {why}" for host, why in self.unseen]
        head = ("target", "where", "event", "deployment", "the store")
        return (Table(head=head, rows=rows, caption=self.verdict, empty=self.verdict, notes=tuple(notes)),)

    def __str__(self) -> str:
        (table,) = self.tables()
        return f"{self.verdict}\n{table}" if table.rows else str(table)
