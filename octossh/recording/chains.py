"""Walking the audit chain, and comparing what it says with what stands in the other tables."""

from __future__ import annotations

import json
from collections.abc import Iterator

from octossh.recording.rows import GENESIS, Row, event_hash, release_fault, sha256, subject_hash
from octossh.recording.statements import OUTCOMES, Connection, read, select
from octossh.recording.tidying import note_deployment, note_release
from octossh.recording.verification import Verification
from octossh.recording.working import UNREADABLE

__all__ = ["verify"]


def verify(connection: Connection) -> Verification:
    """Look over the whole chain, and over each release, deployment and outcome that it speaks of."""
    walk = _Walk(connection)
    count, seq, reason = walk.chain()
    if not reason:
        found = sorted((*walk.releases(), *walk.deployments(), *walk.facts()), key=lambda fault: fault[0])
        seq, reason = found[0] if found else (0, "")
    return Verification(events=count, broken=seq if reason else None, reason=reason, head=walk.head)


class _Walk:
    """One pass; it remembers for each thing the last event that speaks of it: (seq, sha256)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.head = GENESIS
        self._created: dict[int, str] = {}
        self._started: dict[str, tuple[int, str]] = {}
        self._ended: dict[str, dict[tuple[str, str], tuple[int, str]]] = {}
        self._finished: dict[str, tuple[int, str]] = {}
        self._kept: dict[tuple[str, str], tuple[int, str]] = {}

    def chain(self) -> tuple[int, int, str]:
        """The number of events, and the first one that does not fit, with the reason."""
        count, broken, reason = 0, 0, ""
        for row in self._rows(f"{read('events')} ORDER BY seq"):
            count += 1
            if reason:
                continue
            reason = self._fault(row, count)
            if reason:
                broken = row["seq"] if isinstance(row["seq"], int) else count
            else:
                self.head = row["hash"]
                reason = self._note(row)
                broken = row["seq"] if reason else 0
        return count, broken, reason

    def _fault(self, row: Row, place: int) -> str:
        moved = self._moved(row, place)
        if row["seq"] != place:
            return moved or f"the events before it are gone: here should be event {place}"
        if row["prev_hash"] != self.head:
            return moved or "it does not follow the event before it, so one of the two was replaced"
        try:
            made = event_hash(row)
        except UNREADABLE:
            made = ""
        return "" if made == row["hash"] else "it is not what was recorded"

    def _moved(self, row: Row, place: int) -> str:
        """Where the event that should stand at *place* stands now; empty if it was not merely moved."""
        if row["seq"] == place and row["prev_hash"] == self.head:
            return ""
        belongs = next(self._connection.rows(select("events", ("prev_hash",)), {"of_prev_hash": self.head}), None)
        try:
            same = belongs is not None and event_hash({**belongs, "seq": place}) == belongs["hash"]
        except UNREADABLE:
            same = False
        if belongs is None or not same:
            return ""
        return f"the events were put into another order: event {place} stands as {belongs['seq']}"

    def _note(self, row: Row) -> str:
        """Remember what it says; what is wrong with that, where it speaks of an earlier event."""
        if row["type"] == "release_removed" and not row["deployment"]:
            return note_release(row, self._created)
        if row["type"] == "deployment_tidied":
            return note_deployment(row, self._finished)
        key, about = row["deployment"] or "", (row["seq"], row["subject_sha256"])
        if row["type"] in {"release_created", "release_imported"} and not key:
            self._created[row["seq"]] = row["subject_sha256"]
        elif row["type"] in {"fact_kept", "fact_dropped"} and not key:
            data = json.loads(row["data"])
            self._kept.pop((data["kind"], data["key"]), None)
            if row["subject_sha256"]:
                self._kept[data["kind"], data["key"]] = about
        elif row["type"] == "deployment_started" and row["subject_sha256"]:
            self._started[key] = about
        elif row["type"] in {"deployment_waiting", "deployment_continued"} and key in self._started:
            # The row is another from then on; the event that brought it stays the first one.
            self._started[key] = self._started[key][0], row["subject_sha256"]
        elif row["type"] in {"deployment_finished", "deployment_settled"} and row["subject_sha256"]:
            self._finished[key] = about
            self._ended.pop(key, None)
        elif row["subject_sha256"]:
            self._ended.setdefault(key, {})[row["step"], row["target"]] = about
        return ""

    def releases(self) -> Iterator[tuple[int, str]]:
        """The releases that are not what was recorded: the event, and the reason."""
        left = dict(self._created)
        for row in self._rows(read("releases")):
            name = f"release {row['number']!r} of {row['project']!r}"
            if left.pop(row["seq"], None) != row["sha256"]:
                yield row["seq"], f"{name} is not the one that this event recorded"
            elif fault := release_fault(row):
                yield row["seq"], f"{name}: {fault}"
        yield from ((seq, "the release that this event recorded is gone") for seq in left)

    def deployments(self) -> Iterator[tuple[int, str]]:
        """The deployments and outcomes that are not what was recorded: the event, and the reason."""
        left = dict(self._started)
        for row in self._rows(read("deployments")):
            name = f"deployment {row['id']!r}"
            seq, begun = left.pop(row["id"], (row["seq"], ""))
            if not begun or seq != row["seq"]:
                yield seq, f"{name} is not the one that this event recorded"
                continue
            ended = self._outcomes(row["id"])
            if row["id"] in self._finished:
                seq, sha256 = self._finished[row["id"]]
                if _hash(row, ended) != sha256:
                    yield seq, f"{name} did not end as it stands there, or an outcome of it was changed"
            elif _hash(row, []) != begun:
                yield seq, f"{name} was not started as it stands there"
            else:
                yield from self._open(row["id"], name, seq, ended)
        yield from ((seq, f"deployment {id_!r} is gone") for id_, (seq, _) in left.items())

    def facts(self) -> Iterator[tuple[int, str]]:
        """The facts that are not what was recorded: the event, and the reason."""
        left = dict(self._kept)
        for row in self._rows(read("facts")):
            name = f"the {row['kind']} {row['key']!r}"
            seq, kept = left.pop((row["kind"], row["key"]), (row["seq"], ""))
            if not kept:
                yield seq, f"{name} stands in the store, and no event says that it is kept"
            elif (row["seq"], row["sha256"]) != (seq, kept) or sha256(str(row["body"])) != kept:
                yield seq, f"{name} is not what this event recorded"
        yield from ((seq, f"the {kind} {key!r} is gone") for (kind, key), (seq, _) in left.items())

    def _open(self, id_: str, name: str, started: int, ended: list[Row]) -> Iterator[tuple[int, str]]:
        """Outcomes of a deployment that has not ended: each stands under its own event."""
        left = dict(self._ended.get(id_, {}))
        for row in ended:
            seq, sha256 = left.pop((row["step"], row["target"]), (started, ""))
            if _hash(row, []) != sha256:
                what = f"the outcome of {row['step']!r} on {row['target']!r}"
                yield seq, f"{name}: {what} is not what was recorded"
        for (step, target), (seq, _) in left.items():
            yield seq, f"{name}: the outcome of {step!r} on {target!r} is gone"

    def _outcomes(self, id_: str) -> list[Row]:
        return list(self._rows(OUTCOMES, {"deployment": id_}))

    def _rows(self, query: str, values: Row | None = None) -> Iterator[Row]:
        return self._connection.rows(query, values, many=True)


def _hash(row: Row, ended: list[Row]) -> str:
    try:
        return subject_hash(row, ended)
    except UNREADABLE:
        return ""
