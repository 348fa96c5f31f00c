"""Which steps may go to a host in one script, since nothing has to be decided between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from octossh.model import CONTROLLER

if TYPE_CHECKING:
    from octossh.model import Step
    from octossh.planning.plans import Plan
    from octossh.planning.tasks import Task
    from octossh.planning.waves import Stage

__all__ = ["together"]

_KINDS = frozenset(
    {"create_network", "create_volume", "pull_image", "put_file", "run_container", "stop_resource", "wait_for"}
)
_PREPARING = frozenset({"create_network", "create_volume", "pull_image"})


def together(plan: Plan) -> Mapping[tuple[str, str], tuple[Task, ...]]:
    """The tasks that may be sent behind another one, in their order, by step and target of that one.

    Only steps that look first what is done already are in it, so that any of them may be sent once more. Between
    two of them there is no wave, no approval, no condition, and no step beside them. Where there are several hosts,
    a step is sent behind others only if these prepare its own host and nothing else: otherwise it waits for all
    hosts, as ever.
    """
    hosts = {task.target.name for task in plan.tasks if task.target is not CONTROLLER}
    if plan.templates.marks or plan.rollout.per_gateway or len(hosts) > plan.rollout.parallel:
        return {}
    made: dict[tuple[str, str], tuple[Task, ...]] = {}
    for run in _runs(plan, several=len(hosts) > 1):
        by_host: dict[str, list[Task]] = {}
        for stage in run:
            for task in stage.waves[0]:
                by_host.setdefault(task.target.name, []).append(task)
        for tasks in by_host.values():
            if tasks[0].target.images == "push":
                continue
            for place, task in enumerate(tasks[:-1], 1):
                made[task.step.name, task.target.name] = tuple(tasks[place:])
    return made


def _runs(plan: Plan, *, several: bool) -> Iterator[list[Stage]]:
    """Stages that come one after the other without anything between them."""
    run: list[Stage] = []
    for stages in plan.rounds:
        if not any(stage.waves for stage in stages):
            continue
        if run and several and not _prepares(run[-1].step):
            yield run
            run = []
        if len(stages) == 1 and _plain(stages[0]):
            run.append(stages[0])
            continue
        yield run
        run = []
    yield run


def _plain(stage: Stage) -> bool:
    step = stage.step
    usual = step.when == "success" and step.runs_on == "each" and step.rolling is None
    return usual and step.kind in _KINDS and len(stage.waves) == 1


def _prepares(step: Step) -> bool:
    """Whether *step* only adds to its own host what others use there."""
    if step.kind not in _PREPARING or step.required or getattr(step, "replace", False):
        return False
    return step.kind != "create_network" or getattr(step, "driver", None) != "overlay"
