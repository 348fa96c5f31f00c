"""What is read and written within one transaction of a store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import attrs

from octossh.errors import ModelError, RecordError, Refused, did_you_mean
from octossh.model import Deployment, Event, Mode, Outcome, Release, State
from octossh.model.numbering import COUNTER
from octossh.recording.controllers import alive
from octossh.recording.leases import Lease, in_the_way
from octossh.recording.leasing import Leasing
from octossh.recording.rows import (
    TOMBSTONE,
    Row,
    clean,
    deployment_of,
    deployment_row,
    event_of,
    is_tombstone,
    outcome_of,
    outcome_row,
    release_of,
    release_row,
    subject_hash,
)
from octossh.recording.statements import among, chunks, literally, read, where
from octossh.recording.tidying import TIDIED
from octossh.recording.working import UNREADABLE, Work

__all__ = ["Transaction"]

_OPEN = (State.RUNNING, State.INTERRUPTED)
_UNENDED = (State.RUNNING, State.WAITING)
_FIXED = ("project", "release", "environment", "mode", "started_at", "by")
_OWN = {
    "release_created",
    "release_imported",
    "deployment_started",
    "deployment_finished",
    "deployment_settled",
    "deployment_waiting",
    "deployment_continued",
    "fact_kept",
    "fact_dropped",
    "lease_taken_over",
    "side_file_taken_in",
    "late_record",
    *TIDIED,
}
_STANDS = f"""
    SELECT release FROM deployments
    WHERE project = :project AND environment = :environment AND state = '{State.SUCCEEDED.value}'
        AND mode <> '{Mode.PRUNE.value}'
    ORDER BY seq DESC LIMIT 1
"""  # noqa: S608


class Transaction(Work):
    """Releases, deployments and events within one transaction."""

    fenced = True
    _under_way: tuple[str, Lease | None, Row] | None = None

    # Releases

    def create_release(self, project: str, mask: str, make: Callable[[str], Release], number: str | None) -> Release:
        """See `Store.create_release`."""
        number = self._next_number(project, mask) if number is None else number
        if self._release_row(project, number) is not None:
            raise RecordError(
                f"store {self.where}: {project!r} has a release {number!r} already, and a release never "
                "changes; choose another number, or leave it out"
            )
        release = make(number)
        if (release.project, release.number) != (project, number):
            raise ModelError(
                f"release {number!r} of {project!r} was made as {release.number!r} of {release.project!r}; "
                "make it with the number that it is given"
            )
        self._insert(release, Event(type="release_created", at=release.created_at, deployment="", data=_about(release)))
        return release

    def import_release(self, release: Release, by: str) -> None:
        """See `Store.import_release`."""
        if (there := self._release_row(release.project, release.number)) is not None:
            if is_tombstone(there):
                raise RecordError(
                    f"store {self.where}: {release.project!r} had a release {release.number!r}, which was removed; "
                    "one number is one release"
                )
            same = attrs.evolve(release_of(there, self.where), imported="") == attrs.evolve(release, imported="")
            what = ", and it is the one in the file; there is nothing to do" if same else "; one number is one release"
            raise RecordError(f"store {self.where}: {release.project!r} has a release {release.number!r} already{what}")
        data = {**_about(release), "imported": release.imported, "imported_by": by}
        self._insert(release, Event(type="release_imported", at=datetime.now(UTC), deployment="", data=data))

    def _insert(self, release: Release, event: Event) -> None:
        row = release_row(release)
        self.insert("releases", {**row, "seq": self.append(event, row["sha256"])})

    def release(self, project: str, number: str) -> Release:
        """See `Store.release`."""
        row = self._release_row(project, number)
        if row is None:
            raise ModelError(
                f"project {project!r} has no release {number!r} in {self.where}; "
                f"{did_you_mean(number, self._numbers(project))}"
            )
        return release_of(row, self.where)

    def releases(self, project: str, limit: int | None) -> tuple[Release, ...]:
        """See `Store.releases`."""
        query = f"{read('releases')} WHERE project = :project AND body NOT LIKE :removed ORDER BY seq DESC"
        most, number = _at_most(limit)
        values = {"project": clean(project), "removed": f"{TOMBSTONE}%", **number}
        return tuple(release_of(row, self.where) for row in self.connection.rows(f"{query}{most}", values))

    def _release_row(self, project: str, number: str) -> Row | None:
        return self.find("releases", project=clean(project), number=clean(number))

    def _numbers(self, project: str, front: str = "") -> Iterator[str]:
        """The numbers of releases of *project*, of those that begin with *front*."""
        query = "SELECT number FROM releases WHERE project = :project AND number LIKE :like ESCAPE '/'"
        values = {"project": clean(project), "like": f"{literally(front)}%"}
        return (row["number"] for row in self.connection.rows(query, values))

    def _next_number(self, project: str, mask: str) -> str:
        parts = COUNTER.split(mask)
        if len(parts) != 2:
            raise ModelError(f"release number {mask!r}: write a mask such as '0.0.i'; i counts up")
        front, back = parts
        counted = re.compile(f"{re.escape(front)}([0-9]{{1,18}}){re.escape(back)}")
        taken = map(counted.fullmatch, self._numbers(project, front))
        return f"{front}{1 + max((int(found[1]) for found in taken if found), default=0)}{back}"

    # Deployments

    def start(self, deployment: Deployment, lease: Lease | None) -> None:
        """See `Store.start`."""
        if lease is not None:
            self._check_lease(deployment.project, deployment.environment, lease)
        if self._deployment_row(deployment.id) is not None:
            raise RecordError(
                f"store {self.where}: there is a deployment {deployment.id!r} already; give each one an id of its own"
            )
        self._see_waiting(deployment)
        release = self._release_row(deployment.project, deployment.release)
        if release is not None and is_tombstone(release) and deployment.mode is not Mode.PRUNE:
            raise RecordError(
                f"store {self.where}: release {deployment.release!r} of {deployment.project!r} was removed meanwhile; "
                "take another one"
            )
        row = deployment_row(deployment)
        names = ("project", "release", "environment", "mode", "by", "controller")
        event = Event(
            type="deployment_started",
            at=deployment.started_at,
            deployment=deployment.id,
            data={
                **{name: row[name] for name in names},
                "before": self._stands(row),
                "after": row["release"],
                "why": clean(deployment.options.why or deployment.options.override_freeze),
            },
        )
        # The row comes first, since the event refers to it; its number is the one that the event will get.
        token = None if lease is None else lease.token
        self.insert("deployments", {**row, "seq": self.tip()[0] + 1, "token": token})
        self.append(event, subject_hash(row))

    def _see_waiting(self, deployment: Deployment) -> None:
        if (row := self._waits(deployment.project, deployment.environment)) is not None:
            raise Refused(in_the_way(deployment_of(row, ())))

    def waiting(self, project: str, environment: str) -> Deployment | None:
        """See `Pauses.waiting`."""
        row = self._waits(project, environment)
        return None if row is None else next(iter(self.filled([row])))

    def _waits(self, project: str, environment: str) -> Row | None:
        place = {"project": clean(project), "environment": clean(environment)}
        return self.find("deployments", **place, state=State.WAITING.value)

    def _stands(self, row: Row) -> str | None:
        """The release that succeeded last where the deployment *row* goes."""
        place = {name: row[name] for name in ("project", "environment")}
        found = next(self.connection.rows(_STANDS, place), None)
        return None if found is None else str(found["release"])

    def record(self, event: Event, outcome: Outcome | None, lease: Lease | None) -> None:
        """See `Store.record`."""
        known = self._may_record(event.deployment, lease) if event.deployment or outcome is not None else None
        if event.type in _OWN:
            raise ModelError(f"the event {event.type!r} is the store's own; record it under another name")
        if outcome is None:
            self.append(event, "")
            return
        if known is None or State(known["state"]) is not State.RUNNING:
            raise RecordError(
                f"store {self.where}: deployment {event.deployment!r} has ended, so {outcome.step!r} on "
                f"{outcome.target!r} cannot end any more; start a new deployment"
            )
        row = outcome_row(event.deployment, 0, outcome)
        self.remove("outcomes", **{name: row[name] for name in ("deployment", "step", "target")})
        # The number of its event comes after those of all before it.
        self.insert("outcomes", {**row, "position": self.append(event, subject_hash(row))})

    def finish(self, deployment: Deployment, lease: Lease | None) -> None:
        """See `Store.finish`."""
        before = self._known(deployment.id)
        self._fence(before, lease)
        row = deployment_row(deployment)
        again = State(before["state"]) not in _UNENDED
        if again and not self._settles(before, deployment):
            raise RecordError(
                f"store {self.where}: deployment {deployment.id!r} has ended already, as {before['state']}; "
                "that stays as it is"
            )
        self._check_fixed(before, row)
        ended = [outcome_row(deployment.id, place, item) for place, item in enumerate(deployment.outcomes)]
        event = Event(
            type="deployment_settled" if again else "deployment_finished",
            at=datetime.now(UTC) if again else deployment.finished_at or datetime.now(UTC),
            deployment=deployment.id,
            data={"state": row["state"], "error": row["error"], "hosts": deployment.hosts.value},
        )
        self._set(row)
        self.remove("outcomes", deployment=row["id"])
        self.insert_all("outcomes", ended)
        self.append(event, subject_hash(row, ended))

    def _set(self, row: Row) -> None:
        self._under_way = None
        self.change("deployments", {"id": row["id"]}, row)

    def _check_fixed(self, before: Row, row: Row) -> None:
        if other := [name for name in _FIXED if row[name] != before[name]]:
            raise ModelError(
                f"deployment {row['id']!r} was started with {other[0]} {before[other[0]]!r}, and cannot "
                f"end with {row[other[0]]!r}; finish it as it was started"
            )

    def _settles(self, before: Row, deployment: Deployment) -> bool:
        """Whether *deployment* tells what was unknown when it ended, and leaves the rest as it was."""
        old = next(iter(self.filled([before]))).outcomes
        kept = [outcome for outcome in old if outcome.state is not State.UNKNOWN]
        return len(kept) < len(old) and all(deployment.outcome(was.step, was.target) == was for was in kept)

    def deployment(self, id: str) -> Deployment:  # noqa: A002 - the field's name
        """See `Store.deployment`."""
        return next(iter(self.filled([self._known(id)])))

    def deployments(
        self,
        project: str | None,
        environment: str | None,
        release: str | None,
        state: State | None,
        limit: int | None,
        *,
        outcomes: bool = True,
    ) -> tuple[Deployment, ...]:
        """See `Store.deployments`."""
        wanted = {"project": project, "environment": environment, "release": release}
        values = {name: clean(value) for name, value in wanted.items() if value is not None}
        conditions, (most, number) = [f"{name} = :{name}" for name in values], _at_most(limit)
        if state in _OPEN:
            # Whether one that was never finished still runs does not stand in the store.
            conditions.append(among("state", (open_.value for open_ in _OPEN), values))
            rows = [row for row in self._newest(conditions, values, "") if self._state(row) is state][:limit]
        else:
            if state is not None:
                conditions, values = [*conditions, "state = :state"], {**values, "state": state.value}
            rows = list(self._newest(conditions, {**values, **number}, most))
        return tuple(self.filled(rows, outcomes=outcomes))

    def _newest(self, conditions: Sequence[str], values: Row, most: str) -> Iterator[Row]:
        query = f"{read('deployments')}{where(conditions)} ORDER BY seq DESC{most}"
        return self.connection.rows(query, values)

    def filled(self, rows: Sequence[Row], *, outcomes: bool = True) -> Iterator[Deployment]:
        """The deployments of *rows*, with their outcomes or without."""
        for chunk in chunks(rows):
            found: dict[str, list[Row]] = {row["id"]: [] for row in chunk}
            query, of = f"{read('outcomes')} WHERE", tuple(found) if outcomes else ()
            for row in self.rows_among(query, "deployment", of, "ORDER BY position"):
                found[row["deployment"]].append(row)
            for row in chunk:
                try:
                    shown = {**row, "state": self._state(row).value}
                    yield deployment_of(shown, map(outcome_of, found[row["id"]]))
                except UNREADABLE as error:
                    raise self.damaged(f"deployment {row['id']!r}", error) from None

    def _state(self, row: Row) -> State:
        """How a deployment stands, if one that stands as running is seen to have no process or no lease any more."""
        state = State(row["state"])
        if state is not State.RUNNING:
            return state
        lives = alive(row["controller"])
        if lives is not False and row["token"] is not None:
            lives = Leasing(self.connection, self.where).lives(row["project"], row["environment"], row["token"], lives)
        return State.INTERRUPTED if lives is False else state

    def _may_record(self, id: str, lease: Lease | None) -> Row:  # noqa: A002 - the field's name
        """The row of a deployment about which *lease* may record. Looked up once: nobody else writes meanwhile."""
        if self._under_way is None or self._under_way[:2] != (id, lease):
            known = self._known(id)
            self._fence(known, lease)
            self._under_way = id, lease, known
        return self._under_way[2]

    def _fence(self, known: Row, lease: Lease | None) -> None:
        """Raise if whoever runs the deployment *known*, or writes under *lease*, has been overtaken."""
        if not self.fenced or State(known["state"]) not in _UNENDED:
            return
        if lease is not None:
            self._check_lease(known["project"], known["environment"], lease)
        elif known["token"] is not None:
            Leasing(self.connection, self.where).check(known["project"], known["environment"], known["token"])

    def _check_lease(self, project: str, environment: str, lease: Lease) -> None:
        if (clean(project), clean(environment)) != (lease.project, lease.environment):
            raise ModelError(
                f"a lease to deploy {lease.project!r} to {lease.environment!r} is none for {project!r} to "
                f"{environment!r}; take another one"
            )
        Leasing(self.connection, self.where).check(lease.project, lease.environment, lease.token)

    def _known(self, id: str) -> Row:  # noqa: A002 - the field's name
        row = self._deployment_row(id)
        if row is not None:
            return row
        newest = self.connection.rows("SELECT id FROM deployments ORDER BY seq DESC LIMIT 1000")
        near = did_you_mean(id, (row["id"] for row in newest))
        raise ModelError(f"there is no deployment {id!r} in {self.where}; {near}")

    def _deployment_row(self, id: str) -> Row | None:  # noqa: A002 - the field's name
        return self.find("deployments", id=clean(id))

    # Events

    def events(self, deployment: str | None) -> tuple[Event, ...]:
        """See `Store.events`."""
        values = {} if deployment is None else {"deployment": self._known(deployment)["id"]}
        of_it = where([f"{name} = :{name}" for name in values])
        made = []
        for row in self.connection.rows(f"{read('events')}{of_it} ORDER BY seq", values):
            try:
                made.append(event_of(row))
            except UNREADABLE as error:
                raise self.damaged(f"event {row['seq']}", error) from None
        return tuple(made)


def _at_most(limit: int | None) -> tuple[str, Row]:
    """What ends a statement that finds so many rows, and the value in it."""
    if limit is None:
        return "", {}
    if limit < 0:
        raise ModelError(f"limit {limit} is below zero; use None for all")
    return " LIMIT :limit", {"limit": int(limit)}


def _about(release: Release) -> dict[str, str]:
    return {
        "project": release.project,
        "number": release.number,
        "channel": release.channel,
        "by": release.created_by,
    }
