"""Putting changed hosts back to what stood there before, when a deployment has failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from octossh import model
from octossh.errors import Hosts, OctosshError, PlanError, RecordError
from octossh.model import CONTROLLER, Deployment, Mode, State
from octossh.space.plans import Plans

if TYPE_CHECKING:
    from octossh.errors import DeployFailed
    from octossh.model import Approval, ApprovalRequest
    from octossh.planning import Plan

__all__ = ["Undoing", "tell"]

_log = logging.getLogger("octossh")

Apply = Callable[["Plan", Deployment, Callable[["ApprovalRequest"], "Approval"]], Deployment]
"""Applies a plan as a deployment; it raises nothing when that does not succeed."""


class Undoing(Plans):
    """What a space does by itself after a deployment that failed, where its rollout says ``rollback``."""

    def _undone(self, plan: Plan, failed: Deployment, apply: Apply) -> tuple[Deployment | None, str]:
        """Put back the hosts that *failed* has changed: the deployment that did, and what came of it in words."""
        if plan.rollout.on_failure != "rollback" or failed.state is not State.FAILED or plan.options.undoes:
            return None, ""
        changed = tuple(
            dict.fromkeys(
                outcome.target
                for outcome in failed.outcomes
                if (outcome.changed or outcome.state is State.UNKNOWN) and outcome.target != CONTROLLER.name
            )
        )
        if not changed:
            return None, ""
        try:
            made = self._undoing(plan, failed, changed)
            # The hosts that were not changed have it still.
            deployment = attrs.evolve(self._deployment(made), left_out=())
            data = {"deployment": deployment.id, "release": deployment.release, "hosts": list(changed)}
            self._told("rollback_started", failed, data)
            ended = apply(made, deployment, _approved(failed))
        except OctosshError as error:
            return None, f"{', '.join(changed)} could not be put back to what stood there before: {error}"
        said = {"deployment": ended.id, "state": ended.state.value, "error": ended.error}
        try:
            self._told("rollback_finished", failed, said)
        except RecordError as error:
            _log.warning("that deployment %s has put hosts back could not be recorded: %s", ended.id, error)
        if ended.ok:
            return ended, f"{', '.join(changed)} went back to {ended.release} by deployment {ended.id}"
        return ended, f"the rollback to {ended.release} by deployment {ended.id} failed, too: {ended.error}"

    def _undoing(self, plan: Plan, failed: Deployment, changed: tuple[str, ...]) -> Plan:
        """The plan that puts *changed* back.

        Raises:
            PlanError: Nothing else stood there before.
        """
        stood = self._stands(failed.project, failed.environment)
        if stood is None or stood.release == failed.release:
            why = "no release stood there before" if stood is None else f"it was {stood.release} itself"
            raise PlanError(f"{why}; deploy a release by number")
        release = self.release(failed.project, stood.release)
        why = plan.options.override_freeze or f"it undoes {failed.id}"
        made = self._plan(
            release, failed.environment, {"only": changed, "override_freeze": why}, look=False, mode=Mode.ROLLBACK
        )
        # Each host for itself: one that cannot be put back keeps no other one from it.
        before = plan.rollout
        rollout = model.Rollout(
            on_failure="continue", parallel=before.parallel, per_gateway=before.per_gateway, grace_s=before.grace_s
        )
        return attrs.evolve(made, rollout=rollout, options=attrs.evolve(made.options, undoes=failed.id))


def _approved(failed: Deployment) -> Callable[[ApprovalRequest], Approval]:
    """Whoever lets hosts be put back by themselves has approved that by it."""
    return lambda request: model.Approval(True, by=request.by, notes=f"it undoes {failed.id} by itself")


def tell(error: DeployFailed, undone: Deployment | None, said: str) -> None:
    """Let *error* say what came of putting hosts back."""
    if not said:
        return
    error.rollback = undone
    error.args = (f"{error}\n{said}", *error.args[1:])
    error.add_note(said)
    if undone is not None and undone.hosts is Hosts.UNKNOWN:
        error.hosts = Hosts.UNKNOWN
