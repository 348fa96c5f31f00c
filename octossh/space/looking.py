"""Looking: what runs on hosts against what was deployed to them, and where an image runs."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from octossh import deploying, model, planning
from octossh.errors import OctosshError
from octossh.model import Mode, State
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Deployment, Deviation, Drift, Drifts, Project, Runner, Whereabouts
    from octossh.planning import Left, Sought

__all__ = ["Looking"]

_log = logging.getLogger("octossh")

# How many deployments back the one is sought that put a thing there.
_LOOK_BACK = 10


class Looking(Wiring):
    """The verbs of a space that compare hosts with the record."""

    def drift(self, project: str | None = None, environment: str | None = None) -> Drifts:
        """Hold what is on the hosts against what was deployed there last: images, settings, and what is gone or extra.

        Each host is asked one question for each project and environment that it stands in. What was found is kept
        for `status`. A host that cannot be looked at is in what comes back, and no error.

        Args:
            project: Only of this one.
            environment: Only there.

        Raises:
            ModelError: There is no such project or environment.

        Hosts:
            untouched.
        """
        if environment is not None:
            self._catalog.environment(environment)
        owners = [self.project(project)] if project else list(self.projects.values())
        places = [(owner, name) for owner in owners for name in self._places(owner) if environment in {None, name}]
        found = [self._drift(owner, name) for owner, name in places]
        made = model.Drifts(tuple(drift for drift in found if drift is not None))
        for drift in made:
            self._remember(drift)
        return made

    def _remember(self, drift: Drift) -> None:
        """Keep how the hosts were seen, where that is another than before: `status` shows it."""
        key, now = f"{drift.project}/{drift.environment}", drift.sighting
        try:
            before = self.store.kept_one("sighting", key, model.Sighting)
            known = before is not None and before.deployment == drift.deployment
            same = now is None or (before is not None and attrs.evolve(now, at=before.at) == before)
            # That it is healthy is what its deployment said already.
            if now is None or same or (now.seen == "healthy" and not known):
                return
            self.store.keep("sighting", key, now, why=drift.verdict)
        except OctosshError as error:
            _log.warning("what was seen could not be recorded, so status does not show it: %s", error)

    def _succeeded(self, project: str, environment: str) -> Iterator[Deployment]:
        """The deployments that succeeded there, newest first, each with its outcomes once it is asked for."""
        known = self.store.deployments(
            project=project, environment=environment, state=State.SUCCEEDED, limit=_LOOK_BACK, outcomes=False
        )
        return (self.store.deployment(d.id) for d in known if d.mode is not Mode.PRUNE)

    def _drift(self, owner: Project, environment: str) -> Drift | None:
        past = self._succeeded(owner.name, environment)
        newest = next(past, None)
        if newest is None:
            return None
        release = self.release(owner.name, newest.release)
        legacy = planning.left_by(release, itertools.chain([newest], past), functools.cache(self.store.release))
        targets = [target for target in self.targets if environment in target.environments]
        # Of a file with a secret no digest may go anywhere, so that it cannot be compared here.
        items = [item for item in legacy.left if not item.holds_secret]
        left = {target.name: [item for item in items if item.target == target.name] for target in targets}
        names = {target: [(item.kind, item.name) for item in items] for target, items in left.items()}
        made = model.Drift(project=owner.name, environment=environment, release=newest.release, deployment=newest.id)
        notes = [*self._since(newest), *(_secret_note(item) for item in legacy.left if item.holds_secret)]
        found: list[Deviation] = []
        for name, seen in deploying.look_again(owner.name, environment, names, targets, self._transport).items():
            if isinstance(seen, OctosshError):
                made = attrs.evolve(made, unseen=(*made.unseen, (name, str(seen))))
                continue
            unknown = {step for step, target in legacy.unknown if target == name}
            differs, more = planning.deviations(left[name], seen, unknown)
            found += differs
            notes += more
            made = attrs.evolve(made, looked_at=made.looked_at or seen.observed_at)
        return attrs.evolve(made, deviations=tuple(found), notes=tuple(notes))

    def _since(self, newest: Deployment) -> list[str]:
        """What happened in an environment since *newest* succeeded there."""
        (last,) = self.store.deployments(
            project=newest.project, environment=newest.environment, limit=1, outcomes=False
        )
        if last.id == newest.id or last.mode is Mode.PRUNE:
            return []
        now = {State.RUNNING: "is running now", State.WAITING: "has begun, and waits for an approval"}
        how = now.get(last.state, f"has {last.state.value} since")
        return [f"deployment {last.id} of release {last.release} {how}; what it changed shows as drift"]

    def who(self, image: str, *, look: bool = False) -> Whereabouts:
        """Where an image runs: by the record, and if asked for, by the hosts.

        Args:
            image: A digest (``sha256:...``, or its first digits), a name, a tag, ``NAME:TAG`` or ``NAME@DIGEST``.
            look: Ask all targets as well, for what runs there, whoever started it.

        Raises:
            ModelError: *image* is nothing of the kind.

        Hosts:
            untouched.
        """
        sought = planning.Sought.of(image)
        runners = [
            runner
            for owner in self.projects.values()
            for name in self._places(owner)
            for runner in self._recorded(sought, owner.name, name)
        ]
        unseen = []
        for target, found in (deploying.find_runners(sought, self.targets, self._transport) if look else {}).items():
            if isinstance(found, OctosshError):
                unseen.append((target, str(found)))
            else:
                runners += found
        near = "" if runners else sought.near(i.repository for p in self.projects.values() for i in p.process.images)
        return model.Whereabouts(image, tuple(runners), tuple(unseen), near)

    def _recorded(self, sought: Sought, project: str, environment: str) -> Iterator[Runner]:
        newest = next(self._succeeded(project, environment), None)
        if newest is None:
            return
        release = self.store.release(project, newest.release)
        for pin in release.pins:
            named = {f"{pin.image.name}:{pin.tag}", f"{pin.image.pull_name}:{pin.tag}", pin.digest}
            if not sought.is_in(named):
                continue
            steps = {step.name for step in release.process.steps if pin.image in step.needed_images}
            for outcome in newest.outcomes:
                if outcome.step in steps and outcome.state is State.SUCCEEDED:
                    yield model.Runner(
                        source="record",
                        target=outcome.target,
                        project=project,
                        environment=environment,
                        release=release.number,
                        step=outcome.step,
                        image=f"{pin.image.name}:{pin.tag}",
                        digest=pin.digest,
                        since=newest.finished_at,
                    )


def _secret_note(item: Left) -> str:
    return f"file {item.name} on {item.target} holds a secret, so it was not compared"
