"""Deployments that wait in their middle, within one transaction."""

from __future__ import annotations

from datetime import UTC, datetime

from octossh.errors import RecordError, Refused
from octossh.model import Deployment, Event, Held, Schedule, State
from octossh.model.serialising import to_dict
from octossh.recording.controllers import controller_here, whoami
from octossh.recording.facts import Facts
from octossh.recording.leases import Lease
from octossh.recording.rows import Row, deployment_row, subject_hash
from octossh.recording.transactions import Transaction

__all__ = ["Pausing"]


class Pausing(Transaction):
    """See `octossh.recording.pauses.Pauses`."""

    def wait(self, deployment: Deployment, waits: Schedule, held: Held | None, lease: Lease) -> None:
        """See `Pauses.wait`."""
        before = self._known(deployment.id)
        self._fence(before, lease)
        if State(before["state"]) is not State.RUNNING:
            raise RecordError(
                f"store {self.where}: deployment {deployment.id!r} is {before['state']}, so it cannot wait any more"
            )
        self._check_fixed(before, row := deployment_row(deployment))
        self._set(row)
        data = {"asks": list(waits.asks), "until": waits.expires_at.isoformat(), "error": row["error"]}
        event = Event(type="deployment_waiting", at=datetime.now(UTC), deployment=deployment.id, data=data)
        self.append(event, subject_hash(row))
        facts = Facts(self.connection, self.where)
        facts.keep("schedule", waits.id, waits, row["error"], ..., told=True)
        if held is not None:
            facts.keep("held", waits.id, held, row["error"], ..., told=False)

    def go_on(self, before: Schedule, after: Schedule, lease: Lease) -> None:
        """See `Pauses.go_on`."""
        known = self._waiting(before.id, lease)
        changes = {"state": State.RUNNING.value, "controller": controller_here(), "error": ""}
        row = {**known, **changes, "token": lease.token}
        self._set(row)
        answers = {name: to_dict(answer) for name, answer in after.approvals.items() if name in before.asks}
        data = {"by": whoami(), "controller": row["controller"], "answers": answers}
        event = Event(type="deployment_continued", at=datetime.now(UTC), deployment=before.id, data=data)
        self.append(event, subject_hash(row))
        self._keep(before, after, "it goes on")

    def end(self, deployment: Deployment, before: Schedule, after: Schedule, lease: Lease) -> None:
        """See `Pauses.end_waiting`."""
        self._waiting(before.id, lease)
        self.finish(deployment, lease)
        self._keep(before, after, deployment.error)

    def _waiting(self, id: str, lease: Lease) -> Row:  # noqa: A002 - the field's name
        known = self._known(id)
        self._check_lease(known["project"], known["environment"], lease)
        if State(known["state"]) is not State.WAITING:
            raise Refused(f"deployment {id} is {known['state']}, and waits no more; somebody else was faster")
        return known

    def _keep(self, before: Schedule, after: Schedule, why: str) -> None:
        facts = Facts(self.connection, self.where)
        facts.keep("schedule", before.id, after, why, before, told=True)
        if facts.kept_one("held", before.id, Held) is not None:
            facts.drop("held", before.id, why, ..., told=False)
