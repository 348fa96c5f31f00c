"""Deployments that wait in their middle: gone on with by any process, or ended without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from octossh import deploying, model, planning, recording
from octossh.errors import ModelError, PlanError, Refused
from octossh.model import Mode, State
from octossh.space.resuming import Resuming
from octossh.space.shelves import SCHEDULE
from octossh.space.undoing import Undoing

if TYPE_CHECKING:
    from octossh.model import Deployment, Schedule
    from octossh.planning import Plan
    from octossh.recording import Lease
    from octossh.shell import Secret

__all__ = ["Continuing"]


class Continuing(Undoing, Resuming):
    """What a space knows of deployments that wait."""

    def _waited(self, id: str) -> tuple[Deployment, Schedule]:  # noqa: A002 - the field's name
        """The deployment of that id, which waits, and for what.

        Raises:
            ModelError: There is none.
            Refused: It does not wait.
        """
        found = self.store.deployment(id)
        if found.state is not State.WAITING:
            raise Refused(f"deployment {id} is {found.state.value}, and waits for nothing")
        waits = self.store.kept_one(SCHEDULE, id, model.Schedule)
        if waits is None or waits.pause is None:
            raise ModelError(f"nothing says how far deployment {id} has come; end it with 'octossh cancel {id}'")
        return found, waits

    def _plan_again(self, found: Deployment, waits: Schedule) -> Plan:
        """The plan of a deployment that waits, as it was when it began.

        Raises:
            Refused: A rule does not let it go on, or it would not do the same any more.
        """
        pause, options = waits.pause, found.options
        assert pause is not None
        release = self.store.release(found.project, found.release)
        if found.mode is not Mode.ROLLBACK:
            self._check_may_enter(release, found.environment)
        self.freezes.check(found.project, found.environment, options.override_freeze)
        if gone := sorted({*pause.targets} & self._away().keys()):
            raise Refused(f"deployment {found.id} cannot go on: {gone[0]} is {self._away()[gone[0]]}")
        said = self._held(found)
        secrets, _ = self._access.of(planning.with_said(release, found.environment, options), found.environment, said)
        # Hosts that have come since are none of its.
        known = {*pause.targets, *pause.skipped, *options.exclude}
        targets = [t for t in self.targets if t.name in known or (options.only and t.name not in options.only)]
        try:
            made = planning.plan(
                release,
                found.environment,
                targets,
                mode=found.mode,
                secrets=secrets,
                templates=self._templates,
                rollout=pause.rollout,
                skip=pause.skipped,
                options=options,
            )
        except (ModelError, PlanError) as error:
            raise Refused(f"deployment {found.id} cannot go on as it began: {error}") from error
        for why in _differences(made, waits):
            raise Refused(f"deployment {found.id} cannot go on as it began: {why}; cancel it, and deploy again")
        return attrs.evolve(made, said=said)

    def _held(self, found: Deployment) -> dict[str, Secret]:
        held = self.store.kept_one("held", found.id, model.Held)
        return self._keys.open(found.id, held.secrets) if held is not None else {}

    def _make_way(self, project: str, environment: str, lease: Lease, *, cancel: bool) -> None:
        """See that nothing waits in *environment*, or *cancel* it.

        Raises:
            Refused: Something does.
        """
        waiting = self.store.waiting(project, environment)
        if waiting is None:
            return
        if not cancel:
            raise Refused(recording.in_the_way(waiting))
        self._end_waiting(waiting, lease, f"cancelled by {recording.whoami()}, to deploy something else")

    def _end_waiting(self, waiting: Deployment, lease: Lease, why: str) -> Deployment:
        """End *waiting* as interrupted; what has run has run."""
        waits = self.store.kept_one(SCHEDULE, waiting.id, model.Schedule)
        ended = deploying.given_up(waiting, waits.pause if waits else None, why)
        if waits is None:
            self.store.finish(ended, lease=lease)
        else:
            after = attrs.evolve(waits, state=model.DueState.CANCELLED, why=why)
            self.store.end_waiting(ended, waits, after, lease=lease)
        return ended


def _differences(made: Plan, waits: Schedule) -> Iterator[str]:
    """Why *made* does not do what was begun."""
    pause = waits.pause
    assert pause is not None
    now = {target.name for target in made.targets}
    yield from (f"{name!r} is no target of it any more" for name in pause.targets if name not in now)
    yield from (
        f"step {step!r} is no step of it any more" for step in pause.waits if step not in deploying.layout(made)
    )
    for step, waves in deploying.layout(made).items():
        if waves != pause.waves.get(step, ()):
            yield f"step {step!r} would go over other hosts, or in another order"
    if made.templates.marks != pause.marks:
        yield "the templates of its scripts are others"
