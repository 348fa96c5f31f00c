"""Plans: what a deployment does on which host, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import field, frozen

from octossh.model import CONTROLLER, Described, Mode, Options, Pairs, Release, Rollout, Table, Target, Templates
from octossh.planning.resolving import Resolver
from octossh.planning.tasks import Action, Task
from octossh.planning.waves import Stage, rounds
from octossh.shell import Secret

__all__ = ["Plan"]


@frozen(kw_only=True)
class Plan(Described):
    """What would happen on which host, and why. The same object is applied.

    Attributes:
        release: What is deployed.
        environment: Where to.
        mode: What it is, beside what succeeded there last.
        targets: The targets of the environment that it goes to.
        tasks: In the order of the process, and of the targets.
        observed: Whether the hosts were looked at. If not, each host decides when its turn comes.
        notes: What else there is to know.
        templates: Of the user, with which it was made and is applied.
        rollout: How it goes over its hosts.
        skipped: Names of targets that are left out, with the reason: offline, or in maintenance.
        options: What was said for this one deployment.
        left_out: Names of targets of the environment that it does not go to.
        said: Values of secrets that were said for it; they stand in memory only.
    """

    release: Release
    environment: str
    mode: Mode = Mode.DEPLOY
    targets: tuple[Target, ...] = ()
    tasks: tuple[Task, ...] = ()
    observed: bool = False
    notes: tuple[str, ...] = ()
    templates: Templates = field(factory=Templates)
    rollout: Rollout = field(factory=Rollout)
    skipped: Pairs[str] = field(factory=Pairs)
    options: Options = field(factory=Options)
    left_out: tuple[str, ...] = ()
    said: Mapping[str, Secret] = field(factory=dict, repr=False, eq=False)

    def resolver(self, secrets: Mapping[str, Secret]) -> Resolver:
        """What evaluates its steps; *secrets* are their values by name."""
        return Resolver(self.release, self.environment, self.targets, secrets, self.templates, self.mode, self.left_out)

    @property
    def has_changes(self) -> bool:
        """Whether applying it may change a host."""
        return any(task.changing for task in self.tasks)

    @property
    def refusals(self) -> tuple[Task, ...]:
        """What cannot be done; a plan with such is not applied."""
        return tuple(task for task in self.tasks if task.action is Action.REFUSE)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The tasks by step and wave."""
        return tuple(stage for beside in self.rounds for stage in beside)

    @cached_property
    def rounds(self) -> tuple[tuple[Stage, ...], ...]:
        """The stages; those stand together that run beside each other.

        Raises:
            PlanError: So many hosts shall stay out of a step that it could never work on any.
        """
        return rounds(self.release.process.steps, self.tasks, frozenset(self.skipped))

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "project": self.release.project,
            "release": self.release.number,
            "environment": self.environment,
            "mode": self.mode.value,
            "options": self.options.to_dict(),
            "left_out": list(self.left_out),
            "observed": self.observed,
            "has_changes": self.has_changes,
            "tasks": [task.to_dict() for task in self.tasks],
            "waves": {
                stage.step.name: [[task.target.name for task in wave] for wave in stage.waves] for stage in self.stages
            },
            "rollout": self.rollout.to_dict(),
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }

    @property
    def summary(self) -> str:
        """One line: how many of what."""
        if not self.has_changes:
            return "no changes"
        counts = Counter(task.action for task in self.tasks)
        return ", ".join(f"{counts[action]} {_counted(action)}" for action in Action if counts[action])

    @property
    def _head(self) -> str:
        what = f"{self.release.project} {self.release.number} -> {self.environment}"
        return f"{what} ({self.mode.value}): {self.summary}"

    def _by_target(self) -> Iterator[tuple[Target, list[Task]]]:
        found: dict[Target, list[Task]] = {}
        for task in self.tasks:
            found.setdefault(task.target, []).append(task)
        yield from ((target, found[target]) for target in (*self.targets, CONTROLLER) if target in found)

    def _more(self) -> Iterator[str]:
        """What there is to say beside the tasks."""
        yield from (f"without {name}: {why}" for name, why in self.skipped.items())
        yield from (f"order: {stage.step.name}: {said}" for stage in self.stages if (said := str(stage)))
        yield from (f"order: {said}" for said in _rollout_words(self.rollout, len(self.targets)))

    def tables(self) -> tuple[Table, ...]:
        """One row for each step on each host."""
        rows = [
            (task.target.name, task.step.name, f"{task.action.mark} {task.action.value}", _reasons(task))
            for _, tasks in self._by_target()
            for task in tasks
        ]
        notes = (*([str(self.options)] if self.options else []), *self._more(), *self.notes)
        head = ("host", "step", "action", "why")
        return (Table(head=head, rows=rows, caption=self._head, empty=f"{self._head}: no step", notes=notes),)

    def __str__(self) -> str:
        lines = [self._head, *([f"  {self.options}"] if self.options else [])]
        for target, tasks in self._by_target():
            lines += _on_target(target, tasks)
        lines += [f"  {said}" for said in self._more()]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _reasons(task: Task) -> str:
    return "\n".join([*([task.why] if task.why else []), *map(str, task.changes)])


def _on_target(target: Target, tasks: list[Task]) -> list[str]:
    roles = f" ({', '.join(target.roles)})" if target.roles else ""
    lines = [f"  {target.name}{roles}"]
    for task in tasks:
        why = f"  {task.why}" if task.why else ""
        lines.append(f"    {task.action.mark} {task.action.value:9} {task.step.name}{why}")
        lines += [f"        {change}" for change in task.changes]
    return lines


def _rollout_words(rollout: Rollout, count: int) -> list[str]:
    """What *rollout* says, where it is not the usual."""
    said = []
    usual = Rollout()
    ends = {
        "stop": "nothing more is started",
        "continue": "the others go on, and it counts as failed",
        "rollback": "nothing more is started, and the changed hosts get back what stood there before",
    }
    if (rollout.max_failures, rollout.on_failure) != (usual.max_failures, usual.on_failure):
        said.append(
            f"when more than {rollout.tolerated(count)} of {count} hosts have failed, {ends[rollout.on_failure]}"
        )
    if rollout.offline == "skip":
        least = ", ".join(f"{amount} of role {role}" for role, amount in rollout.at_least.items())
        said.append(f"hosts that are offline are left out{f', if {least} are there' if least else ''}")
    if rollout.parallel < usual.parallel:
        said.append(f"at most {rollout.parallel} hosts at once")
    if rollout.per_gateway:
        said.append(f"at most {rollout.per_gateway} hosts behind one gateway at once")
    if rollout.timeout_s is not None:
        said.append(f"nothing is started later than {rollout.timeout_s:g} s after the start")
    return said


_COUNTED = {
    Action.KEEP: "unchanged",
    Action.DECIDE: "to decide on the host",
    Action.REFUSE: "refused",
    Action.SKIP: "left out",
}


def _counted(action: Action) -> str:
    return _COUNTED.get(action, f"to {action.value}")
