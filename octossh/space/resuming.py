"""Deployments that have lost their process, or a host: their record is made whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from octossh import deploying, model
from octossh.errors import ModelError, OctosshError, Refused
from octossh.model import State
from octossh.shell import MASK
from octossh.space.leasing import held
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Deployment, Release
    from octossh.recording import Lease
    from octossh.shell import Secret

__all__ = ["Resuming"]

_log = logging.getLogger("octossh")

_LOOK_BACK = 100


class Resuming(Wiring):
    """The verb of a space that takes up what was left."""

    def resume(self, id: str | None = None) -> Deployment:  # noqa: A002 - the field's name
        """Find out how a deployment ended that has lost its process, or some host, and record it.

        On its hosts, what had begun has gone on by itself: a step that still runs there is waited for. Nothing more
        is started; deploying the same release again does the rest. `deploy` asks by itself after what a process that
        has gone left in the same environment.

        Args:
            id: Of the deployment. None: the newest one that has something to find out.

        Returns:
            The deployment as it is recorded now. What no host could tell is still ``unknown``.

        Raises:
            ModelError: There is none, or nothing to find out.
            Refused: It still runs, or another one of that project does in that environment.
            RecordError: The record cannot be read or written.

        Hosts:
            as the deployment says.
        """
        found = self._unsettled() if id is None else self.store.deployment(id)
        if found is None:
            raise ModelError("every deployment has an end, and nothing in it is unknown; there is nothing to resume")
        if found.state is State.RUNNING:
            raise Refused(f"deployment {found.id} is running, by {found.by} ({found.controller}); wait for its end")
        if found.state is State.WAITING:
            raise Refused(
                f"deployment {found.id} has not ended: {found.error}; 'octossh run-due' goes on once it has it"
            )
        if not _open(found):
            raise ModelError(
                f"of deployment {found.id} everything is known; 'octossh history --log {found.id}' shows it"
            )
        with held(self.store, found.project, found.environment) as lease:
            return self._settle(found, lease)

    def _unsettled(self) -> Deployment | None:
        return next((deployment for deployment in self.store.deployments(limit=_LOOK_BACK) if _open(deployment)), None)

    def _settle(self, left: Deployment, lease: Lease) -> Deployment:
        release = self.store.release(left.project, left.release)
        events = self.store.events(left.id)
        ended = deploying.settle(
            left, release, self.targets, events, self._transport, self._to_mask(left, release), self.on_event,
            self.store.mark,
        )  # fmt: skip
        self.store.finish(ended, lease=lease)
        return ended

    def _to_mask(self, left: Deployment, release: Release) -> Mapping[str, Secret] | None:
        """The secrets that its steps may say; None where they are not known any more."""
        # What a step has given out as a secret, and what was said as one, is known to the process that has gone.
        given = any(value == MASK for outcome in left.outcomes for value in outcome.outputs.values())
        if given or any(isinstance(value, model.SecretRef) for value in left.options.variables.values()):
            return None
        try:
            return self._access.of(release, left.environment)[0]
        except OctosshError:
            return None

    def _settle_left(self, lease: Lease) -> None:
        """Make whole what a process that has gone left where *lease* is now in force."""
        open_ = self.store.deployments(
            project=lease.project, environment=lease.environment, state=State.INTERRUPTED, limit=None
        )
        for left in open_:
            if left.finished_at is None:
                _log.warning("deployment %s has lost its process; asking the hosts how it ended", left.id)
                self._settle(left, lease)


def _open(deployment: Deployment) -> bool:
    if deployment.finished_at is None:
        return deployment.state is State.INTERRUPTED
    return any(outcome.state is State.UNKNOWN for outcome in deployment.outcomes)
