"""The facade that wires projects, targets, registries, hosts and the store together."""

from __future__ import annotations

import functools
import secrets as _random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import attrs

from octossh.access import Access
from octossh.deploying import Approver, apply, check, observe, scripts
from octossh.errors import ModelError, PlanError, did_you_mean
from octossh.inventory import read_targets
from octossh.model import (
    Catalog,
    Channel,
    Checkup,
    Deployment,
    Environment,
    Event,
    History,
    Mode,
    Process,
    Project,
    Release,
    Repositories,
    Standing,
    State,
    Status,
    Target,
)
from octossh.planning import (
    Plan,
    Task,
    check_may_enter,
    current,
    lint_channels,
    lint_tags,
    mode_of,
    plan,
    to_promote,
    to_prune,
    to_roll_back,
)
from octossh.recording import Store, Verification, controller_here, whoami
from octossh.releasing import explain_image, last_picked, pin_images
from octossh.rendering import read_templates
from octossh.shell import Script
from octossh.transport import SSH, Transport
from octossh.vaults import SecretSource
from octossh.versions import Explanation
from octossh.versions.rules import RuleFields

__all__ = ["Space"]

# The releases among which the last one of a channel is sought.
_LOOK_BACK = 100


class Space:
    """Projects, targets and environments that share one store.

    Making one touches nothing: the store, the registries and the hosts are opened when they are needed, and
    closed by ``close()`` or at the end of a ``with`` block.

    Args:
        store: URL of the record: ``sqlite:///octossh.db`` (a path relative to the working directory).
        projects: What can be deployed.
        targets: Where to: a list of `Target`, or the path of a YAML file (`octossh.inventory`).
        environments: Further ones, besides those of lifecycles and targets.
        transport: How hosts are reached. Default: `SSH`, with the known_hosts and keys of the user.
        secrets: A mapping or a function that gives the value of a secret by name, or None; such as
            `FolderSecrets` or `CommandSecrets`; or a list of them, of which the first that knows a name counts.
            Default: the environment variables of this process.
        approve: Who is asked by `Approve`: a function that is called with an `ApprovalRequest`, in the thread that
            deploys, and gives an `Approval`; or the answers themselves, by the name of the step.
        templates: A folder of templates for scripts; those in it stand before octossh's own of the same name.
        on_event: Is called with each `Event` while something is deployed.

    Raises:
        ModelError: Two projects or targets have one name, or the file of targets or a template is wrong.
    """

    def __init__(
        self,
        store: str = "sqlite:///octossh.db",
        *,
        projects: Iterable[Project],
        targets: Iterable[Target] | str | Path = (),
        environments: Iterable[Environment] = (),
        transport: Transport | None = None,
        secrets: SecretSource | Iterable[SecretSource] | None = None,
        approve: Approver | None = None,
        templates: str | Path | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        made = read_targets(targets) if isinstance(targets, str | Path) else targets
        self._catalog = Catalog.of(projects, made, environments)
        if transport is not None and not callable(getattr(transport, "run", None)):
            raise ModelError(f"the transport {transport!r} is none; give an octossh.SSH(...), or leave it out")
        self.store = Store(store)
        self.approve, self.on_event = approve, on_event
        self._templates = read_templates(templates)
        self._transport = transport if transport is not None else SSH()
        images = (image for project in self._catalog.projects.values() for image in project.process.images)
        self._access = Access((image.registry for image in images), secrets)

    # ------------------------------------------------------------- looking up

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects by name."""
        return self._catalog.projects

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets."""
        return self._catalog.targets

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments: those of lifecycles in their order, then the others."""
        return self._catalog.environments

    def project(self, name: str | None = None) -> Project:
        """The project *name*; without a name, the only one.

        Raises:
            ModelError: There is none of that name, or there are several and no name is given.
        """
        return self._catalog.project(name)

    def release(self, project: str | None = None, number: str = "latest") -> Release:
        """A release by number, or the newest one.

        Raises:
            ModelError: There is none of that number, or none at all.
        """
        name = self.project(project).name
        if number != "latest":
            return self.store.release(name, number)
        releases = self.store.releases(name, limit=1)
        if not releases:
            raise ModelError(f"project {name!r} has no release yet; make one with 'octossh release create {name}'")
        return releases[0]

    def releases(self, project: str | None = None, *, limit: int | None = None) -> tuple[Release, ...]:
        """The releases of a project, newest first."""
        return self.store.releases(self.project(project).name, limit=limit)

    def tags(
        self, image: str, *, channel: str | None = None, project: str | None = None, **changes: Unpack[RuleFields]
    ) -> Explanation:
        """Which tags *image* has, which one a channel picks for the next release, and why not the others.

        Args:
            image: A repository that one of the projects runs.
            channel: Of the project; default: its first.
            project: Default: the first project that runs the image.
            **changes: Fields of `octossh.versions.Rule` to try in place of those of the channel.

        Raises:
            ModelError: No project runs it, or a rule is wrong.
            RegistryError: The registry refuses, or the image has no tags.
        """
        owner, found = self._catalog.image(image, project)
        picked = owner.channel(channel)
        rule = attrs.evolve(picked.rule(found.repository), **changes)
        last = last_picked(found, picked, self.store.releases(owner.name, limit=_LOOK_BACK))
        explanation = explain_image(found, self._access.registries.client(found.registry), rule, current=last)
        odd = lint_tags(owner, found, [verdict.tag for verdict in explanation.verdicts])
        return attrs.evolve(explanation, notes=(*explanation.notes, *odd))

    def lint(self, project: str | None = None) -> tuple[str, ...]:
        """What is odd about the channels of a project, or of all: those that overlap, and those that admit nothing.

        It is said of the rules alone; `tags` says it of the tags that there are. No host or registry is asked.
        """
        owners = [self.project(project)] if project else list(self.projects.values())
        return tuple(warning for owner in owners for warning in lint_channels(owner))

    def images(self, text: str = "", *, registry: str | None = None, limit: int = 100) -> Repositories:
        """The repositories of a registry whose name has *text* in it, where the registry tells.

        Args:
            text: Part of the name; empty: all.
            registry: The name of one that a project has images of; default: the only one.
            limit: How many at most.

        Raises:
            ModelError: There is no such registry, or there are several and none is named.
            RegistryError: It could not be asked, or gives no list of its repositories.
        """
        return self._access.registries.search(text, registry, limit=limit)

    # --------------------------------------------------------------- releases

    def create_release(
        self,
        project: str | None = None,
        *,
        channel: str | None = None,
        number: str | None = None,
        versions: Mapping[str, str] | None = None,
        notes: str = "",
    ) -> Release:
        """Pick a version of each image, pin it to its digest, freeze process and variables, and store it.

        Args:
            project: Default: the only one.
            channel: Default: the first of the project.
            number: Default: the next one of the project's mask.
            versions: Tags by repository, for images whose version shall not be chosen.
            notes: Markdown.

        Raises:
            RegistryError: A registry refuses, or an image has no tags.
            PlanError: No tag fits the channel, or only older ones than in the last release of the channel do.
            RecordError: The store cannot be read or written, or has that number already.

        Hosts:
            untouched.
        """
        made = self.project(project)
        picked: Channel = made.channel(channel)
        feeds = {image: self._access.registries.client(image.registry) for image in made.process.images}
        releases = self.store.releases(made.name, limit=_LOOK_BACK) if feeds else ()
        pins = pin_images(made, picked, feeds, versions=versions, releases=releases)

        def make(given: str) -> Release:
            return Release(
                project=made.name,
                number=given,
                channel=picked.name,
                process=made.process,
                variables=made.variables,
                pins=pins,
                created_at=datetime.now(UTC),
                created_by=whoami(),
                notes=notes,
            )

        return self.store.create_release(made.name, made.release_number, make, number=number)

    # -------------------------------------------------------------- deploying

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
        owner = self.projects.get(release.project)
        if owner is not None and mode is not Mode.ROLLBACK:
            check_may_enter(owner, release.number, environment, history)
        secrets, _ = self._access.of(release, environment)
        # Made once without having looked: what is wrong with the description shows before any host is asked.
        make = functools.partial(plan, release, environment, self.targets, secrets=secrets, templates=self._templates)
        made = make(mode=mode or mode_of(release.number, environment, history))
        if self._templates.marks:
            self.render(made)  # a shell here reads the scripts that it would send
        if not look:
            return made
        seen = observe(release, environment, self.targets, self._transport, secrets)
        return make(mode=made.mode, seen=seen)

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

    def promote(self, project: str | None = None, *, to: str, check: bool = True) -> Deployment:
        """Deploy to *to* the release that now stands in the environment before it. Raises as `deploy` does."""
        owner = self.project(project)
        number = to_promote(owner, self._catalog.environment(to), self._history(owner.name))
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
        secrets, logins = self._access.of(plan.release, plan.environment)
        return apply(
            plan,
            self._transport,
            self.store,
            self._deployment(plan),
            secrets=secrets,
            logins=logins,
            login=self._access.login,
            pack=self._access.archive,
            approver=self.approve,
            on_event=self.on_event,
            check=check,
        )

    # ---------------------------------------------------------------- records

    def _history(self, project: str) -> tuple[Deployment, ...]:
        # Tidying up is no standing of a release.
        past = self.store.deployments(project=project, limit=None, outcomes=False)
        return tuple(deployment for deployment in past if deployment.mode is not Mode.PRUNE)

    def history(self, project: str | None = None, *, environment: str | None = None, limit: int | None = 50) -> History:
        """The deployments of a project, or of all; newest first."""
        name = self.project(project).name if project else None
        if environment is not None:
            self._catalog.environment(environment)
        return History(self.store.deployments(project=name, environment=environment, limit=limit))

    def status(self, project: str | None = None) -> Status:
        """What stands where, as the record has it."""
        owners = [self.project(project)] if project else list(self.projects.values())
        return Status(tuple(standing for owner in owners for standing in self._standings(owner)))

    def _standings(self, owner: Project) -> list[Standing]:
        history = self._history(owner.name)
        standings = []
        for name in owner.lifecycle.environments if owner.lifecycle else self.environments:
            made = Standing(project=owner.name, environment=name)
            newest = next((d for d in history if d.environment == name), None)
            if newest is not None:
                made = attrs.evolve(made, last=newest.state, last_release=newest.release)
            if stands := current(history, name):
                made = attrs.evolve(made, release=stands.release, since=stands.finished_at, by=stands.by)
            standings.append(made)
        return standings

    def verify(self) -> Verification:
        """Check the chain of the record: whether anything in it was edited or taken out."""
        return self.store.verify()

    def check(self, environment: str | None = None) -> Checkup:
        """Look at the channels, and at each target of one environment or of all: could it be deployed to?

        What is wrong with a host is in what comes back, and no error.

        Raises:
            ModelError: There is no such environment.

        Hosts:
            untouched.
        """
        if environment is not None:
            self._catalog.environment(environment)
        chosen = [t for t in self.targets if environment is None or environment in t.environments]
        images = (image for project in self.projects.values() for image in project.process.images)
        found = check(chosen, dict.fromkeys(image.registry for image in images), self._transport)
        return attrs.evolve(found, warnings=self.lint())

    # ---------------------------------------------------------------- closing

    def close(self) -> None:
        """Close what is open: connections to hosts and registries, and the store."""
        self._transport.close()
        self._access.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Space({self.store!r}, {len(self.projects)} projects, {len(self.targets)} targets)"
