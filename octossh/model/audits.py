"""Audit: who did what, and the entries of the record that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.model._values import Described, as_json
from octossh.model.actors import Actor
from octossh.model.tables import Table

__all__ = ["RECORDED", "AuditEntry", "AuditTrail"]

RECORDED = (
    *("asked", "answered", "command_started", "command_finished", "deployment_started", "deployment_waiting"),
    *("deployment_continued", "deployment_finished", "deployment_settled", "deployment_tidied", "fact_kept"),
    *("fact_dropped", "host_skipped", "late_record", "lease_taken_over", "paused", "promotion_started"),
    *("promotion_refused", "release_created", "release_imported", "release_removed", "retrying", "rollback_started"),
    *("rollback_finished", "shell_started", "shell_finished", "side_file_taken_in", "step_started", "step_finished"),
    *("tag_moved", "wave_started", "wave_finished"),
)
"""The types of events that the record may hold."""


@frozen(kw_only=True)
class AuditEntry(Described):
    """One event of the record, with its place in the chain.

    Attributes:
        seq: Its number.
        at: When.
        type: What happened, such as ``release_created``.
        project: Which project it is about; empty where it is about none. So are the next four.
        data: What else there is to say; ``actor`` is who did it, ``why`` the reason, ``before`` and ``after`` what
            was changed.
        version: Of the form of the event.
        subject_sha256: The hash of what it speaks of, such as a release; empty for none.
        prev_hash: The hash of the entry before it.
        hash: Over all of it, ``prev_hash`` included.
    """

    seq: int
    at: datetime
    type: str
    project: str = ""
    environment: str = ""
    deployment: str = ""
    step: str = ""
    target: str = ""
    data: Mapping[str, Any] = field(factory=dict, eq=as_json)
    version: int = 1
    subject_sha256: str = ""
    prev_hash: str = ""
    hash: str = ""

    @property
    def by(self) -> str:
        """Who did it, in one text; empty where the event is part of something that somebody else began."""
        actor = self.data.get("actor")
        if isinstance(actor, Mapping) and actor.get("user"):
            known = {name: str(actor[name]) for name in _KNOWN if name in actor}
            return str(Actor(user=str(actor["user"]), host=str(actor.get("host", "")), **known))
        return str(self.data.get("by", ""))

    @property
    def what(self) -> str:
        """What happened, in words."""
        told = {name: value for name, value in self.data.items() if name not in _TOLD_APART and value not in ("", None)}
        place = " on ".join(filter(None, (self.step, self.target)))
        details = ", ".join(f"{name} {_short(value)}" for name, value in told.items())
        change = ""
        if self.data.get("before") is not None or self.data.get("after") is not None:
            change = f"{_short(self.data.get('before'))} -> {_short(self.data.get('after'))}"
        return "; ".join(filter(None, (place, details, change, str(self.data.get("why") or ""))))

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain data; its time is written as it was hashed."""
        at = self.at.isoformat(timespec="microseconds")
        return {**super().to_dict(), "at": at, "by": self.by}


_KNOWN = ("sudo_user", "name", "job", "link", "started_by")
_TOLD_APART = {"actor", "by", "before", "after", "why", "project", "environment"}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else "(none)" if value is None else as_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@frozen
class AuditTrail(Described):
    """Entries of the record, newest first; printing it gives a table."""

    entries: tuple[AuditEntry, ...]

    def __iter__(self) -> Iterator[AuditEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def to_dict(self) -> dict[str, Any]:
        """The entries as plain data."""
        return {"entries": [entry.to_dict() for entry in self.entries]}

    def tables(self) -> tuple[Table, ...]:
        """One row for each entry."""
        rows = [
            (
                str(entry.seq),
                f"{entry.at:%Y-%m-%d %H:%M:%S}",
                entry.by,
                entry.type,
                " ".join(filter(None, (entry.project, entry.environment))),
                entry.what,
            )
            for entry in self.entries
        ]
        head = ("event", "at (UTC)", "by", "what", "where", "details")
        return (Table(head=head, rows=rows, caption="What was done, newest first", empty="nothing fits"),)

    def __str__(self) -> str:
        return str(*self.tables())
