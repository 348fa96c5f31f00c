"""Applying plans: the one place that changes hosts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

import attrs

from octossh.deploying.approving import Approver, ask, check_approvals
from octossh.deploying.observing import MOST_HOSTS_AT_ONCE, connect
from octossh.deploying.sending import Pack
from octossh.deploying.working import Worker
from octossh.errors import DeployFailed, Hosts, PlanError, RecordError
from octossh.model import Approve, Deployment, Event, Image, Outcome, State
from octossh.model.credentials import Credentials
from octossh.planning import Plan, Task
from octossh.recording import Record
from octossh.shell import Secret
from octossh.transport import Transport

__all__ = ["apply"]

_log = logging.getLogger("octossh")

# timeout(1) and others signal a process and then its group: that is one interrupt, and not the second one.
_ONE_INTERRUPT_S = 0.5


def apply(
    plan: Plan,
    transport: Transport,
    record: Record,
    deployment: Deployment,
    *,
    secrets: Mapping[str, Secret] | None = None,
    logins: Mapping[str, str] | None = None,
    login: Callable[[Image], Credentials | None] | None = None,
    pack: Pack | None = None,
    approver: Approver | None = None,
    on_event: Callable[[Event], None] | None = None,
    check: bool = True,
) -> Deployment:
    """Do what *plan* says, step by step, on the hosts of a wave beside each other.

    After a step that did not succeed on every host of its wave, nothing more is started.

    Args:
        plan: Made by `octossh.planning.plan`.
        transport: How to reach the hosts.
        record: Gets every start and end.
        deployment: As it begins: state running, without outcomes.
        secrets: A value for each secret that the scripts need.
        logins: Names of the secrets with registry logins, by name of the registry.
        login: Gives a login for an image when a host is about to pull it, in place of the secret of that name.
        pack: Gives the archive of an image for a host to which images are sent.
        approver: Who is asked where a step wants an approval.
        on_event: Is called with each event as it happens, from several threads, one at a time.
        check: Raise when the deployment does not succeed; otherwise return it either way.

    Raises:
        PlanError: The plan holds what cannot be done.
        Refused: A step wants an approval, and nobody can be asked.
        ConnectError: A host cannot be reached; checked for all hosts before anything is sent to any.
        RecordError: The record cannot be written.
        DeployFailed: A step did not succeed, and *check* is true.

    Hosts:
        as the error says; untouched with the first three.
    """
    _check_refusals(plan)
    check_approvals(plan, approver)
    used = {task.target.name for task in plan.tasks}
    connect([target for target in plan.targets if target.name in used], transport)
    run = _Run(plan, transport, record, deployment, secrets or {}, logins or {}, login, pack, approver, on_event)
    ended = run.all()
    if check and ended.state is not State.SUCCEEDED:
        raise _failure(ended, locked=run.worker.locked)
    return ended


def _check_refusals(plan: Plan) -> None:
    for task in plan.refusals:
        raise PlanError(f"{task.target.name}: step {task.step.name!r} cannot be done: {task.why}")


class _Run:
    """One application of one plan."""

    def __init__(
        self,
        plan: Plan,
        transport: Transport,
        record: Record,
        deployment: Deployment,
        secrets: Mapping[str, Secret],
        logins: Mapping[str, str],
        login: Callable[[Image], Credentials | None] | None,
        pack: Pack | None,
        approver: Approver | None,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        self.plan, self.record, self.deployment = plan, record, deployment
        self.approver, self.on_event = approver, on_event
        self.worker = Worker(plan, deployment, transport, secrets, logins, login, pack, self._asked, self._tell)
        self.outcomes: list[Outcome] = []
        self.begun: dict[tuple[str, str], datetime] = {}
        self.interrupted = self.left = False
        self.broken: RecordError | None = None
        self._lock = threading.Lock()

    def all(self) -> Deployment:
        self.record.start(self.deployment)
        pool = ThreadPoolExecutor(MOST_HOSTS_AT_ONCE, thread_name_prefix="octossh")
        try:
            self._tell(
                "deployment_started", data={"release": self.deployment.release, "mode": self.deployment.mode.value}
            )
            for stage in self.plan.stages:
                for wave in stage.waves:
                    if not self._stopped():
                        self._wave(pool, wave)
        except KeyboardInterrupt:
            self.interrupted = self.left = True
        finally:
            pool.shutdown(wait=not self.left, cancel_futures=True)
            self.worker.close()
        ended = self._ended()
        try:
            if self.broken is not None:
                raise self.broken
            self.record.finish(ended)
        except RecordError as error:
            error.hosts = ended.hosts
            raise
        self._tell("deployment_finished", data={"state": ended.state.value, "error": ended.error})
        return ended

    def _wave(self, pool: ThreadPoolExecutor, wave: tuple[Task, ...]) -> None:
        # Whoever is asked is asked by this thread: it is the one that Ctrl-C interrupts.
        for task in wave:
            if not task.step.scripted:
                self._task(task)
        self._wait([pool.submit(self._task, task) for task in wave if task.step.scripted])

    def _stopped(self) -> bool:
        failed = any(outcome.state is not State.SUCCEEDED for outcome in self.outcomes)
        return failed or self.interrupted or self.broken is not None

    def _wait(self, futures: list[Future[None]]) -> None:
        first_at: float | None = None
        while True:
            try:
                wait(futures)
            except KeyboardInterrupt:
                now = time.monotonic()
                if first_at is not None and now - first_at > _ONE_INTERRUPT_S:
                    raise
                if first_at is None:
                    # What has been sent goes on on the hosts either way: see it end, and start nothing more.
                    first_at, self.interrupted = now, True
                    _log.warning("interrupted: waiting for what runs on the hosts; once more to leave at once")
            else:
                return

    def _ended(self) -> Deployment:
        with self._lock:
            done = {(outcome.step, outcome.target): outcome for outcome in self.outcomes}
            begun = dict(self.begun)
        why = "the deployment was interrupted" if self.interrupted else "an earlier step did not succeed"
        outcomes = []
        for task in self.plan.tasks:
            place = task.step.name, task.target.name
            missing = Outcome(step=place[0], target=place[1], state=State.SKIPPED, why=why)
            if place in begun:
                why_unknown = "it ran when the deployment was left; deploy the same release again to set it right"
                missing = attrs.evolve(missing, state=State.UNKNOWN, started_at=begun[place], why=why_unknown)
            outcomes.append(done.get(place, missing))
        bad = [outcome for outcome in outcomes if outcome.state not in {State.SUCCEEDED, State.SKIPPED}]
        state = State.INTERRUPTED if self.interrupted else State.FAILED if bad else State.SUCCEEDED
        error = "interrupted by the user" if self.interrupted else ""
        if bad:
            error = f"{bad[0].target}: step {bad[0].step!r} {bad[0].state.value}: {bad[0].why}"
            if len(bad) > 1:
                error += f" (and {len(bad) - 1} more)"
        return attrs.evolve(
            self.deployment,
            state=state,
            error=error,
            finished_at=datetime.now(UTC),
            outcomes=tuple(outcomes),
        )

    def _task(self, task: Task) -> None:
        if self.interrupted or self.broken is not None:
            return
        step, target = task.step.name, task.target.name
        started_at = datetime.now(UTC)
        try:
            self._record("step_started", step, target)
            with self._lock:
                self.begun[step, target] = started_at
            outcome = attrs.evolve(self.worker.do(task), started_at=started_at, finished_at=datetime.now(UTC))
            with self._lock:
                self.outcomes.append(outcome)
                if self.left:
                    return  # the end of the deployment has been recorded without it
            data = {"state": outcome.state.value, "action": outcome.action, "why": outcome.why}
            self._record("step_finished", step, target, data=data, outcome=outcome)
        except RecordError as error:
            with self._lock:
                self.broken = self.broken or error

    def _asked(self, step: Approve, made: Outcome) -> Outcome:
        assert self.approver is not None
        self._tell("output", step.name, made.target, data={"line": f"octossh: asking for approval: {step.purpose}"})
        try:
            return ask(step, self.deployment, self.approver, made)
        except KeyboardInterrupt:
            self.interrupted = True
            return attrs.evolve(made, why="the deployment was interrupted before anybody had answered")

    def _event(self, kind: str, step: str, target: str, data: Mapping[str, Any] | None) -> Event:
        return Event(
            type=kind, at=datetime.now(UTC), deployment=self.deployment.id, step=step, target=target, data=data or {}
        )

    def _record(
        self,
        kind: str,
        step: str,
        target: str,
        *,
        data: Mapping[str, Any] | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        event = self._event(kind, step, target, data)
        self.record.record(event, outcome)
        self._pass_on(event)

    def _tell(self, kind: str, step: str = "", target: str = "", *, data: Mapping[str, Any] | None = None) -> None:
        self._pass_on(self._event(kind, step, target, data))

    def _pass_on(self, event: Event) -> None:
        if self.on_event is None:
            return
        with self._lock:
            try:
                self.on_event(event)
            except Exception:  # noqa: BLE001 - whatever the user's callback raises
                _log.exception("the callback for events failed; the deployment goes on")


def _failure(ended: Deployment, *, locked: bool) -> BaseException:
    if ended.state is State.INTERRUPTED:
        return KeyboardInterrupt()
    failed = DeployFailed(str(ended), ended, ended.hosts)
    if locked and ended.hosts is Hosts.UNTOUCHED:
        failed.exit_code = 4
    return failed
