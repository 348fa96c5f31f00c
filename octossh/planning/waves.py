"""In which order a step goes over its hosts, how many at a time, and who stays out of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from octossh.errors import PlanError
from octossh.model import Rolling, Step, share
from octossh.planning.tasks import Action, Task

if TYPE_CHECKING:
    from octossh.model import Target

__all__ = ["Stage", "rounds"]


@frozen
class Stage:
    """One step over its hosts: waves one after the other, the hosts of a wave beside each other.

    Attributes:
        step: As the release has it.
        waves: Without the hosts that it does not go to.
        count: Of all hosts that it is for, with those that are left out now.
        away: How many of them are left out, since they are offline or in maintenance.
    """

    step: Step
    waves: tuple[tuple[Task, ...], ...]
    count: int = 0
    away: int = 0

    def pieces(self, wave: Sequence[Task], down: int) -> Iterator[tuple[Task, ...]]:
        """*wave* as it can be worked on now that *down* of the hosts have failed; nothing where it cannot at all."""
        room = self.room(down)
        size = len(wave) if room is None else min(room, len(wave))
        for start in range(0, len(wave) if size > 0 else 0, max(1, size)):
            yield tuple(wave[start : start + size])

    def room(self, down: int) -> int | None:
        """How many hosts may be in work at once while *down* others have failed; None: any number."""
        healthy = self.step.rolling.healthy if self.step.rolling else 0
        return self.count - self.away - down - share(healthy, self.count, up=True) if healthy else None

    def __str__(self) -> str:
        """What there is to say of its order; empty where all of its hosts are done at once."""
        rolling = self.step.rolling or Rolling()
        sizes = [len(wave) for wave in self.waves]
        said = []
        if self.step.start == "with_previous":
            said.append("beside the step before")
        if rolling.by:
            said.append(f"one {rolling.by} after the other")
        if len(sizes) > 1 and self.step.runs_on == "each":
            said.append(f"in waves of {_listed(sizes)} hosts")
        if len(sizes) > 1 and rolling.pause_s:
            said.append(f"{rolling.pause_s:g} s between them")
        if len(sizes) > 1 and rolling.approve:
            said.append("each but the first approved by somebody")
        if rolling.healthy:
            said.append(f"{share(rolling.healthy, self.count, up=True)} of {self.count} stay out of it at each moment")
        if rolling.parallel:
            said.append(f"at most {rolling.parallel} at once")
        if self.step.retry:
            said.append(f"tried up to {self.step.retry.times + 1} times")
        return ", ".join(said)


def _listed(sizes: Sequence[int]) -> str:
    shown = [str(size) for size in (sizes if len(sizes) <= 8 else sizes[:5])]
    return f"{', '.join(shown)}, ..." if len(sizes) > 8 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def rounds(steps: Iterable[Step], tasks: Iterable[Task], away: frozenset[str]) -> tuple[tuple[Stage, ...], ...]:
    """The stages of *tasks*, those together that run beside each other.

    Args:
        steps: In the order of the process.
        tasks: Of all of them.
        away: Names of targets that are left out.

    Raises:
        PlanError: So many hosts shall stay out of a step that it could never work on any.
    """
    by_step: dict[str, list[Task]] = {}
    for task in tasks:
        by_step.setdefault(task.step.name, []).append(task)
    made: list[list[Stage]] = []
    for step in steps:
        if not made or step.start == "after_previous":
            made.append([])
        if step.name in by_step:
            made[-1].append(_stage(step, by_step[step.name], away))
    return tuple(tuple(stages) for stages in made if stages)


def _stage(step: Step, tasks: Sequence[Task], away: frozenset[str]) -> Stage:
    due = [task for task in tasks if task.action is not Action.SKIP]
    bare = Stage(step, (), len(tasks), sum(task.target.name in away for task in tasks))
    most = bare.room(0)
    if most is not None and most < 1 and due:
        raise PlanError(
            f"step {step.name!r} could never begin: of its {bare.count} hosts {bare.away} are left out, and "
            f"{share(step.rolling.healthy if step.rolling else 0, bare.count, up=True)} shall stay out of it at each "
            "moment; lower Rolling(healthy=...), or bring hosts back"
        )
    return Stage(step, tuple(_waves(step, due, most)), bare.count, bare.away)


def _waves(step: Step, tasks: Sequence[Task], most: int | None) -> Iterator[tuple[Task, ...]]:
    if step.rolling is None:
        # Until one of them is a manager of a swarm, which only they know.
        size = 1 if step.runs_on == "manager" else max(1, len(tasks))
        yield from (tuple(tasks[start : start + size]) for start in range(0, len(tasks), size))
        return
    kinds: dict[str, list[Task]] = {}
    for task in tasks:
        kinds.setdefault(_kind(step, step.rolling.by, task.target), []).append(task)
    for alike in kinds.values():
        start = 0
        for size in step.rolling.waves(len(alike), most=most):
            yield tuple(alike[start : start + size])
            start += size


def _kind(step: Step, by: str, target: Target) -> str:
    if by == "role":
        return next((role for role in target.roles if not step.roles or role in step.roles), "")
    return target.labels.get(by, "") if by else ""
