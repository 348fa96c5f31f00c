"""One step on one host until it is settled: tried again, or decided by somebody, and recorded."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from octossh.deploying.asking import Interrupted, decide
from octossh.model import DECISIONS, FailureRequest, State

if TYPE_CHECKING:
    from octossh.deploying.asking import Decider, Questions
    from octossh.deploying.budget import Budget
    from octossh.deploying.control import Control
    from octossh.deploying.journal import Journal
    from octossh.deploying.working import Worker
    from octossh.model import Decision, Deployment, Outcome
    from octossh.planning import Task

__all__ = ["Attempts"]

_log = logging.getLogger("octossh")


class Attempts:
    """Does tasks, again where that was asked for. Safe to use from many threads."""

    def __init__(
        self,
        deployment: Deployment,
        worker: Worker,
        journal: Journal,
        control: Control,
        questions: Questions,
        decider: Decider | None,
        budget: Budget,
    ) -> None:
        self._deployment, self._worker, self._journal, self._control = deployment, worker, journal, control
        self._questions, self._decider, self._budget = questions, decider, budget

    def do(self, task: Task) -> None:
        """Do *task*, and record how it ended.

        Raises:
            RecordError: That cannot be recorded.
        """
        step, target = task.step.name, task.target.name
        started_at = self._journal.begun.get((step, target))  # of one that waited for an answer
        if started_at is None:
            started_at = datetime.now(UTC)
            self._journal.begin(step, target, self._worker.bundle(task))
        attempt = 1
        while True:
            made = attrs.evolve(self._worker.do(task), started_at=started_at, finished_at=datetime.now(UTC))
            if made.state is State.SUCCEEDED:
                break
            if self._again(task, made, attempt):
                attempt += 1
                continue
            decision = self._decided(task, made, attempt)
            if decision is None or decision.action != "retry":
                self.settle(task, made, decision)
                return
            attempt += 1
        self.settle(task, made)

    def settle(self, task: Task, made: Outcome, decision: Decision | None = None) -> None:
        """Record how *task* ended, and see what that means for the others."""
        if decision is not None and decision.action in _SAID:
            notes = f": {decision.notes}" if decision.notes else ""
            made = attrs.evolve(made, why=f"{made.why}; {_SAID[decision.action]} by {decision.by}{notes}")
        if made.state is not State.SUCCEEDED:
            self._count(task, decision)
        self._journal.end(made, {"state": made.state.value, "action": made.action, "why": made.why})

    def _count(self, task: Task, decision: Decision | None) -> None:
        action = decision.action if decision else ""
        if action == "ignore":
            self._budget.ignore(task.step, task.target)
        elif action == "exclude":
            self._budget.exclude(task.step, task.target)
        else:
            self._budget.fail(task.step, task.target)
            if action == "abort":
                self._budget.abort()

    def _again(self, task: Task, made: Outcome, attempt: int) -> bool:
        """Whether it is tried again by itself, after the time for that."""
        retry = task.step.retry
        if retry is None or attempt > retry.times or made.state is not State.FAILED or made.action == "refused":
            return False
        if self._control.stopping or self._worker.hopeless(made):
            return False
        data = {"attempt": attempt + 1, "of": retry.times + 1, "delay_s": retry.wait_s(attempt), "why": made.why}
        self._journal.record("retrying", made.step, made.target, data=data)
        return self._control.pause(retry.wait_s(attempt))

    def _decided(self, task: Task, made: Outcome, attempt: int) -> Decision | None:
        """What somebody says about a failure; None where nobody is asked."""
        if self._decider is None or self._control.stopping or not task.step.scripted:
            return None
        decider = self._decider
        choices = tuple(way for way in DECISIONS if not task.step.required or way in {"retry", "abort"})
        d = self._deployment
        request = FailureRequest(
            step=made.step,
            target=made.target,
            why=made.why,
            log=made.log,
            unknown=made.state is State.UNKNOWN,
            attempt=attempt,
            choices=choices,
            project=d.project,
            release=d.release,
            environment=d.environment,
            deployment=d.id,
            by=d.by,
        )
        data = {"about": "failure", "why": made.why, "choices": list(choices), "attempt": attempt}
        self._journal.record("asked", made.step, made.target, data=data)
        try:
            decision = self._questions.ask(lambda: decide(decider, request))
        except (Interrupted, KeyboardInterrupt):
            return None
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises
            _log.exception("asking what to do about step %r on %s failed; it counts as failed", made.step, made.target)
            data = {"about": "failure", "answer": "none", "by": "", "notes": f"{type(error).__name__}: {error}"}
            self._journal.record("answered", made.step, made.target, data=data)
            return None
        answer = {"answer": decision.action, "by": decision.by, "notes": decision.notes}
        self._journal.record("answered", made.step, made.target, data={"about": "failure", **answer})
        return decision


_SAID = {"ignore": "ignored", "exclude": "the host is excluded", "abort": "aborted"}
