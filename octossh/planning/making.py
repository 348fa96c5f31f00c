"""Making a plan out of a release, targets, and what was seen of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from octossh.errors import ModelError, PlanError, did_you_mean
from octossh.model import (
    Mode,
    Options,
    Pairs,
    Resource,
    Rollout,
    SecretRef,
    Templates,
    grouped,
    is_container_step,
    is_prune,
    is_run_container,
    is_stop_resource,
    is_swarm_service,
)
from octossh.planning.groups import judge_group, with_values
from octossh.planning.hosts import is_primary
from octossh.planning.leaving import leave_out, meant
from octossh.planning.opting import check_skips, chosen_targets, skipped, with_said
from octossh.planning.plans import Plan
from octossh.planning.puts import file_facts, judge_file
from octossh.planning.resolving import Facts, Resolver
from octossh.planning.suiting import unserved, unsuited
from octossh.planning.tasks import Action, Task, changes_between
from octossh.planning.wanting import differing, next_name, old_name
from octossh.templating import NotYetKnown, references

if TYPE_CHECKING:
    from octossh.model import Prune, Release, Snapshot, Step, StopResource, Target
    from octossh.planning.wanting import Wanted
    from octossh.shell import Secret

__all__ = ["plan", "secrets_of"]


def plan(
    release: Release,
    environment: str,
    targets: Sequence[Target],
    *,
    mode: Mode = Mode.DEPLOY,
    seen: Mapping[str, Snapshot] | None = None,
    secrets: Mapping[str, Secret] | None = None,
    templates: Templates | None = None,
    rollout: Rollout | None = None,
    skip: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Plan:
    """What deploying *release* to the targets of *environment* would do.

    Args:
        release: What is deployed.
        environment: The name of the environment.
        targets: All targets that there are; those of the environment are taken.
        mode: What it is.
        seen: A snapshot for each target of the environment; None: the hosts decide when their turn comes.
        secrets: A value for each secret that `secrets_of` names.
        templates: Of the user, in front of ours.
        rollout: How it goes over its hosts.
        skip: Names of targets that are left out, with the reason, such as that they are offline. Those in maintenance
            are left out in any case.
        options: What is said for this one deployment.

    Raises:
        PlanError: No target stands there, a step reaches none, too few hosts are left, or a snapshot or secret is
            missing.
        ModelError: An expression fails, or an option names what is not there.
        Refused: An approval is to be skipped.
    """
    options = options or Options()
    every = _resolver(release, environment, targets, options, mode, secrets or {}, templates or Templates())
    bare = Plan(release=every.release, environment=environment, mode=mode, rollout=rollout or Rollout())
    made = _made(every, attrs.evolve(bare, options=options, left_out=every.left_out), seen, skip or {})
    made.rounds  # noqa: B018 - what cannot be kept of its waves shows now
    return made


def _made(every: Resolver, bare: Plan, seen: Mapping[str, Snapshot] | None, skip: Mapping[str, str]) -> Plan:
    """*bare* with its tasks; *every* knows also the targets that are not there."""
    there, away = leave_out(every.targets, bare.rollout, skip)
    resolver = attrs.evolve(every, targets=there)
    if seen is not None and (unseen := [target.name for target in there if target.name not in seen]):
        raise PlanError(f"target {unseen[0]!r} was not looked at; observe it first")
    maker = _Maker(resolver, seen, bare.options)
    steps = [step for step in every.release.process.steps if step.name not in bare.options.skip]
    tasks = [
        maker.task(step, target)
        if target.name not in away
        else Task(step=step, target=target, action=Action.SKIP, why=away[target.name])
        for step in steps
        if every.hosts(step)  # of what the options leave, there may be none
        for target in meant(step, there, every.targets)
    ]
    return attrs.evolve(
        bare,
        targets=there,
        tasks=tuple(tasks),
        observed=seen is not None,
        notes=(*_primary_notes(resolver), *maker.notes()),
        templates=resolver.templates,
        skipped=Pairs(away),
    )


def _primary_notes(resolver: Resolver) -> list[str]:
    return [
        f"step {step.name!r}: no target here is {step.primary}, so {hosts[0].name} comes first"
        for step in resolver.release.process.steps
        if step.primary and (hosts := resolver.hosts(step)) and not is_primary(step, hosts[0])
    ]


def _resolver(
    release: Release,
    environment: str,
    targets: Sequence[Target],
    options: Options,
    mode: Mode,
    secrets: Mapping[str, Secret],
    templates: Templates,
) -> Resolver:
    """What evaluates the steps, for what the options leave of release and targets."""
    every = tuple(target for target in targets if environment in target.environments)
    if not every:
        known = {name for target in targets for name in target.environments}
        raise PlanError(f"no target stands in environment {environment!r}; {did_you_mean(environment, known)}")
    here, left_out = chosen_targets(environment, every, options)
    release = with_said(release, environment, options)
    check_skips(release, options)
    _check_reach(Resolver(release, environment, every))
    return Resolver(release, environment, here, secrets, templates, mode, left_out)


def _check_reach(resolver: Resolver) -> None:
    for step in resolver.release.process.steps:
        if not resolver.hosts(step):
            roles = {role for target in resolver.targets for role in target.roles}
            wanted = sorted(step.roles)
            raise PlanError(
                f"step {step.name!r} is for role {wanted[0]!r}, which no target in {resolver.environment!r} has; "
                f"{did_you_mean(wanted[0], roles)}"
            )


def secrets_of(release: Release, environment: str | None = None) -> frozenset[str]:
    """The names of the secrets that *release* refers to, but for variables of another environment than this."""
    here = {None, environment} if environment is not None else {variable.environment for variable in release.variables}
    values: list[Any] = [variable.value for variable in release.variables if variable.environment in here]
    held = frozenset(value.name for value in values if isinstance(value, SecretRef))
    return held.union(*(step.secrets for step in release.process.steps))


_PULLING = {Action.CREATE, Action.REPLACE, Action.PULL, Action.RUN}
_UP = {"running", "restarting", "paused"}  # what docker ps shows without -a


def _foreign(seen: Resource) -> str:
    owner = f"belongs to {seen.project} {seen.environment}, step {seen.step}" if seen.project else "is not ours"
    return f"the {seen.kind} {seen.name} {owner}; remove it, or give this step another name"


class _Maker:
    """Goes through the steps in order and keeps in mind what each leaves behind."""

    def __init__(self, resolver: Resolver, seen: Mapping[str, Snapshot] | None, options: Options) -> None:
        self.resolver = resolver
        self.seen = seen
        self.options = options
        self.there = {name: list(snapshot.resources) for name, snapshot in (seen or {}).items()}
        self.known: dict[tuple[str, str], Facts] = {}
        self.files: dict[tuple[str, str], str] = {}
        self.odd: list[str] = []

    def task(self, step: Step, target: Target) -> Task:
        """What *step* does on *target*, if its condition holds."""
        if step.when == "success":
            return self._task(step, target)
        if step.when == "failure":
            with contextlib.suppress(NotYetKnown):  # what is wrong with it shows now, and not after a failure
                self.resolver.resolve(step, target, self.known)
            return Task(step=step, target=target, action=Action.DECIDE, why="only after a failure")
        try:
            holds, when = self.resolver.holds(step, target, self.known, failed=False), "also after a failure"
        except NotYetKnown:
            holds, when = True, f"if {step.when}"
        if step.when != "always" and "failed" in references(step.when, where=step.name).names:
            holds, when = True, f"if {step.when}"
        if not holds:
            return Task(step=step, target=target, action=Action.SKIP, why=f"not needed: {step.when} is false")
        made = self._task(step, target)
        told = when if step.when == "always" or when != "also after a failure" else ""
        return attrs.evolve(made, why="; ".join(filter(None, (made.why, told))))

    def _task(self, step: Step, target: Target) -> Task:
        try:
            resolved = self.resolver.resolve(step, target, self.known)
        except NotYetKnown as unknown:
            return self._later(step, target, unknown.step)
        wanted = self.resolver.wanted(resolved)
        made = Task(step=resolved, target=target, action=Action.DECIDE, wanted=wanted)
        if why := unsuited(resolved, target, self.resolver.secrets) or self._other_system(target):
            return attrs.evolve(made, action=Action.REFUSE, why=why)
        if is_stop_resource(resolved):
            return self._stop(made, resolved) if self.seen is not None else made
        if is_prune(resolved):
            return self._prune(made, resolved) if self.seen is not None else made
        if wanted is not None and wanted.kind == "file":
            self._own(step, target, wanted.name)
        if wanted is None or not resolved.keeps:
            return self._served(attrs.evolve(made, action=Action(resolved.verb), why=resolved.purpose))
        if self.seen is None:
            return made
        if wanted.parts:
            through = self._through(made) if step.runs_on == "manager" else None
            return through or self._served(self._keep_group(made, wanted))
        if wanted.kind == "file":
            return self._keep_file(made, wanted)
        kept = self._served(self._keep(made, wanted))
        if kept.action not in {Action.KEEP, Action.REFUSE}:
            self._leave(step, target, wanted.kind, wanted.name, wanted.spec)
        return kept

    def _keep_group(self, task: Task, wanted: Wanted) -> Task:
        step, there = task.step, self.there[task.target.name]
        kind = next(iter(wanted.parts.values())).kind
        seen = [resource for resource in there if resource.kind == kind and resource.group == wanted.name]
        if is_swarm_service(step):  # it shares its stack with others
            seen = [resource for resource in seen if resource.member in wanted.parts]
        for resource in seen:
            if not self._ours(resource, step.name):
                return attrs.evolve(task, action=Action.REFUSE, why=_foreign(resource))
        action, why, changes = judge_group(wanted, seen)
        if action is Action.KEEP:
            facts = seen[0].inspect if is_swarm_service(step) else grouped(wanted.name, seen)
            self._know(step, task.target, Facts(facts))
            return attrs.evolve(task, action=action, why=why)
        self.there[task.target.name] = [other for other in there if other not in seen]
        for name, part in wanted.parts.items():
            docker_name = f"{wanted.name}_{name}" if kind == "service" else f"{wanted.name}-{name}-1"
            self._leave(step, task.target, kind, docker_name, part.spec, group=wanted.name, member=name)
        return attrs.evolve(task, action=action, why=why, changes=changes)

    def _know(self, step: Step, target: Target, facts: Facts) -> None:
        for place in self.resolver.hosts(step) if step.runs_on == "manager" else (target,):
            self.known[step.name, place.name] = facts

    def _through(self, task: Task) -> Task | None:
        """What a step that goes through a manager of a swarm does on a target which is not the one; else None."""
        assert self.seen is not None
        hosts = self.resolver.hosts(task.step)
        swarm = {target.name: self.seen[target.name].swarm for target in hosts}
        manager = next((name for name, part in swarm.items() if part == "manager"), None)
        if manager == task.target.name:
            return None
        if manager is not None:
            return attrs.evolve(task, action=Action.KEEP, why=f"done through {manager}")
        where = ", ".join(
            f"{name} is {'a worker' if part == 'worker' else 'in no swarm'}" for name, part in swarm.items()
        )
        why = f"no target of this step is a manager of a swarm: {where}; give it the role of one"
        return attrs.evolve(task, action=Action.REFUSE, why=why)

    def _own(self, step: Step, target: Target, path: str) -> None:
        """A file has one step that writes it."""
        other = self.files.setdefault((target.name, path), step.name)
        if other != step.name:
            project = self.resolver.release.project
            raise ModelError(
                f"{project}: steps {other!r} and {step.name!r} both keep the file {path} on {target.name!r}; "
                "give one of them another path"
            )

    def _keep_file(self, task: Task, wanted: Wanted) -> Task:
        there = self.there[task.target.name]
        seen = next((resource for resource in there if (resource.kind, resource.name) == ("file", wanted.name)), None)
        action, why, changes = judge_file(wanted, seen)
        if action is Action.KEEP and seen is not None:
            self.known[task.step.name, task.target.name] = Facts(file_facts(wanted, seen.inspect), {"changed": ""})
        return attrs.evolve(task, action=action, why=why, changes=changes)

    def _later(self, step: Step, target: Target, after: str) -> Task:
        """A task that cannot be worked out before the step *after* has run."""
        if after in self.options.skip:
            raise skipped(self.resolver.release, step.name, after)
        names = [other.name for other in self.resolver.release.process.steps]
        if names.index(after) >= names.index(step.name):
            raise ModelError(
                f"{self.resolver.release.project}: step {step.name!r} on {target.name!r} reads step {after!r}, "
                "which does not run before it; move that one up"
            )
        if self.seen is not None and step.keeps:
            self._leave(step, target, step.keeps, self.resolver.docker_name(step, target) or step.name, "")
        return Task(step=step, target=target, action=Action.DECIDE, why=f"(known after {after!r})", after=after)

    def _leave(
        self, step: Step, target: Target, kind: str, name: str, spec: str, group: str = "", member: str = ""
    ) -> None:
        """Keep in mind what *step* will leave, for the steps after it."""
        release = self.resolver.release
        made = Resource(
            kind=kind,
            name=name,
            id="",
            project=release.project,
            environment=self.resolver.environment,
            step=step.name,
            release=release.number,
            spec=spec,
            status="running" if kind in {"container", "service"} else "",
            group=group,
            member=member,
        )
        gone = {(kind, name), (kind, old_name(name))}
        others = [seen for seen in self.there[target.name] if (seen.kind, seen.name) not in gone]
        self.there[target.name] = [*others, made]

    def _ours(self, resource: Resource, step: str | None = None) -> bool:
        mine = (self.resolver.release.project, self.resolver.environment)
        return (resource.project, resource.environment) == mine and step in {None, resource.step}

    def _stop(self, task: Task, step: StopResource) -> Task:
        there = self.there[task.target.name]
        kinds = {"container": True, "service": step.remove, "network": step.networks, "volume": step.volumes}
        stays = self._stays(task.target) if step.releases == "older" else lambda _: False
        matched = [
            resource
            for resource in there
            if kinds.get(resource.kind)
            and self._ours(resource)
            and (not step.steps or resource.step in step.steps)
            and (step.remove or resource.status in _UP)
            and not stays(resource)
            and not self._of_swarm(resource, task.target)
        ]
        if not matched:
            return attrs.evolve(task, action=Action.KEEP, why="nothing matches")
        self.there[task.target.name] = [resource for resource in there if resource not in matched]
        if not step.remove:
            self.there[task.target.name] += [attrs.evolve(resource, status="exited") for resource in matched]
        verb = "remove" if step.remove else "stop"
        return attrs.evolve(task, action=Action.STOP, why=f"{verb} {', '.join(resource.name for resource in matched)}")

    def _of_swarm(self, resource: Resource, target: Target) -> bool:
        """Whether it is a network of a swarm on a worker, where it goes by itself."""
        assert self.seen is not None
        return resource.inspect.get("Scope") == "swarm" and self.seen[target.name].swarm != "manager"

    def _prune(self, task: Task, step: Prune) -> Task:
        gone = [
            f"{seen.kind} {seen.name}"
            for seen in self.there[task.target.name]
            if (seen.kind == "image" and seen.name in step.images)
            or (
                seen.kind == "container"
                and self._ours(seen)
                and seen.status not in _UP
                and not (seen.release in step.keep or seen.name in step.containers or seen.step in step.steps)
                and not seen.name.endswith((old_name(""), next_name("")))
            )
        ]
        if not gone:
            return attrs.evolve(task, action=Action.KEEP, why="nothing to remove")
        return attrs.evolve(task, action=Action.STOP, why=f"remove {', '.join(gone)}")

    def _stays(self, target: Target) -> Callable[[Resource], bool]:
        """Whether this release made it, or has a step that keeps it."""
        kept, spared = self.resolver.kept(target)
        number = self.resolver.release.number
        return lambda seen: seen.release == number or (seen.kind, seen.name) in kept or seen.step in spared

    def _platform(self, target: Target) -> str:
        """What docker runs there; empty where nobody has looked, as on the controller."""
        return self.seen[target.name].platform if self.seen and target.name in self.seen else ""

    def _other_system(self, target: Target) -> str:
        platform = self._platform(target)
        if not platform or platform.startswith("linux/"):
            return ""
        return f"docker there runs containers of {platform}; octossh deploys Linux containers: give a Linux host"

    def _served(self, task: Task) -> Task:
        """*task*, refused if it would pull an image that is not built for the host, or for what the step says."""
        if self.seen is None or task.action not in _PULLING:
            return task
        why = unserved(task.step, self.resolver.release, self._platform(task.target))
        if why and task.step.runs_on == "manager":
            self.odd.append(f"{task.target.name}: step {task.step.name!r}: {why}; swarm decides where its tasks run")
        elif why:
            return attrs.evolve(task, action=Action.REFUSE, why=why, changes=())
        return task

    def _keep(self, task: Task, wanted: Wanted) -> Task:
        seen = {(resource.kind, resource.name): resource for resource in self.there[task.target.name]}
        main, old = seen.get((wanted.kind, wanted.name)), seen.get((wanted.kind, old_name(wanted.name)))
        # Beside one set aside stands one that has yet to prove itself: it stays only if it is the wanted one.
        there = old if old is not None and (main is None or main.spec != wanted.spec) else main
        if there is None:
            action = Action.PULL if wanted.kind == "image" else Action.CREATE
            return attrs.evolve(task, action=action, why=f"{wanted.kind} {wanted.name} is not there")
        if wanted.kind == "image":
            # Nobody's own, and the same bytes wherever it came from.
            self.known[task.step.name, task.target.name] = Facts(there.inspect)
            return attrs.evolve(task, action=Action.KEEP)
        for resource in (main, old):
            if resource is not None and not self._ours(resource, task.step.name):
                return attrs.evolve(task, action=Action.REFUSE, why=_foreign(resource))
        changes = changes_between(with_values(there), wanted.fields)
        if there.spec != wanted.spec:
            if not task.step.replaces:
                return attrs.evolve(task, action=Action.REFUSE, why=differing(wanted), changes=changes)
            if wanted.kind == "network":
                if strangers := self._strangers(there, task.target):
                    why = f"the network {wanted.name} differs, and {strangers[0]} hangs on it, which is not ours"
                    return attrs.evolve(task, action=Action.REFUSE, why=why, changes=changes)
                self._let_go(task.target, wanted.name)
            return attrs.evolve(task, action=Action.REPLACE, why=self._step_up(there), changes=changes)
        if old is not None:
            action = Action.START if there is old else Action.REPLACE
            return attrs.evolve(task, action=action, why="an earlier run was cut short")
        if there.status == "created":
            return attrs.evolve(task, action=Action.CREATE, why="an earlier run ended before it was complete")
        if wanted.kind == "container" and there.status != "running":
            return attrs.evolve(task, action=Action.START, why=f"it is {there.status}")
        if there.health == "unhealthy":
            return attrs.evolve(task, action=Action.REPLACE, why="it is unhealthy")
        if apart := _apart(task.step, there):
            return attrs.evolve(task, action=Action.UPDATE, why=f"it is not in network {', '.join(apart)}")
        if policy := _other_policy(task.step, there):
            return attrs.evolve(task, action=Action.UPDATE, why=f"its restart policy is {policy}")
        self.known[task.step.name, task.target.name] = Facts(there.inspect)
        return attrs.evolve(task, action=Action.KEEP)

    def _strangers(self, network: Resource, target: Target) -> list[str]:
        """The containers on *network* that do not belong to this project and environment."""
        ours = {seen.id for seen in self.there[target.name] if seen.kind == "container" and self._ours(seen)}
        members: Mapping[str, Any] = network.inspect.get("Containers") or {}
        return [str(facts.get("Name", key)) for key, facts in members.items() if key not in ours]

    def _let_go(self, target: Target, network: str) -> None:
        """Keep in mind that *network* is made anew, and that no container is in it then."""
        self.there[target.name] = [
            attrs.evolve(seen, inspect=_without_network(seen.inspect, network)) if seen.kind == "container" else seen
            for seen in self.there[target.name]
        ]

    def _step_up(self, there: Resource) -> str:
        return f"made by release {there.release}" if there.release else ""

    def notes(self) -> tuple[str, ...]:
        """What is odd, and what bears our labels and belongs to no step any more."""
        steps = {step.name for step in self.resolver.release.process.steps}
        left = (
            f"{target}: {resource.kind} {resource.name} belongs to step {resource.step!r}, which this release has not; "
            f"StopResource(..., steps=[{resource.step!r}]) removes it"
            for target, resources in self.there.items()
            for resource in resources
            if self._ours(resource) and resource.step not in steps
        )
        return (*self.odd, *left)


def _networks(inspect: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (inspect.get("NetworkSettings") or {}).get("Networks")


def _without_network(inspect: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    joined = {other: facts for other, facts in (_networks(inspect) or {}).items() if other != name}
    settings = inspect.get("NetworkSettings") or {}
    return {**inspect, "NetworkSettings": {**settings, "Networks": joined}} if settings else inspect


def _apart(step: Step, there: Resource) -> list[str]:
    """The networks that the container of *step* is not in, though it should be."""
    joined = _networks(there.inspect)
    if joined is None or not is_container_step(step):
        return []
    return [name for name in step.network_names if name not in joined]


def _other_policy(step: Step, there: Resource) -> str | None:
    """The restart policy of the container of *step*, where it is not the wanted one."""
    wanted = step.restart.partition(":")[0] if is_run_container(step) else "no"
    given = ((there.inspect.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"
    return None if wanted == "no" or "HostConfig" not in there.inspect or given == wanted else given
