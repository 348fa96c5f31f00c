"""Records: what stands where, what happened, and whether the record still holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from octossh import model
from octossh.errors import ModelError
from octossh.model import State
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Deployment, History, Sighting, Standing, Status

__all__ = ["Records"]


def _standing(
    project: str,
    environment: str,
    latest: Sequence[Deployment],
    sighting: Sighting | None,
) -> Standing:
    made = model.Standing(project=project, environment=environment)
    if not latest:
        return made
    newest = latest[0]
    stands = next((deployment for deployment in latest if deployment.state is State.SUCCEEDED), None)
    made = attrs.evolve(made, last=newest.state, last_release=newest.release)
    if newest.state is State.RUNNING:
        made = attrs.evolve(made, running=newest.id)
    if newest.state is State.WAITING:
        made = attrs.evolve(made, waiting=newest.id)
    if stands is None:
        return made
    made = attrs.evolve(made, release=stands.release, since=stands.finished_at, by=stands.by)
    if newest.id != stands.id and newest.state is not State.RUNNING:
        how = "has begun, and waits," if newest.state is State.WAITING else newest.state.value
        why = f"{newest.release} {how} after it"
        return attrs.evolve(made, seen="unknown", seen_at=newest.finished_at, seen_why=why)
    if sighting is not None and sighting.deployment == stands.id:
        return attrs.evolve(made, seen=sighting.seen, seen_at=sighting.at, seen_why=sighting.why)
    # A deployment succeeds only once all that it started runs and is healthy.
    return attrs.evolve(made, seen="healthy", seen_at=stands.finished_at)


class Records(Wiring):
    """The verbs of a space that look."""

    def history(
        self,
        project: str | None = None,
        *,
        environment: str | None = None,
        limit: int | None = 50,
        outcomes: bool = True,
    ) -> History:
        """The deployments of a project, or of all; newest first.

        Args:
            project: Only of this one.
            environment: Only to this one.
            limit: How many at most; None: all.
            outcomes: With what each step did on each host, and its log: that can be a lot.
        """
        name = self.project(project).name if project else None
        if environment is not None:
            self._catalog.environment(environment)
        return model.History(
            self.store.deployments(project=name, environment=environment, limit=limit, outcomes=outcomes)
        )

    def deployment(self, id: str = "latest") -> Deployment:  # noqa: A002 - the field's name
        """One deployment with all its outcomes and logs: by its id, or the newest one.

        Raises:
            ModelError: There is none.
        """
        if id != "latest":
            return self.store.deployment(id)
        newest = self.store.deployments(limit=1)
        if not newest:
            raise ModelError("nothing has been deployed yet, so there is no deployment to show")
        return newest[0]

    def status(self, project: str | None = None) -> Status:
        """What stands where and who put it there, how it was last seen, and what is being deployed now.

        It is what the record has; `drift` looks at the hosts, and what it sees stands here afterwards.
        """
        owners = [self.project(project)] if project else list(self.projects.values())
        known: dict[tuple[str, str], list[Deployment]] = {}
        for deployment in self.store.latest(project):
            known.setdefault((deployment.project, deployment.environment), []).append(deployment)
        sightings = self.store.kept("sighting", model.Sighting)
        return model.Status(
            tuple(
                _standing(owner.name, name, known.get((owner.name, name), []), sightings.get(f"{owner.name}/{name}"))
                for owner in owners
                for name in self._places(owner)
            )
        )
