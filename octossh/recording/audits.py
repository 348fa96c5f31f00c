"""Reading the chain of events, a page at a time, for whoever wants to know who did what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from octossh import model
from octossh.recording.rows import Row, clean, moment_of, time_text
from octossh.recording.statements import among, literally, named, where
from octossh.recording.working import UNREADABLE, Work

if TYPE_CHECKING:
    from octossh.model import AuditEntry

__all__ = ["Audits", "Wanted"]

_OF_FREEZES = '%"kind":"freeze"%'
_ENTRIES = f"""
    SELECT {named("events")}, deployments.project, deployments.environment
    FROM events LEFT JOIN deployments ON deployments.id = events.deployment
"""  # noqa: S608
# One after the other: for both in one question SQLite reads all events.
_ENDS = "SELECT (SELECT min(seq) FROM events) AS first, (SELECT max(seq) FROM events) AS last"


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
        conditions, values = _wanted(wanted)
        if beyond is not None:
            conditions.append(f"events.seq {'<' if newest_first else '>'} :beyond")
            values["beyond"] = beyond
        order = f"ORDER BY events.seq {'DESC' if newest_first else 'ASC'} LIMIT {int(limit)}"
        rows = list(self.connection.rows(f"{_ENTRIES}{where(conditions)} {order}", values))
        entries = [entry for entry in map(self._entry, rows) if _fits(entry, wanted)]
        return entries, rows[-1]["seq"] if len(rows) == limit else None

    def _entry(self, row: Row) -> AuditEntry:
        try:
            return _entry(row)
        except UNREADABLE as error:
            raise self.damaged(f"event {row['seq']}", error) from None

    def hashes(self, seqs: set[int]) -> tuple[dict[int, str], int, int]:
        """The hashes of the events *seqs*, as far as they are there; and the first and the last number that is."""
        rows = self.rows_among("SELECT seq, hash FROM events WHERE", "seq", sorted(seqs))
        found = {row["seq"]: row["hash"] for row in rows}
        ends = next(self.connection.rows(_ENDS))
        return found, ends["first"] or 0, ends["last"] or 0

    def sent(self, sink: str) -> int:
        """See `Store.sent`."""
        row = self.find("meta", name=_sent(sink))
        return int(row["value"]) if row else 0

    def note_sent(self, sink: str, seq: int) -> None:
        """See `Store.note_sent`."""
        if seq > self.sent(sink):
            self.remove("meta", name=_sent(sink))
            self.insert("meta", {"name": _sent(sink), "value": str(seq)})


def _sent(sink: str) -> str:
    return f"sent:{clean(sink)}"


def _wanted(wanted: Wanted) -> tuple[list[str], Row]:
    """What holds for the events that are *wanted*, and the values in it."""
    conditions: list[str] = []
    values: Row = {}
    for name, value in (("project", wanted.project), ("environment", wanted.environment)):
        if value is not None:
            # What is part of no deployment names it in its data, if at all; `_fits` looks more closely.
            told = f"events.data LIKE :{name}_told ESCAPE '/' OR events.data LIKE :freezes ESCAPE '/'"
            conditions.append(f"(deployments.{name} = :{name} OR events.deployment IS NULL AND ({told}))")
            said = f'"{name}":{json.dumps(value)}'
            pattern = f"%{literally(said)}%"
            values |= {name: clean(value), f"{name}_told": pattern, "freezes": _OF_FREEZES}
    if wanted.types:
        conditions.append(among("events.type", wanted.types, values))
    if not wanted.steps:
        conditions.append("events.type NOT IN ('step_started', 'step_finished')")
    if wanted.since is not None:
        conditions.append("events.at >= :since")
        values["since"] = time_text(wanted.since)
    if wanted.until is not None:
        conditions.append("events.at < :until")
        values["until"] = time_text(wanted.until)
    return conditions, values


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
