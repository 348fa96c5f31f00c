"""Asking somebody whether a deployment may go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from octossh import model
from octossh.errors import ModelError, Refused, did_you_mean
from octossh.model import Pairs, State, is_approve

if TYPE_CHECKING:
    from octossh.deploying.pauses import Shelf
    from octossh.model import Approval, Approve, Deployment, Event, Outcome, Process, Step
    from octossh.planning import Plan

__all__ = ["Approver", "approved", "ask", "asks_approval", "check_approvals", "check_beforehand"]

Approver = Callable[[model.ApprovalRequest], model.Approval | None] | Mapping[str, model.Approval]
"""Who is asked: a function, which gives None where nobody can say now, or the answers by the name of the step."""

_log = logging.getLogger("octossh")


def asks_approval(step: Step) -> bool:
    """Whether somebody is asked by *step*, or between its waves."""
    return is_approve(step) or _by_wave(step)


def check_beforehand(approver: Approver | None, processes: Iterable[Process]) -> None:
    """Check that the answers that are given already are for steps of *processes* that ask for an approval.

    A function may have such answers, too, as its ``beforehand``.

    Raises:
        ModelError: One is for a step that is not there, or asks for none.
    """
    given = approver if isinstance(approver, Mapping) else getattr(approver, "beforehand", {})
    if not given:
        return
    steps = [step for process in processes for step in process.steps]
    known = {step.name for step in steps if asks_approval(step)}
    for name in given:
        if name not in known:
            there = "asks for no approval" if name in {step.name for step in steps} else "is not there to be approved"
            raise ModelError(f"step {name!r} {there}; {did_you_mean(str(name), known)}")


def check_approvals(plan: Plan, approver: Approver | None, shelf: Shelf | None) -> None:
    """Check that for each approval that *plan* needs there is somebody to ask, or that it can wait for one.

    Raises:
        Refused: Neither is so, or an answer that is given already does not let the deployment through.
    """
    steps = [task.step for task in plan.tasks if is_approve(task.step)]
    steps += [model.Approve(stage.step.name) for stage in plan.stages if len(stage.waves) > 1 and _by_wave(stage.step)]
    for step in steps:
        if approver is None or (isinstance(approver, Mapping) and step.name not in approver):
            if shelf is not None:
                shelf.check(plan.said)
                continue
            raise Refused(
                f"step {step.name!r} asks for an approval, and there is nobody to ask: deploy at a terminal, approve "
                f"beforehand with --approve {step.name!r}, or give Space(approve=...) a function"
            )
        if isinstance(approver, Mapping) and (why := _objection(step, approver[step.name])):
            raise Refused(f"step {step.name!r}: {why}")


def _by_wave(step: Step) -> bool:
    return step.rolling is not None and step.rolling.approve


def _objection(step: Approve, answer: Approval) -> str:
    if not step.admits(answer.by, answer.groups):
        return f"{answer.by} may not approve, only {', '.join(step.approvers)}"
    return "" if answer.approved else f"{answer.by} does not approve" + (f": {answer.notes}" if answer.notes else "")


def ask(step: Approve, deployment: Deployment, approver: Approver | None, made: Outcome) -> Outcome | None:
    """*made* with the answer; blocks until there is one. Whatever the approver raises is no approval.

    None: nobody answers now.
    """
    if approver is None or (isinstance(approver, Mapping) and step.name not in approver):
        return None
    request = model.ApprovalRequest(
        step=step.name,
        instructions=step.instructions,
        approvers=step.approvers,
        project=deployment.project,
        release=deployment.release,
        environment=deployment.environment,
        deployment=deployment.id,
        by=deployment.by,
    )
    try:
        answer = approver[step.name] if isinstance(approver, Mapping) else approver(request)
        if answer is None:
            return None
        if not isinstance(answer, model.Approval):
            raise TypeError(f"it gave {answer!r}, not an octossh.Approval")  # noqa: TRY301 - told like its other faults
    except Refused as refused:
        return attrs.evolve(made, action="refused", why=str(refused))
    except Exception as error:  # noqa: BLE001 - whatever the user's function raises
        _log.exception("step %r: asking for an approval failed", step.name)
        return attrs.evolve(made, why=f"asking for an approval failed with {type(error).__name__}: {error}")
    made = attrs.evolve(made, outputs=Pairs({"by": answer.by, "notes": answer.notes}))
    if why := _objection(step, answer):
        return attrs.evolve(made, action="refused", why=why)
    notes = f": {answer.notes}" if answer.notes else ""
    return attrs.evolve(made, state=State.SUCCEEDED, action="approved", why=f"by {answer.by}{notes}")


def approved(made: Outcome, answered: Event | None) -> Outcome:
    """*made*, of a process that has gone since, with what it had recorded as the answer; None: there was none."""
    if answered is None:
        return attrs.evolve(made, state=State.SKIPPED, why="nobody had answered when the process that deployed went")
    answer, by, notes = (str(answered.data.get(name, "")) for name in ("answer", "by", "notes"))
    made = attrs.evolve(made, finished_at=answered.at, outputs=Pairs({"by": by, "notes": notes} if by else {}))
    who = f"by {by}" + (f": {notes}" if notes else "")
    if answer == "approved":
        return attrs.evolve(made, state=State.SUCCEEDED, action="approved", why=who)
    if answer == "refused":
        return attrs.evolve(made, state=State.FAILED, action="refused", why=f"not approved {who}" if by else "refused")
    return attrs.evolve(made, state=State.FAILED, why="asking for an approval failed")
