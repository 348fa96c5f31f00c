"""How a deployment ended: on each host, and as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from octossh.model import Outcome, State, is_approve
from octossh.planning import Action

if TYPE_CHECKING:
    from octossh.deploying.budget import Budget
    from octossh.deploying.control import Control
    from octossh.deploying.journal import Journal
    from octossh.model import Deployment, Pause
    from octossh.planning import Plan, Task

__all__ = ["ended", "given_up"]

_BAD = {State.FAILED, State.UNKNOWN}


def ended(
    plan: Plan,
    deployment: Deployment,
    journal: Journal,
    control: Control,
    budget: Budget,
    idle: Mapping[tuple[str, str], str],
    sent: Callable[[Task], bool],
) -> Deployment:
    """*deployment* with its end.

    Args:
        plan: What was applied.
        deployment: As it began.
        journal: What came of it.
        control: Whether it was stopped.
        budget: Which hosts have failed.
        idle: Why steps did not run on hosts, by step and target, where they were not needed.
        sent: Whether one that did not begin went to its host together with another one, and may have begun there.
    """
    outcomes = []
    for task in plan.tasks:
        place = task.step.name, task.target.name
        done = journal.outcomes.get(place)
        outcomes.append(
            done
            if done is not None
            else _missing(plan, task, journal, control, budget, idle.get(place, ""), sent=sent(task))
        )
    bad = [outcome for outcome in outcomes if outcome.state in _BAD]
    state = budget.state
    if control.stopping and not control.late:
        state = State.INTERRUPTED
    elif control.late or journal.broken is not None:
        state = State.FAILED
    well = state is State.SUCCEEDED
    return attrs.evolve(
        deployment,
        state=State.PARTIAL if well and deployment.left_out else state,
        error="" if well else _error(bad, control, budget),
        finished_at=datetime.now(UTC),
        outcomes=tuple(outcomes),
    )


def _missing(
    plan: Plan, task: Task, journal: Journal, control: Control, budget: Budget, idle: str, *, sent: bool
) -> Outcome:
    """The outcome of a task that has none."""
    step, target = task.step.name, task.target.name
    made = Outcome(step=step, target=target, state=State.SKIPPED)
    if (step, target) in journal.begun and not is_approve(task.step):
        why = "it ran when the deployment was left; deploy the same release again to set it right"
        return attrs.evolve(made, state=State.UNKNOWN, started_at=journal.begun[step, target], why=why)
    if sent:
        why = "it had been sent behind another step when the deployment was left, and may have run since; "
        why += "deploy the same release again to set it right"
        return attrs.evolve(made, state=State.UNKNOWN, why=why)
    if idle or task.action is Action.SKIP:
        left_out = not idle and task.target.name in plan.skipped
        return attrs.evolve(made, action="left out" if left_out else "not needed", why=idle or task.why)
    if task.step.when == "failure" and not (budget.lost(task.target) or control.stopping):
        return attrs.evolve(made, action="not needed", why="not needed: nothing has failed here")
    if control.stopping:
        return attrs.evolve(made, why=control.why if control.late else "the deployment was interrupted")
    if target in budget.excluded:
        return attrs.evolve(made, why="the host was excluded after a failure")
    if budget.over:
        return attrs.evolve(made, why=budget.over)
    return attrs.evolve(made, why="an earlier step did not succeed on this host")


def _error(bad: list[Outcome], control: Control, budget: Budget) -> str:
    """Why it did not succeed."""
    error = control.why
    if bad:
        first = f"{bad[0].target}: step {bad[0].step!r} {bad[0].state.value}: {bad[0].why}"
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        # Of Ctrl-C the state says enough.
        error = f"{error}; {first}{more}" if error and not control.by_user else f"{first}{more}"
    return "; ".join(filter(None, (error, budget.reason))) or budget.over


def given_up(waiting: Deployment, pause: Pause | None, why: str) -> Deployment:
    """*waiting* with its end, where it does not go on; *pause* says how far it had come."""
    done = {(outcome.step, outcome.target) for outcome in waiting.outcomes}
    left = [
        Outcome(step=step, target=target, state=State.SKIPPED, why=why)
        for step, waves in (pause.waves.items() if pause else ())
        for wave in waves
        for target in wave
        if (step, target) not in done
    ]
    idle = pause.idle if pause else {}
    told = [
        attrs.evolve(one, action="not needed", why=idle[one.step][one.target])
        if one.target in idle.get(one.step, {})
        else one
        for one in left
    ]
    return attrs.evolve(
        waiting,
        state=State.INTERRUPTED,
        error=why,
        finished_at=datetime.now(UTC),
        outcomes=(*waiting.outcomes, *told),
    )
