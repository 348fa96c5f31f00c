"""With which step a deployment is through with a host."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from octossh.model import CONTROLLER
from octossh.planning.tasks import Action

if TYPE_CHECKING:
    from octossh.planning.plans import Plan

__all__ = ["last_steps"]


def last_steps(plan: Plan) -> frozenset[tuple[str, str]]:
    """By step and target: behind this one, if it succeeds, nothing more is done there.

    A host has none where that is not known before: where the last step has a condition of its own, or others beside it.
    """
    known: set[str] = {CONTROLLER.name}
    last = set()
    for stages in reversed(plan.rounds):
        tasks = [
            task
            for stage in stages
            for wave in stage.waves
            for task in wave
            if task.action is not Action.SKIP and task.step.scripted and task.step.when != "failure"
        ]
        here = Counter(task.target.name for task in tasks)
        for task in tasks:
            name = task.target.name
            if name not in known and here[name] == 1 and task.step.when in {"success", "always"}:
                last.add((task.step.name, name))
        known |= set(here)
    return frozenset(last)
