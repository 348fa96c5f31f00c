"""Deployments: doing what a plan says."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Unpack

import attrs

from octossh.deploying import Approver, apply
from octossh.deploying.observing import MOST_HOSTS_AT_ONCE
from octossh.errors import DeployFailed, PlanError, did_you_mean
from octossh.model import CONTROLLER, Cancellation, Deployment, Mode, OptionFields, Release, State
from octossh.planning import Plan, hosts_of, to_promote, to_roll_back
from octossh.recording import Lease
from octossh.space.leasing import held
from octossh.space.resuming import Resuming
from octossh.space.undoing import Undoing, tell
from octossh.transport import SSH

__all__ = ["Deployments"]

_log = logging.getLogger("octossh")


class Deployments(Undoing, Resuming):
    """The verbs of a space that change hosts."""

    def deploy(
        self,
        release: Release | Plan | str,
        environment: str | None = None,
        *,
        project: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        **options: Unpack[OptionFields],
    ) -> Deployment:
        """Deploy a release to an environment, or apply a plan.

        Args:
            release: A `Release`, its number, or a `Plan`.
            environment: Where to; a plan knows it.
            project: Of a release that is given by number; default: the only project.
            check: Raise when it does not succeed; otherwise return the deployment either way.
            wait_s: Seconds to wait for the end of another deployment of the project to that environment.
            **options: What is said for this one deployment; see `Options`. A plan has its own.

        Raises:
            Refused: The lifecycle or a freeze does not let it, another deployment of the project to that environment
                is running, or a step asks for an approval and nobody can be asked.
            ModelError: Something is not there: an environment, a role, a variable, a secret.
            ConnectError: A host cannot be reached, or is not who it should be.
            DeployFailed: A step did not succeed; ``.deployment`` has all of it.

        Hosts:
            changed; untouched with the first three errors; with ``DeployFailed`` as its ``hosts`` says.
        """
        if isinstance(release, Plan):
            if environment not in {None, release.environment}:
                raise PlanError(f"the plan is for {release.environment!r}, not for {environment!r}; make another one")
            override = options.pop("override_freeze", release.options.override_freeze)
            why = options.pop("why", release.options.why)
            if options:
                raise PlanError(f"the plan was made without {', '.join(options)}; make another one with it")
            made = attrs.evolve(release, options=attrs.evolve(release.options, override_freeze=override, why=why))
            self.freezes.check(made.release.project, made.environment, override)
            return self._go(lambda: made, check=check, wait_s=wait_s)
        if environment is None:
            raise PlanError(f"where shall it go? Name an environment: {', '.join(self.environments)}")
        self._approach(release.project if isinstance(release, Release) else project, environment, options)
        found = release if isinstance(release, Release) else self.release(project, release)
        place = environment
        return self._go(lambda: self._plan(found, place, options, look=False), check=check, wait_s=wait_s)

    def promote(
        self,
        project: str | None = None,
        *,
        to: str,
        channel: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        **options: Unpack[OptionFields],
    ) -> Deployment:
        """Deploy to *to* the release that now stands in the phase before it. Raises as `deploy` does.

        Args:
            project: Default: the only one.
            to: Where to.
            channel: Whose lifecycle says what stands before it; default: the project's.
            check: Raise when it does not succeed; otherwise return the deployment either way.
            wait_s: Seconds to wait for the end of another deployment of the project to that environment.
            **options: What is said for this one deployment; see `Options`.
        """
        owner = self.project(project)
        if channel is not None:
            owner.channel(channel)

        self._approach(owner.name, to, options)

        def make() -> Plan:
            history = self._history(owner.name)
            number = to_promote(owner, self._catalog.environment(to), history, channel=channel)
            return self._plan(self.release(owner.name, number), to, options, look=False, mode=Mode.PROMOTE)

        return self._go(make, check=check, wait_s=wait_s)

    def rollback(
        self,
        project: str | None = None,
        environment: str | None = None,
        *,
        to: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        **options: Unpack[OptionFields],
    ) -> Deployment:
        """Deploy to *environment* the release that stood there before, or the release *to*.

        Raises:
            PlanError: There is none before, or *to* has never succeeded there.

        Otherwise it raises as `deploy` does.
        """
        owner = self.project(project)
        if environment is None:
            raise PlanError(f"where shall it be rolled back? Name one of: {', '.join(self.environments)}")
        place = self._catalog.environment(environment)

        self._approach(owner.name, place, options)

        def make() -> Plan:
            history = self._history(owner.name)
            number = to or to_roll_back(owner.name, place, history)
            passed = {d.release for d in history if d.environment == place and d.state is State.SUCCEEDED}
            if number not in passed:
                raise PlanError(f"release {number!r} has never succeeded in {place!r}; {did_you_mean(number, passed)}")
            return self._plan(self.release(owner.name, number), place, options, look=False, mode=Mode.ROLLBACK)

        return self._go(make, check=check, wait_s=wait_s)

    def _approach(self, project: str | None, environment: str, options: OptionFields) -> None:
        """Go towards the hosts while the plan is being made; it alone says whether they are connected."""
        only, exclude = options.get("only", ()), options.get("exclude", ())
        here = [target for target in self.targets if environment in target.environments]
        steps = self.project(project).process.steps
        used = dict.fromkeys(target for step in steps for target in hosts_of(step, here) if target is not CONTROLLER)
        chosen = [host for host in used if (not only or host.name in only) and host.name not in exclude]
        if isinstance(self._transport, SSH):
            self._transport.approach(chosen[:MOST_HOSTS_AT_ONCE])

    def _go(
        self,
        make: Callable[[], Plan],
        *,
        check: bool,
        wait_s: float = 0,
        id: str = "",  # noqa: A002 - the field's name
        approver: Approver | None = None,
    ) -> Deployment:
        """Apply the plan that *make* gives, as the only deployment of its project to its environment."""
        made = make()
        with held(self.store, made.release.project, made.environment, wait_s=wait_s) as lease:
            if lease.taken_from:
                _log.warning("%s: the one who held it before has gone, and may have left things half done", lease)
                self._settle_left(lease)
            # Whoever had to wait finds another release there.
            made = make() if wait_s else made
            ended = self._applied(made, lease, check=check, id=id, approver=approver or self.approve)
        self._follow(ended, made.release, self._promote)
        return ended

    def _applied(
        self,
        plan: Plan,
        lease: Lease,
        *,
        check: bool,
        id: str,  # noqa: A002 - the field's name
        approver: Approver | None,
    ) -> Deployment:
        """Apply *plan*, and where it fails and its rollout says so, put the changed hosts back."""

        def put_back(made: Plan, deployment: Deployment, approve: Approver) -> Deployment:
            return self._apply(made, deployment, lease, approve, check=False)

        try:
            ended = self._apply(plan, self._deployment(plan, id), lease, approver, check=check)
        except DeployFailed as error:
            tell(error, *self._undone(plan, error.deployment, put_back))
            raise
        if said := self._undone(plan, ended, put_back)[1]:
            _log.warning("deployment %s failed: %s", ended.id, said)
        return ended

    def _apply(
        self, plan: Plan, deployment: Deployment, lease: Lease, approver: Approver | None, *, check: bool
    ) -> Deployment:
        moved = self._asking(plan.release, plan.mode)
        secrets, logins = self._access.of(plan.release, plan.environment, plan.said)
        return apply(
            plan,
            self._transport,
            self._anchored(self._noting(moved, self.store.under(lease))),
            deployment,
            secrets=secrets,
            logins=logins,
            login=self._access.login,
            pack=self._access.archive,
            lock_wait_s=self.lock_wait_s,
            approver=approver,
            decider=self.on_failure,
            cancelled=functools.partial(self.store.kept_one, "cancellation", deployment.id, Cancellation),
            on_event=self.on_event,
            check=check,
        )

    def _promote(self, release: Release, environment: str) -> Deployment:
        return self._go(lambda: self._plan(release, environment, look=False, mode=Mode.PROMOTE), check=False)
