"""A plan being applied: over its steps, waves and hosts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs

from octossh.deploying.approving import Approver, ask
from octossh.deploying.asking import Decider, Interrupted, Questions
from octossh.deploying.attempts import Attempts
from octossh.deploying.budget import Budget
from octossh.deploying.control import Control
from octossh.deploying.ending import ended
from octossh.deploying.journal import Journal
from octossh.deploying.lanes import Lanes
from octossh.deploying.working import Access, Worker
from octossh.errors import OctosshError, RecordError
from octossh.model import CONDITIONS, Approve, Deployment, Event, Outcome, State
from octossh.planning import Plan, Stage, Task
from octossh.recording import Record
from octossh.templating import NotYetKnown
from octossh.transport import Transport

__all__ = ["Run"]

_log = logging.getLogger("octossh")

_FREE_S, _STOPPED_S = 10.0, 1.0  # how long hosts are waited for that shall be free again


class Run:
    """One application of one plan, in a thread of its own, so that no interrupt strikes while it records."""

    def __init__(
        self,
        plan: Plan,
        transport: Transport,
        record: Record,
        deployment: Deployment,
        access: Access,
        approver: Approver | None,
        decider: Decider | None,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        self.plan, self.deployment, self.approver = plan, deployment, approver
        self.control = Control(plan.rollout.grace_s)
        self.questions = Questions(self.control)
        self.journal = Journal(record, deployment, on_event, self.control.interrupt)
        self.worker = Worker(plan, deployment, transport, access, self.journal.tell)
        self.worker.ask = self.asked
        self.budget = Budget(plan)
        self.lanes = Lanes(self.control, plan.rollout)
        self.attempts = Attempts(
            deployment, self.worker, self.journal, self.control, self.questions, decider, self.budget
        )
        self._idle: dict[tuple[str, str], str] = {}

    def all(self) -> Deployment:
        """Do all of it, and record how it ended.

        Raises:
            RecordError: The record cannot be written.
        """
        try:
            self.journal.start(self.plan.skipped)
            for stages in self.plan.rounds:
                self._round(stages)
        except RecordError:
            if not self.journal.started:
                raise
        finally:
            if self.control.leaving:
                self.journal.close()
            self.worker.claims.free(_STOPPED_S if self.control.stopping else _FREE_S)
            self.worker.close()
        made = ended(self.plan, self.deployment, self.journal, self.control, self.budget, self._idle, self.worker.sent)
        self.journal.finish(made)
        return made

    def _round(self, stages: Sequence[Stage]) -> None:
        """Stages that run beside each other."""
        others = [threading.Thread(target=self._stage, args=(stage,), daemon=True) for stage in stages[1:]]
        for other in others:
            other.start()
        self._stage(stages[0])
        for other in others:
            other.join()

    def _stage(self, stage: Stage) -> None:
        try:
            self._waves(stage)
        except (RecordError, Interrupted):
            return  # the journal and the control keep it, and nothing more is started
        except Exception as error:  # noqa: BLE001 - it must not end a thread in silence
            self._broken(error)

    def _waves(self, stage: Stage) -> None:
        count = len(stage.waves)
        several = count > 1 and stage.step.runs_on == "each"
        begun = False
        for number, wave in enumerate(stage.waves, 1):
            due = [task for task in wave if self._due(task)]
            if not due:
                continue
            if begun and several and not self._between(stage, number, count):
                return
            due, begun = [task for task in due if self._due(task)], True
            if several and due:
                data = {"wave": number, "of": count, "hosts": [task.target.name for task in due]}
                self.journal.record("wave_started", stage.step.name, data=data)
            self._wave(stage, due)
            if several and due:
                data = {"wave": number, "of": count, "failed": self._failed(due)}
                self.journal.record("wave_finished", stage.step.name, data=data)

    def _wave(self, stage: Stage, due: Sequence[Task]) -> None:
        most = stage.step.rolling.parallel if stage.step.rolling else None
        if stage.step.runs_on == "manager":
            names = [task.target.name for wave in stage.waves for task in wave if self._due(task)]
            self.worker.last_of(stage.step, names)
        while due:
            pieces = list(stage.pieces(due, self.budget.down(stage)))
            if not pieces:
                self.budget.stop(f"so few hosts of step {stage.step.name!r} are well that none may be worked on")
                return
            self.lanes.run(pieces[0], self._task, self._due, most)
            # After a piece, fewer hosts may be well than before.
            due = [task for task in due[len(pieces[0]) :] if self._due(task)]

    def _failed(self, tasks: Sequence[Task]) -> list[str]:
        ends = [self.journal.outcomes.get((task.step.name, task.target.name)) for task in tasks]
        return [end.target for end in ends if end and end.state in {State.FAILED, State.UNKNOWN}]

    def _between(self, stage: Stage, number: int, count: int) -> bool:
        """Between two waves: whether it goes on."""
        rolling = stage.step.rolling
        if rolling is None:
            return True
        if rolling.pause_s:
            self.journal.record("paused", stage.step.name, data={"seconds": rolling.pause_s, "wave": number})
            if not self.control.pause(rolling.pause_s):
                return False
        return not rolling.approve or self._approved(stage, number, count)

    def _approved(self, stage: Stage, number: int, count: int) -> bool:
        assert self.approver is not None
        hosts = ", ".join(task.target.name for task in stage.waves[number - 1])
        step = Approve(stage.step.name, instructions=f"Wave {number} of {count}: {hosts}")
        made = self.asked(step, Outcome(step=step.name, target="", state=State.FAILED))
        if made.state is not State.SUCCEEDED:
            self.budget.stop(f"wave {number} of step {step.name!r} was not approved: {made.why}")
        return made.state is State.SUCCEEDED

    def asked(self, step: Approve, made: Outcome) -> Outcome:
        """*made* with the answer of whoever approves."""
        approver = self.approver
        assert approver is not None
        self.journal.tell(
            "output", step.name, made.target, data={"line": f"octossh: asking for approval: {step.purpose}"}
        )
        self.journal.record(
            "asked", step.name, made.target, data={"about": "approval", "instructions": step.instructions}
        )
        try:
            made = self.questions.ask(lambda: ask(step, self.deployment, approver, made))
        except (Interrupted, KeyboardInterrupt):
            return attrs.evolve(made, why="the deployment was interrupted before anybody had answered")
        answer = {"answer": made.action or "failed", **{name: made.outputs.get(name, "") for name in ("by", "notes")}}
        self.journal.record("answered", step.name, made.target, data={"about": "approval", **answer})
        return made

    def _due(self, task: Task) -> bool:
        """Whether *task* is to begin now, or was sent already; an expression is asked when its turn comes."""
        if self._over(task):
            return False
        if self.worker.sent(task):
            return True
        lost = self.budget.lost(task.target)
        if task.step.when in CONDITIONS:
            return task.step.when == "always" or lost == (task.step.when == "failure")
        return not lost or "failed" in task.step.when

    def _over(self, task: Task) -> bool:
        """Whether *task* must not begin any more; one that was sent has begun, or may still do so."""
        return self.journal.broken is not None or (self.control.stopping and not self.worker.sent(task))

    def _task(self, task: Task) -> None:
        """One step on one host; whatever happens is in the journal then."""
        if self._over(task):
            return
        try:
            if task.step.when not in CONDITIONS and not self._holds(task):
                return
            self.attempts.do(task)
        except (RecordError, Interrupted):
            return  # the journal and the control keep it
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more must be started
            self._broken(error)

    def _broken(self, error: Exception) -> None:
        _log.exception("octossh itself failed")
        why = self.worker.mask(f"{type(error).__name__}: {error}")
        self.budget.stop(f"octossh itself failed with {why}; this is a fault of octossh")

    def _holds(self, task: Task) -> bool:
        step, target = task.step.name, task.target.name
        at = datetime.now(UTC)
        try:
            holds = self.worker.holds(task, failed=self.budget.lost(task.target))
        except NotYetKnown as unknown:
            why = f"whether it runs depends on step {unknown.step!r}, which did not run here"
        except OctosshError as error:
            why = str(error)
        else:
            if not holds:
                self._idle[step, target] = f"not needed: {task.step.when} is false"
            return holds
        self.journal.begin(step, target)
        made = Outcome(step=step, target=target, state=State.FAILED, why=why, started_at=at)
        self.attempts.settle(task, attrs.evolve(made, finished_at=datetime.now(UTC)))
        return False
