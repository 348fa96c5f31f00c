"""Where a deployment is put that waits for an approval: in the store, with all that it needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from octossh import deploying, model, recording
from octossh.errors import Refused
from octossh.model import Pairs
from octossh.space.values import KEY

if TYPE_CHECKING:
    from octossh.deploying import Approver, Waited
    from octossh.model import Approval, ApprovalRequest, Deployment, Event, Outcome, Pause, Schedule
    from octossh.recording import Lease, Record, Store
    from octossh.shell import Secret
    from octossh.space.values import Keys

__all__ = ["SCHEDULE", "Continued", "Shelf", "answering"]

SCHEDULE = "schedule"
"""The kind of fact that waits for its time, or for an approval."""

_KEPT = timedelta(days=1)


class Shelf:
    """See `octossh.deploying.Shelf`.

    Args:
        store: Where it is kept.
        lease: Under which the deployment runs.
        keys: Encrypt the secrets.
        given: The answers that were given already.
        leave: Leaves the head of the chain on the hosts that were changed.
        pause: How far one has come that goes on.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        keys: Keys,
        given: Mapping[str, Approval],
        leave: Callable[[Deployment], None],
        pause: Pause | None,
    ) -> None:
        self.pause = pause
        self._store, self._lease, self._keys, self._given, self._leave = store, lease, keys, given, leave

    def check(self, names: Iterable[str]) -> None:
        """See `octossh.deploying.Shelf`."""
        if (name := next(iter(names), None)) is not None and self._keys.seals() is None:
            raise Refused(
                f"the deployment cannot wait for an approval that nobody gives now, since the value of {name!r} is a "
                f"secret that can be had nowhere else, and is not kept in clear: set {KEY} to a key (see 'octossh "
                "values new-key'), name a secret that can be looked up, or have it approved beforehand or meanwhile"
            )

    def put(
        self, deployment: Deployment, waits: Iterable[Waited], pause: Pause, secrets: Mapping[str, Secret]
    ) -> Deployment:
        """See `octossh.deploying.Shelf`."""
        self.check(secrets)
        until, waited = datetime.now(UTC) + _KEPT, tuple(waits)
        waiting = attrs.evolve(deployment, error=deploying.waits_in_words(waited, until))
        before = self._store.kept_one(SCHEDULE, deployment.id, model.Schedule)
        given = {**(before.approvals if before else {}), **self._given}
        made = model.Schedule(
            id=deployment.id,
            project=deployment.project,
            release=deployment.release,
            environment=deployment.environment,
            at=before.at if before else deployment.started_at,
            expires_at=until,
            options=deployment.options,
            asks=tuple(one.step.name for one in waited),
            approvals=Pairs({step: answer for step, answer in given.items() if step not in pause.waits}),
            by=deployment.by,
            created_at=before.created_at if before else deployment.started_at,
            pause=pause,
            mode=before.mode if before else None,
        )
        held = model.Held(secrets=self._keys.close(deployment.id, secrets)) if secrets else None
        self._store.wait(waiting, made, held, lease=self._lease)
        self._leave(waiting)
        return waiting


class Continued:
    """The record of a deployment that waited: it begins by taking it up, which only one can do."""

    def __init__(self, store: Store, lease: Lease, waits: Schedule) -> None:
        self._store, self._lease, self._waits = store, lease, waits
        self._record: Record = store.under(lease)

    def start(self, _deployment: Deployment) -> None:
        """Take it up. Raises as `octossh.recording.Store.go_on` does."""
        after = attrs.evolve(self._waits, state=model.DueState.STARTED, controller=recording.controller_here(), why="")
        self._store.go_on(self._waits, after, lease=self._lease)

    def record(self, event: Event, outcome: Outcome | None = None) -> None:
        """See `Record`."""
        self._record.record(event, outcome)

    def finish(self, deployment: Deployment) -> None:
        """See `Record`."""
        self._record.finish(deployment)


def answering(
    waits: Schedule, asked: Approver | None, *, expired: bool
) -> Callable[[ApprovalRequest], Approval | None]:
    """Who is asked when a deployment goes on: what was answered meanwhile, and then *asked*.

    An answer to what it waited for holds once: the next wave of the same step asks again.
    """
    assert waits.pause is not None
    once = dict.fromkeys(waits.pause.waits)

    def approver(request: ApprovalRequest) -> Approval | None:
        step = request.step
        if step in once:
            del once[step]
            if step not in waits.approvals and expired:
                raise Refused(f"nobody has approved it until {waits.expires_at:%Y-%m-%d %H:%M} UTC")
            if step in waits.approvals:
                return waits.approvals[step]
        elif step in waits.approvals and step not in waits.asks:
            return waits.approvals[step]
        if asked is None or callable(asked):
            return asked(request) if asked is not None else None
        return asked.get(step)

    return approver
