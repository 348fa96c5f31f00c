"""Taking out of a store what need not be kept, so that the chain still tells of each byte that was there.

Events stay for ever. An event says what was taken out, with the hash that it had; from then on, the hash of what is
left counts, and stands in that event. So the chain shows what was taken out by whom, and any other loss as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from octossh.model import Event, State
from octossh.recording.controllers import whoami
from octossh.recording.rows import Row, clean, is_tombstone, sha256, subject_hash, tombstone
from octossh.recording.statements import OUTCOMES, guards
from octossh.recording.working import UNREADABLE, Work

if TYPE_CHECKING:
    from octossh.planning import Tidy

__all__ = ["TIDIED", "Tidier", "note_deployment", "note_release"]

TIDIED = {"release_removed", "deployment_tidied"}
"""The events of it."""


_REMOVED = "(the log was removed after its time)\n"
_DETAILS = """
    SELECT deployment, max(
        CASE WHEN log NOT IN ('', :removed) OR inspect <> '{}' OR outputs <> '{}' THEN 1 ELSE 0 END
    ) AS bulky
    FROM outcomes JOIN deployments ON deployments.id = outcomes.deployment
    WHERE deployments.project = :project GROUP BY deployment
"""
_DEPLOYED_SINCE = """
    SELECT id FROM deployments WHERE project = :project AND release = :release
        AND seq > (SELECT coalesce(max(seq), 0) FROM deployments WHERE id = :seen)
    LIMIT 1
"""


class Tidier(Work):
    """Takes things out, within one transaction."""

    def tidy(self, item: Tidy, seen: str) -> bool:
        """Take *item* out; whether it was there, and no deployment after *seen* needs it."""
        return self._release(item, seen) if item.what == "release" else self._deployment(item)

    def details(self, project: str) -> dict[str, bool]:
        """See `Store.details`."""
        rows = self.connection.rows(_DETAILS, {"project": clean(project), "removed": _REMOVED})
        return {row["deployment"]: bool(row["bulky"]) for row in rows}

    def _release(self, item: Tidy, seen: str) -> bool:
        here = {"project": clean(item.project), "number": clean(item.name)}
        row = self.find("releases", **here)
        if row is None or is_tombstone(row) or self._deployed_since(item, seen):
            return False
        now = datetime.now(UTC)
        body = tombstone(row["project"], row["number"], now)
        data = {
            "project": row["project"],
            "number": row["number"],
            "created": row["seq"],
            "before": row["sha256"],
            "bytes": len(row["body"].encode()),
            "why": item.why,
            "by": whoami(),
        }
        self._unguarded_update(here, body)
        self.append(Event(type="release_removed", at=now, deployment="", data=data), sha256(body))
        return True

    def _deployed_since(self, item: Tidy, seen: str) -> bool:
        values = {"project": clean(item.project), "release": clean(item.name), "seen": clean(seen)}
        return next(self.connection.rows(_DEPLOYED_SINCE, values), None) is not None

    def _unguarded_update(self, which: Row, body: str) -> None:
        dialect = self.connection.dialect
        of_table = "" if dialect == "sqlite" else " ON releases"
        self.connection.run(f"DROP TRIGGER IF EXISTS releases_no_update{of_table}")
        self.change("releases", which, {"body": body, "sha256": sha256(body)})
        for statement in guards("releases", ("UPDATE",), dialect):
            if statement.startswith("CREATE TRIGGER releases_no_update "):
                self.connection.run(statement)

    def _deployment(self, item: Tidy) -> bool:
        row = self.find("deployments", id=clean(item.name))
        if row is None or row["state"] in {State.RUNNING.value, State.WAITING.value}:
            return False
        before = self._outcomes(row["id"])
        after = [] if item.what == "steps" else [_emptied(outcome) for outcome in before]
        if after == before:
            return False
        bytes_ = max(0, sum(map(_size, before)) - sum(map(_size, after)))
        try:
            was, left = subject_hash(row, before), subject_hash(row, after)
        except UNREADABLE as error:
            raise self.damaged(f"deployment {row['id']!r}", error) from None
        data = {"removed": item.what, "before": was, "bytes": bytes_, "why": item.why, "by": whoami()}
        if item.what == "steps":
            self.remove("outcomes", deployment=row["id"])
        for one in after:
            place = {"deployment": row["id"], "step": one["step"], "target": one["target"]}
            self.change("outcomes", place, {name: one[name] for name in ("log", "inspect", "outputs")})
        event = Event(type="deployment_tidied", at=datetime.now(UTC), deployment=row["id"], data=data)
        self.append(event, left)
        return True

    def _outcomes(self, id_: str) -> list[Row]:
        return list(self.connection.rows(OUTCOMES, {"deployment": id_}))


def _emptied(outcome: Row) -> Row:
    return {**outcome, "log": _REMOVED if outcome["log"] else "", "inspect": "{}", "outputs": "{}"}


def _size(outcome: Row) -> int:
    return sum(len(str(outcome[name]).encode()) for name in ("log", "inspect", "outputs", "why", "script"))


def note_release(row: Row, created: dict[int, str]) -> str:
    """Put the hash of what ``release_removed`` left in place of that in *created*; what is wrong with it."""
    data: Mapping[str, Any] = json.loads(row["data"])
    if created.get(data["created"]) != data["before"]:
        return "it removed a release that was not recorded so"
    created[data["created"]] = row["subject_sha256"]
    return ""


def note_deployment(row: Row, finished: dict[str, tuple[int, str]]) -> str:
    """Put the hash of what ``deployment_tidied`` left in place of the one in *finished*; what is wrong with it."""
    data: Mapping[str, Any] = json.loads(row["data"])
    if finished.get(row["deployment"], (0, ""))[1] != data["before"]:
        return "it took something out of a deployment that had not ended so"
    finished[row["deployment"]] = (row["seq"], row["subject_sha256"])
    return ""
