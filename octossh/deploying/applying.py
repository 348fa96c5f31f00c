"""Applying plans: the one place that changes hosts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

import attrs

from octossh.deploying.approving import Approver, ask, check_approvals
from octossh.deploying.observing import MOST_HOSTS_AT_ONCE, connect
from octossh.deploying.orders import login_names, order
from octossh.deploying.secrecy import Secrecy
from octossh.deploying.sending import Pack, send
from octossh.deploying.syntax import script_of
from octossh.errors import ConnectionLost, DeployFailed, Hosts, OctosshError, PlanError, ReadError, RecordError
from octossh.model import CONTROLLER, Approve, Deployment, Event, Image, Outcome, Pairs, State, Step, Target
from octossh.model.credentials import Credentials
from octossh.planning import Facts, Plan, Resolver, SecretOutput, Task
from octossh.reading import Answer, read_answer, read_output
from octossh.recording import Record
from octossh.rendering import forget
from octossh.shell import Frame, Result, Script, Secret
from octossh.transport import Feed, Local, Transport

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
        raise _failure(ended, locked=run.locked)
    return ended


def _check_refusals(plan: Plan) -> None:
    for task in plan.refusals:
        raise PlanError(f"{task.target.name}: step {task.step.name!r} cannot be done: {task.why}")


class _Given(TypedDict):
    """What each run of a script is given."""

    secrets: Mapping[str, Secret]
    timeout_s: float
    on_line: Callable[[str], None]
    on_frame: Callable[[Frame], None]
    feed: NotRequired[Feed]


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
        self.plan, self.transport, self.record, self.deployment = plan, transport, record, deployment
        self.secrecy, self.logins, self.login, self.on_event = Secrecy(secrets), logins, login, on_event
        self.mask, self.approver, self.pack = self.secrecy.mask, approver, pack
        self.here = Local()
        self.resolver = Resolver(plan.release, plan.environment, plan.targets, self.secrecy.secrets, plan.templates)
        self.known: dict[tuple[str, str], Facts] = {}
        self.outcomes: list[Outcome] = []
        self.through: dict[str, str] = {}
        self.locked = False
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
            self.here.close()
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
            outcome = attrs.evolve(self._outcome(task), started_at=started_at, finished_at=datetime.now(UTC))
            with self._lock:
                self.outcomes.append(outcome)
                if self.left:
                    return  # the end of the deployment has been recorded without it
            data = {"state": outcome.state.value, "action": outcome.action, "why": outcome.why}
            self._record("step_finished", step, target, data=data, outcome=outcome)
        except RecordError as error:
            with self._lock:
                self.broken = self.broken or error

    def _outcome(self, task: Task) -> Outcome:
        """Run one step on one host, and put whatever happens in an outcome."""
        target = task.target
        original = next(step for step in self.plan.release.process.steps if step.name == task.step.name)
        made = Outcome(step=original.name, target=target.name, state=State.FAILED)
        try:
            step = self.resolver.resolve(original, target, self.known)
            if isinstance(step, Approve):
                return self._asked(step, made)
            if original.name in self.through:
                why = f"done through {self.through[original.name]}"
                return attrs.evolve(made, state=State.SUCCEEDED, action="unchanged", why=why)
            script = script_of(order(step, target, self.resolver, self.deployment, self.logins))
            result, answer = self._send(step, target, script)
        except OctosshError as error:
            unknown = error.hosts is Hosts.UNKNOWN
            return attrs.evolve(made, state=State.UNKNOWN if unknown else State.FAILED, why=self.mask(str(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the record must say that nobody knows
            _log.exception("step %r on %s: octossh itself failed", original.name, target.name)
            why = self.mask(f"octossh itself failed with {type(error).__name__}: {error}; this is a fault of octossh")
            return attrs.evolve(made, state=State.UNKNOWN, why=why)
        hidden = {name: self._learn(original, target, name, value) for name, value in answer.secrets.items()}
        made = attrs.evolve(made, script=script.digest, exit_code=result.exit_code, log=self.mask(result.log))
        if not answer.ended:
            why = f"the script ended with exit code {result.exit_code} before it said how; {_last_line(made.log)}"
            return attrs.evolve(made, state=State.UNKNOWN, why=why)
        if answer.state == "locked":
            self.locked = True
        elif step.leaves:
            self._forget(step, target)
        if answer.action == "elsewhere":
            return self._elsewhere(original, attrs.evolve(made, why=answer.why))
        places = [target]
        if original.runs_on == "manager":
            self.through[original.name] = target.name
            places = list(self.resolver.hosts(original))
        with self._lock:
            for place in places:
                self.known[original.name, place.name] = Facts(answer.inspect, {**answer.outputs, **hidden})
        return attrs.evolve(
            made,
            state=State.SUCCEEDED if answer.state == "succeeded" else State.FAILED,
            action=answer.action,
            changed=answer.changed,
            why=self.mask(answer.why),
            inspect=self.secrecy.masked(answer.inspect),
            outputs=Pairs({**self.secrecy.masked(answer.outputs), **dict.fromkeys(hidden, "***")}),
        )

    def _forget(self, step: Step, target: Target) -> None:
        """Its end has been seen, so what it left is of no use any more; what stays, the next deployment removes."""
        try:
            script = forget(order(step, target, self.resolver, self.deployment, self.logins))
            self.transport.run(target, script, timeout_s=60)
        except OctosshError as error:
            _log.warning("%s: what step %r left could not be removed: %s", target.name, step.name, error)

    def _elsewhere(self, step: Step, made: Outcome) -> Outcome:
        """The outcome on a host that is no manager of a swarm: another one does it, unless this was the last."""
        hosts = self.resolver.hosts(step)
        if made.target != hosts[-1].name:
            return attrs.evolve(made, state=State.SUCCEEDED, action="unchanged")
        with self._lock:
            others = [f"{outcome.target} is {outcome.why}" for outcome in self.outcomes if outcome.step == step.name]
        where = "; ".join([*others, f"{made.target} is {made.why}"])
        why = f"no target of this step is a manager of a swarm: {where}; give it the role of one"
        return attrs.evolve(made, why=why)

    def _asked(self, step: Approve, made: Outcome) -> Outcome:
        assert self.approver is not None
        self._tell("output", step.name, made.target, data={"line": f"octossh: asking for approval: {step.purpose}"})
        try:
            made = ask(step, self.deployment, self.approver, made)
        except KeyboardInterrupt:
            self.interrupted = True
            return attrs.evolve(made, why="the deployment was interrupted before anybody had answered")
        self.known[step.name, made.target] = Facts(outputs=made.outputs)
        return made

    def _learn(self, step: Step, target: Target, name: str, secret: Secret) -> SecretOutput:
        return self.secrecy.learn(step.name, target.name, name, secret)

    def _send(self, step: Step, target: Target, script: Script) -> tuple[Result, Answer]:
        secrets = self._values(step, script)

        def line(text: str) -> None:
            self._tell("output", step.name, target.name, data={"line": self.mask(text)})

        def frame(frame: Frame) -> None:
            # What comes behind it is masked already.
            if frame.kind == "secret":
                name, value, _ = read_output(frame)
                if isinstance(value, Secret):
                    self._learn(step, target, name, value)

        transport = self.here if target is CONTROLLER else self.transport
        given: _Given = {"secrets": secrets, "timeout_s": step.patience_s, "on_line": line, "on_frame": frame}
        if target.images == "push" and (pack := self.pack):
            given["feed"] = lambda frame: send(frame, self.plan.release, pack, line)
        try:
            result = transport.run(target, script, **given)
        except ConnectionLost:
            if not step.repeatable:
                raise
            # The script goes on over there under the host's lock. The same one sent again waits for that lock,
            # finds what the first one left, and says so: no container is made twice.
            line("octossh: the link was lost; connecting again to see how the step ended")
            made = order(step, target, self.resolver, self.deployment, self.logins, lock_wait_s=int(step.patience_s))
            result = self._second_look(target, script_of(made), step, given)
        try:
            return result, read_answer(result)
        except ReadError as error:
            error.hosts = Hosts.UNKNOWN
            raise

    def _values(self, step: Step, script: Script) -> dict[str, Secret]:
        """The secrets of *script*; a registry's login is got now, since it may be good for some minutes only."""
        known = self.secrecy.secrets
        values = {name: known[name] for name in script.secrets if name in known}
        for image, name in login_names(step, self.logins).items():
            if name not in script.secrets:
                continue
            values[name] = known[self.logins[image.registry.name]]
            # Nodes of a swarm pull whenever it moves a task: with a token for some minutes only if it has to be one.
            lasting = step.runs_on == "manager" and image.registry.host_login != "token"
            if self.login and not lasting and (found := self.login(image)):
                values[name] = found.docker_config(image.registry.pull_host)
                self.secrecy.hide(found.password)
        return values

    def _second_look(self, target: Target, script: Script, step: Step, given: _Given) -> Result:
        try:
            given = {**given, "secrets": self._values(step, script)}
            self.transport.connect(target)
            return self.transport.run(target, script, **given)
        except OctosshError as error:
            raise ConnectionLost(
                f"{target.name}: the link was lost while step {step.name!r} ran, and the host cannot be asked how it "
                f"ended ({error}). It may have ended there; deploy the same release again to find out and set it right"
            ) from error

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


def _last_line(log: str) -> str:
    lines = log.strip().splitlines()
    return f"its last line was: {lines[-1][:300]}" if lines else "it printed nothing"
