"""Deployments: planning them, and doing them."""

from __future__ import annotations

import functools
import secrets as _random
from datetime import UTC, datetime

import attrs

from octossh.deploying import apply, observe, scripts
from octossh.errors import PlanError, did_you_mean
from octossh.model import Deployment, Mode, Process, Release, State
from octossh.planning import Plan, Task, mode_of, plan, to_promote, to_prune, to_roll_back
from octossh.recording import controller_here, whoami
from octossh.shell import Script
from octossh.space.promotions import Promotions

__all__ = ["Deployments"]


class Deployments(Promotions):
    """The verbs of a space that are about hosts."""

    def plan(self, release: Release | str, environment: str, *, project: str | None = None) -> Plan:
        """What deploying *release* to *environment* would do on which host, and why. Hosts are only looked at.

        Args:
            release: A `Release`, or its number.
            environment: Where to.
            project: Of a release that is given by number; default: the only project.

        Raises:
            Refused: The lifecycle does not let it.
            ModelError: Something is not there: an environment, a role, a variable, a secret.
            TransportError: A host cannot be reached.

        Hosts:
            untouched.
        """
        found = release if isinstance(release, Release) else self.release(project, release)
        return self._plan(found, environment, look=True)

    def _plan(self, release: Release, environment: str, *, look: bool, mode: Mode | None = None) -> Plan:
        self._catalog.environment(environment)
        history = self._history(release.project)
        if mode is not Mode.ROLLBACK:
            self._check_may_enter(release, environment, history)
        secrets, _ = self._access.of(release, environment)
        # Made once without having looked: what is wrong with the description shows before any host is asked.
        rollout = self._catalog.rollout(release.project, environment)
        make = functools.partial(
            plan, release, environment, self.targets, secrets=secrets, templates=self._templates, rollout=rollout
        )
        made = make(mode=mode or mode_of(release.number, environment, history))
        if self._templates.marks:
            self.render(made)  # a shell here reads the scripts that it would send
        if not look:
            return made
        moved = tuple(map(str, self._moved(release, made.mode)))
        seen = observe(release, environment, made.targets, self._transport, secrets)
        made = make(mode=made.mode, seen=seen)
        return attrs.evolve(made, notes=(*made.notes, *moved))

    def deploy(
        self,
        release: Release | Plan | str,
        environment: str | None = None,
        *,
        project: str | None = None,
        check: bool = True,
    ) -> Deployment:
        """Deploy a release to an environment, or apply a plan.

        Args:
            release: A `Release`, its number, or a `Plan`.
            environment: Where to; a plan knows it.
            project: Of a release that is given by number; default: the only project.
            check: Raise when it does not succeed; otherwise return the deployment either way.

        Raises:
            Refused: The lifecycle does not let it, or a step asks for an approval and nobody can be asked.
            ModelError: Something is not there: an environment, a role, a variable, a secret.
            ConnectError: A host cannot be reached, or is not who it should be.
            DeployFailed: A step did not succeed; ``.deployment`` has all of it.

        Hosts:
            changed; untouched with the first three errors; with ``DeployFailed`` as its ``hosts`` says.
        """
        if isinstance(release, Plan):
            if environment not in {None, release.environment}:
                raise PlanError(f"the plan is for {release.environment!r}, not for {environment!r}; make another one")
            return self._apply(release, check=check)
        if environment is None:
            raise PlanError(f"where shall it go? Name an environment: {', '.join(self.environments)}")
        found = release if isinstance(release, Release) else self.release(project, release)
        return self._apply(self._plan(found, environment, look=False), check=check)

    def promote(
        self, project: str | None = None, *, to: str, channel: str | None = None, check: bool = True
    ) -> Deployment:
        """Deploy to *to* the release that now stands in the phase before it. Raises as `deploy` does.

        Args:
            project: Default: the only one.
            to: Where to.
            channel: Whose lifecycle says what stands before it; default: the project's.
            check: Raise when it does not succeed; otherwise return the deployment either way.
        """
        owner = self.project(project)
        if channel is not None:
            owner.channel(channel)
        history = self._history(owner.name)
        number = to_promote(owner, self._catalog.environment(to), history, channel=channel)
        made = self._plan(self.release(owner.name, number), to, look=False, mode=Mode.PROMOTE)
        return self._apply(made, check=check)

    def rollback(
        self, project: str | None = None, environment: str | None = None, *, to: str | None = None, check: bool = True
    ) -> Deployment:
        """Deploy to *environment* the release that stood there before, or the release *to*.

        Raises:
            PlanError: There is none before, or *to* has never succeeded there.

        Otherwise it raises as `deploy` does.
        """
        owner = self.project(project)
        if environment is None:
            raise PlanError(f"where shall it be rolled back? Name one of: {', '.join(self.environments)}")
        history = self._history(owner.name)
        number = to or to_roll_back(owner.name, self._catalog.environment(environment), history)
        passed = {d.release for d in history if d.environment == environment and d.state is State.SUCCEEDED}
        if number not in passed:
            raise PlanError(
                f"release {number!r} has never succeeded in {environment!r}; {did_you_mean(number, passed)}"
            )
        made = self._plan(self.release(owner.name, number), environment, look=False, mode=Mode.ROLLBACK)
        return self._apply(made, check=check)

    def plan_prune(self, environment: str, *, project: str | None = None, keep: int = 5) -> Plan:
        """What could be removed from the hosts of *environment*: images and stopped containers of old releases.

        `deploy` applies the plan. Hosts are only looked at.

        Args:
            environment: Where.
            project: Default: the only one.
            keep: How many releases stay ready to come back, the one that stands there among them.

        Raises:
            PlanError: Nothing was ever deployed there.
            TransportError: A host cannot be reached.

        Hosts:
            untouched.
        """
        owner, place = self.project(project), self._catalog.environment(environment)
        every = self.store.deployments(limit=None, outcomes=False)
        step = to_prune(owner.name, place, keep, every, functools.cache(self.store.release), self.targets)
        stands = next(d.release for d in every if (d.project, d.environment) == (owner.name, place))
        release = attrs.evolve(self.release(owner.name, stands), process=Process([step]), variables=())
        seen = observe(release, place, self.targets, self._transport)
        made = plan(release, place, self.targets, mode=Mode.PRUNE, seen=seen, templates=self._templates)
        return attrs.evolve(made, notes=())

    def render(self, plan: Plan) -> tuple[tuple[Task, Script | None], ...]:
        """The scripts that applying *plan* would send; None where one is not known before an earlier step has run.

        Secrets are not in them.

        Hosts:
            untouched.
        """
        secrets, logins = self._access.of(plan.release, plan.environment)
        return scripts(plan, self._deployment(plan), secrets, logins)

    def _deployment(self, plan: Plan) -> Deployment:
        now = datetime.now(UTC)
        return Deployment(
            id=f"{now:%Y%m%dT%H%M%S}-{_random.token_hex(4)}",
            project=plan.release.project,
            release=plan.release.number,
            environment=plan.environment,
            mode=plan.mode,
            state=State.RUNNING,
            started_at=now,
            by=whoami(),
            controller=controller_here(),
        )

    def _apply(self, plan: Plan, *, check: bool) -> Deployment:
        moved = self._moved(plan.release, plan.mode)
        secrets, logins = self._access.of(plan.release, plan.environment)
        ended = apply(
            plan,
            self._transport,
            self._anchored(self._noting(moved)),
            self._deployment(plan),
            secrets=secrets,
            logins=logins,
            login=self._access.login,
            pack=self._access.archive,
            approver=self.approve,
            decider=self.on_failure,
            on_event=self.on_event,
            check=check,
        )
        self._follow(ended, plan.release, self._promote)
        return ended

    def _promote(self, release: Release, environment: str) -> Deployment:
        return self._apply(self._plan(release, environment, look=False, mode=Mode.PROMOTE), check=False)
