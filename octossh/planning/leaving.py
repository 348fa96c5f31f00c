"""Hosts that a deployment goes without: in maintenance, or offline where that is allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from octossh.errors import PlanError
from octossh.model import Pairs, share
from octossh.planning.hosts import hosts_of
from octossh.planning.tasks import Action, Task

if TYPE_CHECKING:
    from octossh.model import Rollout, Step, Target
    from octossh.planning.plans import Plan

__all__ = ["leave_out", "meant", "without"]


def leave_out(
    targets: Sequence[Target], rollout: Rollout, why: Mapping[str, str]
) -> tuple[tuple[Target, ...], dict[str, str]]:
    """The targets that are there, and the names of the others with the reason.

    Raises:
        PlanError: Too few are left.
    """
    away = {
        target.name: why.get(target.name) or f"in maintenance: {target.maintenance}"
        for target in targets
        if target.name in why or target.maintenance
    }
    there = tuple(target for target in targets if target.name not in away)
    if not away:
        return there, away
    named = "; ".join(f"{name} is {reason}" for name, reason in list(away.items())[:3])
    if not there:
        raise PlanError(f"no target is left to deploy to: {named}")
    for role, amount in rollout.at_least.items():
        able = [target for target in targets if role in target.roles]
        left = sum(target.name not in away for target in able)
        if left < share(amount, len(able), up=True):
            raise PlanError(
                f"{left} of {len(able)} hosts of role {role!r} are there, and at least {amount} have to be: {named}"
            )
    return there, away


def meant(step: Step, there: Sequence[Target], every: Sequence[Target]) -> tuple[Target, ...]:
    """The targets that *step* is for, those that are left out among them; *there* are those that are not.

    Raises:
        PlanError: None is left.
    """
    hosts = hosts_of(step, there)
    if not hosts:
        raise PlanError(f"no host is left for step {step.name!r}: all that it is for are offline or in maintenance")
    return hosts if step.runs_on in {"one", "controller"} else hosts_of(step, every)


def without(plan: Plan, away: Mapping[str, str]) -> Plan:
    """*plan* for the hosts that are there.

    Args:
        plan: For all of them.
        away: Names of the others, with the reason.

    Raises:
        PlanError: Too few are left.
    """
    there, away = leave_out(plan.targets, plan.rollout, away)
    by_step: dict[str, list[Task]] = {}
    for task in plan.tasks:
        by_step.setdefault(task.step.name, []).append(task)
    tasks: list[Task] = []
    for step in plan.release.process.steps:
        old = {task.target.name: task for task in by_step.get(step.name, ())}
        every = meant(step, there, plan.targets) if old else ()
        for target in every:
            if target.name in away:
                tasks.append(Task(step=step, target=target, action=Action.SKIP, why=away[target.name]))
            else:
                other = Task(step=step, target=target, action=Action.DECIDE, why="in place of a host that is left out")
                tasks.append(old.pop(target.name, other))
        tasks += [task for task in old.values() if task.target.name in plan.skipped]
    return attrs.evolve(plan, targets=there, tasks=tuple(tasks), skipped=Pairs({**plan.skipped, **away}))
