"""Reading the chain of events, a page at a time, for whoever wants to know who did what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sqlalchemy import Select, delete, func, or_, select

from octossh import model
from octossh.recording.rows import Row, clean, moment_of, time_text
from octossh.recording.tables import deployments, events, meta
from octossh.recording.working import UNREADABLE, Work

if TYPE_CHECKING:
    from octossh.model import AuditEntry

__all__ = ["Audits", "Wanted"]

_MOST = 500  # values in one statement
_OF_FREEZES = events.c.data.contains('"kind":"freeze"', autoescape=True)
_STEPS = ("step_started", "step_finished")


@frozen(kw_only=True)
class Wanted:
    """Which entries are wanted. See `Store.audit`."""

    project: str | None = None
    environment: str | None = None
    types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    steps: bool = True


class Audits(Work):
    """The chain within one transaction."""

    def page(
        self, wanted: Wanted, beyond: int | None, limit: int, *, newest_first: bool
    ) -> tuple[list[AuditEntry], int | None]:
        """The next entries, and the number of the last event that was read for them; None: there are no more.

        Args:
            wanted: Which ones.
            beyond: The number of the event after which (or before which) the page begins; None: at the end.
            limit: How many events are read at most.
            newest_first: In which direction.
        """
        query = _select(wanted)
        order = events.c.seq.desc() if newest_first else events.c.seq
        if beyond is not None:
            query = query.where(events.c.seq < beyond if newest_first else events.c.seq > beyond)
        rows = list(self.rows(query.order_by(order).limit(limit)))
        entries = [entry for entry in map(self._entry, rows) if _fits(entry, wanted)]
        return entries, rows[-1]["seq"] if len(rows) == limit else None

    def _entry(self, row: Row) -> AuditEntry:
        try:
            return _entry(row)
        except UNREADABLE as error:
            raise self.damaged(f"event {row['seq']}", error) from None

    def hashes(self, seqs: set[int]) -> tuple[dict[int, str], int, int]:
        """The hashes of the events *seqs*, as far as they are there; and the first and the last number that is."""
        found: dict[int, str] = {}
        order = sorted(seqs)
        for start in range(0, len(order), _MOST):
            query = select(events.c.seq, events.c.hash).where(events.c.seq.in_(order[start : start + _MOST]))
            found |= {row.seq: row.hash for row in self.connection.execute(query)}
        first, last = self.connection.execute(_ENDS).one()
        return found, first or 0, last or 0

    def sent(self, sink: str) -> int:
        """See `Store.sent`."""
        value = self.connection.execute(select(meta.c.value).where(meta.c.name == _sent(sink))).scalar_one_or_none()
        return int(value or 0)

    def note_sent(self, sink: str, seq: int) -> None:
        """See `Store.note_sent`."""
        if seq > self.sent(sink):
            self.connection.execute(delete(meta).where(meta.c.name == _sent(sink)))
            self.insert(meta, {"name": _sent(sink), "value": str(seq)})


# One after the other: for both in one question SQLite reads all events.
_ENDS = select(*(select(end(events.c.seq)).scalar_subquery() for end in (func.min, func.max)))


def _sent(sink: str) -> str:
    return f"sent:{clean(sink)}"


def _select(wanted: Wanted) -> Select[Any]:
    query = select(events, deployments.c.project, deployments.c.environment).outerjoin(
        deployments, events.c.deployment == deployments.c.id
    )
    for name, column, value in (
        ("project", deployments.c.project, wanted.project),
        ("environment", deployments.c.environment, wanted.environment),
    ):
        if value is not None:
            # What is part of no deployment names it in its data, if at all; `_fits` looks more closely.
            told = events.c.data.contains(f'"{name}":{json.dumps(value)}', autoescape=True)
            query = query.where(or_(column == clean(value), events.c.deployment.is_(None) & or_(told, _OF_FREEZES)))
    if wanted.types:
        query = query.where(events.c.type.in_(wanted.types))
    if not wanted.steps:
        query = query.where(events.c.type.not_in(_STEPS))
    if wanted.since is not None:
        query = query.where(events.c.at >= time_text(wanted.since))
    if wanted.until is not None:
        query = query.where(events.c.at < time_text(wanted.until))
    return query


def _fits(entry: AuditEntry, wanted: Wanted) -> bool:
    if entry.data.get("kind") == "freeze" and not entry.deployment:
        return any(
            _concerns(told, "projects", wanted.project) and _concerns(told, "environments", wanted.environment)
            for told in (entry.data.get("after"), entry.data.get("before"))
        )
    return wanted.project in {None, entry.project} and wanted.environment in {None, entry.environment}


def _concerns(freeze: object, what: str, name: str | None) -> bool:
    """Whether *freeze*, as it was recorded, is about *name*; one that names none is about all."""
    return isinstance(freeze, Mapping) and (name is None or not freeze.get(what) or name in freeze[what])


def _entry(row: Row) -> AuditEntry:
    data = json.loads(row["data"])
    return model.AuditEntry(
        seq=row["seq"],
        at=moment_of(row["at"]),
        type=row["type"],
        project=row["project"] or _named(data, "project"),
        environment=row["environment"] or _named(data, "environment"),
        deployment=row["deployment"] or "",
        step=row["step"],
        target=row["target"],
        data=data,
        version=row["version"],
        subject_sha256=row["subject_sha256"],
        prev_hash=row["prev_hash"],
        hash=row["hash"],
    )


def _named(data: Mapping[str, Any], what: str) -> str:
    """What an event, or what it changed, says that it is about."""
    for told in (data, data.get("after"), data.get("before")):
        if isinstance(told, Mapping) and isinstance(told.get(what), str):
            return str(told[what])
    return ""
