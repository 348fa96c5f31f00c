"""Stepping in: cancelling what runs, and bringing hosts up to date that have missed something."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Unpack

from octossh import model, planning, recording
from octossh.errors import ModelError, PlanError, Refused
from octossh.model import State
from octossh.space.deployments import Deployments
from octossh.space.leasing import held

if TYPE_CHECKING:
    from octossh.model import Deployment, OptionFields

__all__ = ["Interventions"]

_LOOK_S = 0.2


class Interventions(Deployments):
    """The verbs of a space by which people step in."""

    def cancel(
        self, deployment: str | None = None, *, now: bool = False, why: str = "", wait_s: float = 15.0
    ) -> Deployment:
        """Stop a deployment that runs in any process, here or on another machine, with this store, or that waits.

        The process that runs it sees that within a second or two: it starts nothing more, sees what runs on the hosts
        end for as long as its `Rollout` says, records how far it came, and ends. One that waits for an approval has
        ended with this.

        Args:
            deployment: Its id; default: the only one that runs, or waits.
            now: Do not wait for what runs on the hosts; its end is unknown then.
            why: The reason; stands in the record.
            wait_s: Seconds to wait for its end.

        Returns:
            The deployment as it stands now, interrupted, or still running after *wait_s*.

        Raises:
            ModelError: There is none of that id.
            PlanError: It does not run, or several do and none is named.
            Refused: It waits, and whoever put it aside still held its environment after *wait_s*.
        """
        found, deadline = self._running(deployment), time.monotonic() + wait_s
        if found.state is State.WAITING and (ended := self._cancelled(found, why, wait_s)) is not None:
            return ended
        self.store.keep("cancellation", found.id, model.Cancellation(recording.whoami(), now=now, why=why), why=why)
        while (seen := self.store.deployment(found.id)).state is State.RUNNING and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        if seen.state is State.WAITING:  # it came to an approval before it saw this
            left = max(0.0, deadline - time.monotonic())
            seen = self._cancelled(seen, why, left) or self.store.deployment(found.id)
        if seen.state is not State.RUNNING:
            with contextlib.suppress(ModelError):  # somebody else who cancelled it was faster
                self.store.drop("cancellation", found.id, why="it has ended")
        return seen

    def _cancelled(self, waiting: Deployment, why: str, wait_s: float) -> Deployment | None:
        """The end of a deployment that waits; None where somebody has gone on with it meanwhile."""
        reason = f": {why}" if why else ""
        try:
            with held(self.store, waiting.project, waiting.environment, wait_s=wait_s) as lease:
                return self._end_waiting(waiting, lease, f"cancelled by {recording.whoami()}{reason}")
        except Refused:
            if self.store.deployment(waiting.id).state is not State.RUNNING:
                raise
            return None

    def _running(self, deployment: str | None) -> Deployment:
        if deployment is not None:
            found = self.store.deployment(deployment)
            if found.state not in {State.RUNNING, State.WAITING}:
                raise PlanError(f"deployment {deployment!r} does not run: it is {found.state.value}")
            return found
        running = [
            one
            for state in (State.RUNNING, State.WAITING)
            for one in self.store.deployments(state=state, limit=None, outcomes=False)
        ]
        if len(running) != 1:
            names = "; ".join(f"{d.id}: {d.project} {d.release} -> {d.environment}" for d in running[:5])
            raise PlanError(f"several deployments run, say which: {names}" if running else "no deployment runs now")
        return self.store.deployment(running[0].id)

    def outdated(self, environment: str, *, project: str | None = None) -> tuple[str, ...]:
        """The names of the targets that do not have the release that stands in *environment*, by the record.

        Those are hosts that were offline, in maintenance or left out, on which a step failed, and new ones.

        Args:
            environment: Where.
            project: Default: the only one.

        Raises:
            PlanError: Nothing stands there yet.
        """
        owner, place = self.project(project), self._catalog.environment(environment)
        return self._lagging(owner.name, place, self._number_in(owner.name, place))

    def catch_up(
        self,
        environment: str,
        *,
        project: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        cancel_waiting: bool = False,
        **options: Unpack[OptionFields],
    ) -> Deployment:
        """Deploy the release that stands in *environment* to the hosts that lack it, and to no others.

        Hosts in maintenance stay out of it. It raises as `deploy` does, and:

        Args:
            environment: Where.
            project: Default: the only one.
            check: Raise when it does not succeed; otherwise return the deployment either way.
            wait_s: Seconds to wait for the end of another deployment of the project to that environment.
            cancel_waiting: End another one that waits there for an approval; otherwise it refuses this one.
            **options: What is said for this one deployment; see `Options`.

        Raises:
            PlanError: No host lacks it, or nothing stands there yet.
            ModelError: *options* choose targets themselves.
        """
        if options.keys() & {"only", "exclude"}:
            raise ModelError("the hosts that lack the release are chosen by the record; leave out only and exclude")
        owner, place = self.project(project), self._catalog.environment(environment)
        number, away = self._number_in(owner.name, place), self._away()
        names = [name for name in self._lagging(owner.name, place, number) if name not in away]
        if not names:
            raise PlanError(f"each host of {place!r} that is not in maintenance has {owner.name} {number} already")
        options["only"] = names
        return self.deploy(
            number,
            place,
            project=owner.name,
            check=check,
            wait_s=wait_s,
            cancel_waiting=cancel_waiting,
            **options,
        )

    def _number_in(self, project: str, environment: str) -> str:
        stands = self._stands(project, environment)
        if stands is None:
            raise PlanError(f"no release of {project!r} stands in {environment!r} yet; deploy one by number")
        return stands.release

    def _lagging(self, project: str, environment: str, number: str) -> tuple[str, ...]:
        names = [target.name for target in self.targets if environment in target.environments]
        # Outcomes are long, and the first few mostly tell of all hosts.
        past = (self.store.deployment(d.id) for d in self.store.past(project, environment))
        return planning.lagging(past, environment, number, names)
