"""Tidying up the store: what goes, and letting it go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from octossh import planning
from octossh.model import Mode, State
from octossh.space.schedules import Schedules
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Deployment
    from octossh.planning import Tidy, Tidying

__all__ = ["Retention"]


class Retention(Wiring):
    """The verbs of a space that make room in its store."""

    def plan_tidy(
        self, project: str | None = None, *, logs_days: float | None = None, steps_days: float | None = None
    ) -> Tidying:
        """What could go out of the store, and why. Nothing is changed; `tidy` does it.

        Releases go as the lifecycle says (``keep``), and never one that stands somewhere, that a rollback would go to,
        that is scheduled, or that is the newest of its channel. Without a ``keep`` all of them stay.

        Args:
            project: Default: all of them.
            logs_days: Of deployments that ended before so many days, the logs go, the outputs of scripts, and what
                docker told of containers. None: they stay.
            steps_days: Of such deployments, all goes but their line in the history. None: it stays.

        Raises:
            PlanError: Days are no number from 0 on.
        """
        owners = [self.project(project)] if project else list(self.projects.values())
        newest = self.store.deployments(limit=1, outcomes=False)
        items: list[Tidy] = []
        for owner in owners:
            history = self.store.deployments(project=owner.name, limit=None, outcomes=False)
            items += planning.to_tidy(
                owner,
                self.store.releases(owner.name),
                history,
                set(self._needed(history)),
                {} if logs_days is None and steps_days is None else self.store.details(owner.name),
                datetime.now(UTC),
                logs_days=logs_days,
                steps_days=steps_days,
            )
        waiting = {(one.project, one.release) for one in Schedules(self.store)}
        kept = [item for item in items if item.what != "release" or (item.project, item.name) not in waiting]
        return planning.Tidying(items=tuple(kept), seen=newest[0].id if newest else "")

    def tidy(self, plan: Tidying) -> Tidying:
        """Let go what *plan* says; what went is returned.

        Of a release its number stays, of a deployment its line in the history, and all events; one more says what went,
        with the hash that it had, so that `verify` still finds any other change. A release that was deployed since it
        was planned stays.

        Args:
            plan: Made by `plan_tidy`.
        """
        return attrs.evolve(plan, items=self.store.tidy(plan.items, seen=plan.seen))

    def _needed(self, history: Sequence[Deployment]) -> Iterator[str]:
        """The ids of the deployments that made what now stands on hosts."""
        passed = [d for d in history if d.state is State.SUCCEEDED and d.mode is not Mode.PRUNE]
        for environment in dict.fromkeys(d.environment for d in passed):
            here = (d.id for d in passed if d.environment == environment)
            yield from planning.needed_by_drift(map(self.store.deployment, here))
