"""A plan being applied: over its steps, waves and hosts."""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from octossh import model
from octossh.deploying.approving import ask
from octossh.deploying.asking import Interrupted, Questions
from octossh.deploying.attempts import Attempts
from octossh.deploying.budget import Budget
from octossh.deploying.control import Control
from octossh.deploying.ending import ended
from octossh.deploying.journal import Journal
from octossh.deploying.lanes import Lanes
from octossh.deploying.pauses import Unanswered, Waited, layout
from octossh.deploying.working import Worker
from octossh.errors import ModelError, OctosshError, RecordError, Refused
from octossh.model import CONDITIONS, Outcome, Pairs, State
from octossh.promises import NoThreads, promised
from octossh.templating import NotYetKnown

if TYPE_CHECKING:
    from octossh.deploying.approving import Approver
    from octossh.deploying.asking import Decider
    from octossh.deploying.pauses import Shelf
    from octossh.deploying.working import Access
    from octossh.model import Approve, Deployment, Event, Pause
    from octossh.planning import Plan, Stage, Task
    from octossh.recording import Record
    from octossh.transport import Transport

__all__ = ["Run"]

_log = logging.getLogger("octossh")

_FREE_S, _STOPPED_S = 10.0, 1.0  # how long hosts are waited for that shall be free again


class Run:
    """One application of one plan, in a thread of its own, so that no interrupt strikes while it records.

    Attributes:
        asks: The steps for whose approval it waits, once it does.
    """

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
        shelf: Shelf | None,
    ) -> None:
        self.plan, self.deployment, self.approver = plan, deployment, approver
        self._shelf, self._pause, self._began = shelf, shelf.pause if shelf else None, time.monotonic()
        self.control = Control(plan.rollout.grace_s)
        self.questions = Questions(self.control)
        self.journal = Journal(record, deployment, on_event, self.control)
        self.worker = Worker(plan, deployment, transport, access, self.journal.tell, self.control)
        self.worker.ask = self.asked
        self.worker.comes_back = getattr(record, "comes_back", False)
        self.budget = Budget(plan)
        self.lanes = Lanes(self.control, plan.rollout)
        self.attempts = Attempts(
            deployment, self.worker, self.journal, self.control, self.questions, decider, self.budget
        )
        self._idle: dict[tuple[str, str], str] = {}
        self._waited: list[Waited] = []
        self.asks: tuple[str, ...] = ()

    @property
    def timeout_s(self) -> float | None:
        """Seconds that are left for all of it; None: any number."""
        given, pause = self.plan.rollout.timeout_s, self._pause
        return given if given is None or pause is None else max(0.0, given - pause.spent_s)

    def all(self) -> Deployment:
        """Do all of it, and record how it ended.

        Raises:
            RecordError: The record cannot be written.
        """
        waiting = None
        try:
            for stages in self._rounds():
                self._round(stages)
                if self._waited and (waiting := self._put_aside()) is not None:
                    break
        except RecordError:
            if not self.journal.started:
                raise
        finally:
            if self.control.leaving:
                self.journal.close()
            self.worker.claims.free(_STOPPED_S if self.control.stopping else _FREE_S)
            self.worker.close()
        if waiting is not None:
            return waiting
        made = ended(self.plan, self.deployment, self.journal, self.control, self.budget, self._idle, self.worker.sent)
        self.journal.finish(made)
        return made

    def _rounds(self) -> Iterator[Sequence[Stage]]:
        """The stages by round, once the record has the beginning; of what waited, those that are left."""
        pause = self._pause
        if pause is None:
            self.journal.start(self.plan.skipped)
            self.worker.make_ready()
            yield from self.plan.rounds
            return
        self.budget.restore(pause)
        self.worker.remember(self.deployment.outcomes)
        self._idle = {(step, name): why for step, whys in pause.idle.items() for name, why in whys.items()}
        more = {name: why for name, why in self.plan.skipped.items() if name not in pause.skipped}
        begun = {step: pause.since for step, wave in pause.waits.items() if not wave}
        self.journal.go_on(more, self.deployment.outcomes, begun)
        left = itertools.dropwhile(
            lambda stages: not pause.waits.keys() & {s.step.name for s in stages}, self.plan.rounds
        )
        # What stood beside an approval has run.
        yield [stage for stage in next(left) if stage.step.name in pause.waits]
        yield from left

    def _put_aside(self) -> Deployment | None:
        """Put the deployment where it can wait; None where that cannot be, or nothing is left to wait for."""
        order = [stage.step.name for stage in self.plan.stages]
        waits = [waited for waited in self._waited if self._matters(waited)]
        waits.sort(key=lambda waited: order.index(waited.step.name))
        self._waited = []
        if not waits or self.control.stopping or self.journal.broken is not None:
            return None
        assert self._shelf is not None
        made = attrs.evolve(self.deployment, state=State.WAITING, outcomes=tuple(self.journal.outcomes.values()))
        secrets = {**self.plan.said, **self.worker.secrecy.learned}
        try:
            waiting = self._shelf.put(made, waits, self._where(waits), secrets)
        except (Refused, ModelError) as refused:  # the key may be none, or not to be had
            for waited in waits:
                self._cannot_wait(waited, str(refused))
            return None
        except RecordError as error:
            self.journal.broken = error
            raise
        self.asks = tuple(waited.step.name for waited in waits)
        self.journal.tell("deployment_waiting", data={"asks": list(self.asks), "why": waiting.error})
        return waiting

    def _matters(self, waited: Waited) -> bool:
        """Whether what would follow on the approval may run still."""
        stage = next(stage for stage in self.plan.stages if stage.step.name == waited.step.name)
        return any(self._due(task) for wave in stage.waves[max(0, waited.wave - 1) :] for task in wave)

    def _where(self, waits: Sequence[Waited]) -> Pause:
        """How far it has come."""
        before, idle = self._pause, dict[str, dict[str, str]]()
        for (step, target), why in self._idle.items():
            idle.setdefault(step, {})[target] = why
        return model.Pause(
            since=datetime.now(UTC),
            waits=Pairs({waited.step.name: waited.wave for waited in waits}),
            targets=tuple(target.name for target in self.plan.targets),
            waves=Pairs(layout(self.plan)),
            skipped=self.plan.skipped,
            idle=Pairs({step: Pairs(whys) for step, whys in idle.items()}),
            rollout=self.plan.rollout,
            marks=self.plan.templates.marks,
            spent_s=time.monotonic() - self._began + (before.spent_s if before else 0.0),
            **self.budget.spent(),
        )

    def _cannot_wait(self, waited: Waited, why: str) -> None:
        why = f"nobody has answered, and it cannot wait for that: {why}"
        if waited.wave:
            self.budget.stop(f"wave {waited.wave} of step {waited.step.name!r} was not approved: {why}")
            return
        task = next(task for task in self.plan.tasks if task.step.name == waited.step.name)
        at = self.journal.begun[task.step.name, task.target.name]
        made = Outcome(step=task.step.name, target=task.target.name, state=State.FAILED, why=why, started_at=at)
        self.attempts.settle(task, attrs.evolve(made, finished_at=datetime.now(UTC)))

    def _round(self, stages: Sequence[Stage]) -> None:
        """Stages that run beside each other."""
        others, here = [], [stages[0]]
        for stage in stages[1:]:
            try:
                others.append(promised(functools.partial(self._stage, stage), f"octossh {stage.step.name}"))
            except NoThreads:  # it comes after the others
                here.append(stage)
        for stage in here:
            self._stage(stage)
        for other in others:
            other.result()

    def _stage(self, stage: Stage) -> None:
        try:
            self._waves(stage)
        except Unanswered as unanswered:
            self._waited.append(unanswered.waited)
        except (RecordError, Interrupted):
            return  # the journal and the control keep it, and nothing more is started
        except BaseException as error:  # noqa: BLE001 - it must not end a thread in silence
            self._broken(error)

    def _waves(self, stage: Stage) -> None:
        count = len(stage.waves)
        several = count > 1 and stage.step.runs_on == "each"
        at = self._pause.waits.get(stage.step.name, 0) if self._pause else 0
        begun = at > 0
        for number, wave in enumerate(stage.waves, 1):
            if number < at:
                continue
            due = [task for task in wave if self._due(task)]
            if not due:
                continue
            if begun and several and not self._between(stage, number, count, paused=number == at):
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

    def _between(self, stage: Stage, number: int, count: int, *, paused: bool) -> bool:
        """Between two waves: whether it goes on."""
        rolling = stage.step.rolling
        if rolling is None:
            return True
        if rolling.pause_s and not paused:
            self.journal.record("paused", stage.step.name, data={"seconds": rolling.pause_s, "wave": number})
            if not self.control.pause(rolling.pause_s):
                return False
        return not rolling.approve or self._approved(stage, number, count)

    def _approved(self, stage: Stage, number: int, count: int) -> bool:
        hosts = ", ".join(task.target.name for task in stage.waves[number - 1])
        step = model.Approve(stage.step.name, instructions=f"Wave {number} of {count}: {hosts}")
        made = self.asked(step, Outcome(step=step.name, target="", state=State.FAILED), number)
        if made.state is not State.SUCCEEDED:
            self.budget.stop(f"wave {number} of step {step.name!r} was not approved: {made.why}")
        return made.state is State.SUCCEEDED

    def asked(self, step: Approve, made: Outcome, wave: int = 0) -> Outcome:
        """*made* with the answer of whoever approves.

        Raises:
            Unanswered: Nobody does now, and the deployment can wait for it.
        """
        self.journal.tell(
            "output", step.name, made.target, data={"line": f"octossh: asking for approval: {step.purpose}"}
        )
        self.journal.record(
            "asked", step.name, made.target, data={"about": "approval", "instructions": step.instructions}
        )
        try:
            answered = self.questions.ask(lambda: ask(step, self.deployment, self.approver, made))
        except (Interrupted, KeyboardInterrupt):
            return attrs.evolve(made, why="the deployment was interrupted before anybody had answered")
        if answered is None:
            if self._shelf is not None:
                raise Unanswered(Waited(step, wave))
            return attrs.evolve(made, why="nobody has answered")
        made = answered
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
        except Unanswered as unanswered:
            self._waited.append(unanswered.waited)
        except (RecordError, Interrupted):
            return  # the journal and the control keep it
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing more must be started
            self._broken(error)

    def _broken(self, error: BaseException) -> None:
        if not isinstance(error, Exception):  # such as SystemExit, which octossh does not raise
            self.control.exit(error, "code that it called")
            return
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
