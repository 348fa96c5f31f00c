"""Deployments: doing what a plan says."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Unpack

import attrs

from octossh import deploying, model, planning, recording
from octossh.deploying.limits import MOST_HOSTS_AT_ONCE
from octossh.errors import DeployFailed, PlanError, Refused, did_you_mean
from octossh.model import CONTROLLER, Mode, Options, Release, State
from octossh.notebooks import live
from octossh.space.continuing import Continuing
from octossh.space.leasing import held
from octossh.space.shelves import Continued, Shelf, answering
from octossh.space.undoing import tell
from octossh.transport import SSH

if TYPE_CHECKING:
    from octossh.deploying import Approver
    from octossh.model import Deployment, OptionFields, Project, Schedule
    from octossh.planning import Plan
    from octossh.recording import Lease, Record

__all__ = ["Deployments"]

_log = logging.getLogger("octossh")


class Deployments(Continuing):
    """The verbs of a space that change hosts."""

    def deploy(
        self,
        release: Release | Plan | str,
        environment: str | None = None,
        *,
        project: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        cancel_waiting: bool = False,
        **options: Unpack[OptionFields],
    ) -> Deployment:
        """Deploy a release to an environment, or apply a plan.

        Args:
            release: A `Release`, its number, or a `Plan`.
            environment: Where to; a plan knows it.
            project: Of a release that is given by number; default: the only project.
            check: Raise when it does not succeed; otherwise return the deployment either way.
            wait_s: Seconds to wait for the end of another deployment of the project to that environment.
            cancel_waiting: End another one that waits there for an approval; otherwise it refuses this one.
            **options: What is said for this one deployment; see `Options`. A plan has its own.

        Raises:
            Refused: The lifecycle or a freeze does not let it, another deployment of the project to that environment
                is running or waits, or a step asks for an approval that was refused beforehand.
            ModelError: Something is not there: an environment, a role, a variable, a secret.
            ConnectError: A host cannot be reached, or is not who it should be.
            DeployFailed: A step did not succeed; ``.deployment`` has all of it.
            DeployWaits: It has come to a step that asks for an approval, and nobody can be asked now; see `go_on`.

        Hosts:
            changed; untouched with the first three errors; with the others as their ``hosts`` says.
        """
        if not isinstance(release, Release | str):
            if environment not in {None, release.environment}:
                raise PlanError(f"the plan is for {release.environment!r}, not for {environment!r}; make another one")
            made = self._with_reason(release, options)
            return self._go(lambda: made, check=check, wait_s=wait_s, cancel_waiting=cancel_waiting)
        if environment is None:
            raise PlanError(f"where shall it go? Name an environment: {', '.join(self.environments)}")
        owner = release.project if isinstance(release, Release) else self._owner_of(project, release)
        self._approach(owner, environment, options)
        found = release if isinstance(release, Release) else self.release(project, release)
        place = environment
        return self._go(
            lambda: self._plan(found, place, options, look=False),
            check=check,
            wait_s=wait_s,
            cancel_waiting=cancel_waiting,
        )

    def _with_reason(self, made: Plan, options: OptionFields) -> Plan:
        """*made* with why it is applied, and in spite of what; nothing else can be said of it any more."""
        override = options.pop("override_freeze", made.options.override_freeze)
        why = options.pop("why", made.options.why)
        if options:
            raise PlanError(f"the plan was made without {', '.join(options)}; make another one with it")
        self.freezes.check(made.release.project, made.environment, override)
        return attrs.evolve(made, options=attrs.evolve(made.options, override_freeze=override, why=why))

    def promote(
        self,
        project: str | None = None,
        *,
        to: str,
        channel: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        cancel_waiting: bool = False,
        **options: Unpack[OptionFields],
    ) -> Deployment:
        """Deploy to *to* the release that now stands in the phase before it. Raises as `deploy` does.

        Args:
            project: Default: the only one.
            to: Where to.
            channel: Whose lifecycle says what stands before it; default: the project's.
            check: Raise when it does not succeed; otherwise return the deployment either way.
            wait_s: Seconds to wait for the end of another deployment of the project to that environment.
            cancel_waiting: End another one that waits there for an approval; otherwise it refuses this one.
            **options: What is said for this one deployment; see `Options`.
        """
        owner = self.project(project)
        if channel is not None:
            owner.channel(channel)
        self._approach(owner.name, to, options)

        def make() -> Plan:
            return self._plan(self._before(owner, to, channel), to, options, look=False, mode=Mode.PROMOTE)

        return self._go(make, check=check, wait_s=wait_s, cancel_waiting=cancel_waiting)

    def _before(self, owner: Project, to: str, channel: str | None) -> Release:
        """The release that stands in the phase before *to*."""
        number = planning.to_promote(owner, self._catalog.environment(to), self._standing(owner.name), channel=channel)
        return self.release(owner.name, number)

    def rollback(
        self,
        project: str | None = None,
        environment: str | None = None,
        *,
        to: str | None = None,
        check: bool = True,
        wait_s: float = 0,
        cancel_waiting: bool = False,
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
            return self._plan(self._stood(owner, place, to), place, options, look=False, mode=Mode.ROLLBACK)

        return self._go(make, check=check, wait_s=wait_s, cancel_waiting=cancel_waiting)

    def _stood(self, owner: Project, place: str, number: str | None) -> Release:
        """The release *number* that has succeeded in *place*; without one, that which stood there before."""
        number = number or planning.to_roll_back(owner.name, place, self.store.past(owner.name, place))
        if place not in self.store.reached(owner.name, number):
            passed = {d.release for d in self.store.past(owner.name, place) if d.state is State.SUCCEEDED}
            raise PlanError(f"release {number!r} has never succeeded in {place!r}; {did_you_mean(number, passed)}")
        return self.release(owner.name, number)

    def _approach(self, project: str | None, environment: str, options: OptionFields) -> None:
        """Go towards the hosts while the plan is being made; it alone says whether they are connected."""
        # Read once: what is given may be there for one reading only.
        said = Options(only=options.get("only", ()), exclude=options.get("exclude", ()), skip=options.get("skip", ()))
        options.update(model.OptionFields(only=said.only, exclude=said.exclude, skip=said.skip))
        here = [target for target in self.targets if environment in target.environments]
        steps = self.project(project).process.steps
        used = dict.fromkeys(
            target for step in steps for target in planning.hosts_of(step, here) if target is not CONTROLLER
        )
        chosen = [h for h in used if (not said.only or h.name in said.only) and h.name not in said.exclude]
        if isinstance(self._transport, SSH):
            self._transport.approach(chosen[:MOST_HOSTS_AT_ONCE])

    def _go(
        self,
        make: Callable[[], Plan],
        *,
        check: bool,
        wait_s: float = 0,
        cancel_waiting: bool = False,
        id: str = "",  # noqa: A002 - the field's name
        approver: Approver | None = None,
    ) -> Deployment:
        """Apply the plan that *make* gives, as the only deployment of its project to its environment."""
        made = make()
        self._check_beforehand(made.release, approver or self.approve)
        with held(self.store, made.release.project, made.environment, wait_s=wait_s) as lease:
            if lease.taken_from:
                _log.warning("%s: the one who held it before has gone, and may have left things half done", lease)
                self._settle_left(lease)
            self._make_way(made.release.project, made.environment, lease, cancel=cancel_waiting)
            # Whoever had to wait finds another release there.
            made = make() if wait_s else made
            ended = self._applied(made, self._deployment(made, id), lease, approver or self.approve, check=check)
        self._follow(ended, made.release, self._promote)
        return ended

    def _check_beforehand(self, release: Release, approver: Approver | None) -> None:
        """Refuse answers for steps that ask for none; those of other projects may be given in the octofile."""
        deploying.check_beforehand(approver, (release.process, *(owner.process for owner in self.projects.values())))

    def _applied(
        self,
        plan: Plan,
        deployment: Deployment,
        lease: Lease,
        approver: Approver | None,
        *,
        check: bool,
        waits: Schedule | None = None,
    ) -> Deployment:
        """Apply *plan*, and where it fails and its rollout says so, put the changed hosts back."""

        def put_back(made: Plan, deployment: Deployment, approve: Approver) -> Deployment:
            return self._apply(made, deployment, lease, approve, check=False)

        try:
            ended = self._apply(plan, deployment, lease, approver, check=check, waits=waits)
        except DeployFailed as error:
            tell(error, *self._undone(plan, error.deployment, put_back))
            raise
        if said := self._undone(plan, ended, put_back)[1]:
            _log.warning("deployment %s failed: %s", ended.id, said)
        return ended

    def _apply(
        self,
        plan: Plan,
        deployment: Deployment,
        lease: Lease,
        approver: Approver | None,
        *,
        check: bool,
        waits: Schedule | None = None,
    ) -> Deployment:
        self._check_scripts_here(plan)
        if waits is None:
            with self._spans.before():
                self._hooks.before(deployment)
        record, put_aside = self._record_of(plan, lease, waits)
        secrets, logins = self._access.of(plan.release, plan.environment, plan.said)
        self._access.ahead(plan, logins)
        # What steps gave out before the deployment waited belongs to no release.
        secrets |= {name: value for name, value in plan.said.items() if name.startswith(planning.OUTPUT)}
        given = approver if isinstance(approver, Mapping) else {}
        with (
            live(deployment, self.on_event, self.store.deployment) as listener,
            self._hooks.during(deployment, listener) as told,
            # Outermost: what hooks are called with knows the span that it is about.
            self._spans.during(deployment, told) as heard,
        ):
            return deploying.apply(
                plan,
                self._transport,
                self._anchored(record),
                deployment,
                shelf=Shelf(self.store, lease, self._keys, given, put_aside, waits.pause if waits else None),
                secrets=secrets,
                logins=logins,
                login=self._access.login,
                pack=self._access.archive,
                lock_wait_s=self.lock_wait_s,
                store=self.store.mark,
                approver=approver,
                decider=self.on_failure,
                cancelled=functools.partial(self.store.kept_one, "cancellation", deployment.id, model.Cancellation),
                on_event=heard,
                check=check,
            )

    def _record_of(
        self, plan: Plan, lease: Lease, waits: Schedule | None
    ) -> tuple[Record, Callable[[Deployment], None]]:
        """Where it is recorded how *plan* is applied, and what is done when that is put aside to wait."""
        if waits is not None:
            return Continued(self.store, lease, waits), self._leave_anchors
        noting = self._noting(self._asking(plan.release, plan.mode), self.store.under(lease))

        def put_aside(waiting: Deployment) -> None:
            noting.tell()
            self._leave_anchors(waiting)

        return noting, put_aside

    def _check_scripts_here(self, plan: Plan) -> None:
        """Refuse what a rehearsal would run on this machine."""
        if self._scripts_here or getattr(self._transport, "plays_controller", False):
            return
        for task in plan.tasks:
            if task.target is CONTROLLER and task.step.scripted and task.action is not planning.Action.SKIP:
                raise PlanError(
                    f"step {task.step.name!r} would run on this machine, and this is a rehearsal: give a transport "
                    "that answers for this machine (octossh.testing.Hosts, or Replay with plays_controller=True), or "
                    "say rehearsal(..., scripts_here=True)"
                )

    def go_on(self, id: str, *, check: bool = True, wait_s: float = 0) -> Deployment:  # noqa: A002 - the field's name
        """Go on with a deployment that waits for an approval, from there, as it would have gone on at once.

        Pins, values of variables, rollout and hosts are those of its beginning; what its steps left is known. Where
        somebody has said no, or the time for an answer has passed, it ends as failed. `run_due` does this for each
        that has its answer.

        Args:
            id: Of the deployment. `Space.schedules.approve` answers for its step; else whoever can be asked is.
            check: Raise when it does not succeed; otherwise return the deployment either way.
            wait_s: Seconds to wait for the end of another deployment of the project to that environment.

        Raises:
            Refused: It does not wait, a rule or the time holds it, or its hosts are others now; it waits on.

        Otherwise it raises as `deploy` does.
        """
        found, waits = self._waited(id)
        self._check_beforehand(self.store.release(found.project, found.release), self.approve)
        expired = waits.expires_at <= datetime.now(UTC)
        given = self.approve or {}
        nobody = isinstance(given, Mapping) and not given.keys() & {*waits.unanswered}
        if waits.unanswered and nobody and not expired and waits.rejected is None:
            raise Refused(deploying.how_to_go_on(found, waits.unanswered))
        return self._gone_on(id, expired=expired, check=check, wait_s=wait_s)

    def _gone_on(self, id: str, *, expired: bool, check: bool, wait_s: float = 0) -> Deployment:  # noqa: A002
        found, _ = self._waited(id)
        with held(self.store, found.project, found.environment, wait_s=wait_s) as lease:
            found, waits = self._waited(id)
            plan = self._plan_again(found, waits)
            asked = answering(waits, self.approve, expired=expired)
            running = attrs.evolve(found, state=State.RUNNING, controller=recording.controller_here(), error="")
            ended = self._applied(plan, running, lease, asked, check=check, waits=waits)
        self._follow(ended, plan.release, self._promote)
        return ended

    def _promote(self, release: Release, environment: str) -> Deployment:
        return self._go(lambda: self._plan(release, environment, look=False, mode=Mode.PROMOTE), check=False)
