"""One step on one host: its script, what came back, and what that means."""

from __future__ import annotations

import functools
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, Protocol, TypedDict

import attrs
from attrs import field, frozen

from octossh.deploying.bundles import Bundle, Fate, Part
from octossh.deploying.claims import Claims
from octossh.deploying.following import Told, begin, find_again
from octossh.deploying.limits import MOST_HOSTS_AT_ONCE
from octossh.deploying.observing import QUESTION_S
from octossh.deploying.orders import Scripts, login_names, order
from octossh.deploying.pauses import Unanswered
from octossh.deploying.secrecy import Secrecy
from octossh.deploying.sending import Pack, send
from octossh.deploying.silence import END_S, Silence
from octossh.errors import (
    AuthError,
    ConnectError,
    ConnectionLost,
    HostKeyError,
    Hosts,
    ModelError,
    OctosshError,
    PlanError,
    ReadError,
    TimedOut,
)
from octossh.model import CONTROLLER, Image, Outcome, Pairs, State, is_approve, is_run_script
from octossh.model.credentials import Credentials
from octossh.planning import Facts, last_steps, remembered, together
from octossh.reading import read_answer, read_output
from octossh.rendering import attach, claim_name, end_run, forget, outliving, run_id
from octossh.shell import Result, Secret
from octossh.templating import NotYetKnown
from octossh.transport import Local

if TYPE_CHECKING:
    from octossh.deploying.control import Control
    from octossh.model import Approve, Deployment, RunScript, Step, Target
    from octossh.planning import Plan, SecretOutput, Task
    from octossh.reading import Answer
    from octossh.shell import Frame, Script
    from octossh.transport import Feed, Transport

__all__ = ["Access", "Worker"]

_log = logging.getLogger("octossh")


class _Given(TypedDict):
    """What each run of a script is given."""

    secrets: Mapping[str, Secret]
    timeout_s: float
    on_line: Callable[[str], None]
    on_frame: Callable[[Frame], None]
    feed: NotRequired[Feed]


class Tell(Protocol):
    """Passes on an event that is not recorded."""

    def __call__(self, kind: str, step: str = "", target: str = "", *, data: Mapping[str, Any] | None = None) -> None:
        """Of one step on one host, or of neither."""


@frozen
class Access:
    """What scripts need besides the plan. See `octossh.deploying.apply`."""

    secrets: Mapping[str, Secret] = field(factory=dict, repr=False)
    logins: Mapping[str, str] = field(factory=dict)
    login: Callable[[Image], Credentials | None] | None = None
    pack: Pack | None = None
    lock_wait_s: int = 30
    store: str = ""


class Worker:
    """Does the steps of a plan, one on one host at a time, and keeps what they leave for later ones.

    Safe to use from many threads.

    Attributes:
        known: What each step left on each host.
        ask: Gets the answer of whoever approves.
        locked: Whether somebody else held the lock of a host.
        claims: What is held on the hosts from step to step.
        comes_back: Whether hosts that were changed are asked something more when all is over.
    """

    def __init__(
        self,
        plan: Plan,
        deployment: Deployment,
        transport: Transport,
        access: Access,
        tell: Tell,
        control: Control,
    ) -> None:
        self.plan, self.deployment, self.transport = plan, deployment, transport
        self._tell, self._control = tell, control
        self.ask: Callable[[Approve, Outcome], Outcome]
        self.comes_back = False
        self.secrecy = Secrecy(access.secrets)
        self.logins, self.login, self.pack, self.lock_wait_s = (
            access.logins, access.login, access.pack, access.lock_wait_s,
        )  # fmt: skip
        self.mask = self.secrecy.mask
        self.resolver = plan.resolver(self.secrecy.secrets)
        self._scripts = Scripts(self.resolver, deployment, self.logins)
        self.known: dict[tuple[str, str], Facts] = {}
        self.locked = False
        name = claim_name(deployment.project, deployment.environment, deployment.id, access.store)
        self.claims = Claims(name, transport)
        self._lasts = last_steps(plan)
        self._steps = {step.name: step for step in plan.release.process.steps}
        self._ahead: Callable[..., None] = getattr(transport, "ahead", lambda _target, **_now: None)
        self._spoken: set[str] = set()
        self._here: Transport = transport if getattr(transport, "plays_controller", False) else Local()
        self._through: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._hopeless: set[tuple[str, str]] = set()
        self._said: dict[str, list[str]] = {}
        self._runs: Counter[str] = Counter()
        self._together = together(plan) if getattr(transport, "streams", False) else {}
        self._bundles: dict[tuple[str, str], tuple[Bundle, int]] = {}
        self._left = threading.Event()
        self._lock = threading.Lock()

    def make_ready(self) -> None:
        """Let the first hosts begin sessions, while their first scripts are being made and recorded."""
        first = (
            task.target for stages in self.plan.rounds for stage in stages for wave in stage.waves for task in wave
        )
        hosts = (target for target in dict.fromkeys(first) if target is not CONTROLLER)
        for target in itertools.islice(hosts, min(self.plan.rollout.parallel, MOST_HOSTS_AT_ONCE)):
            self._ahead(target, now=True)

    def close(self) -> None:
        """End what still runs on the machine that deploys, and look no more for what was lost."""
        self._left.set()
        if self._here is not self.transport:
            self._here.close()

    def holds(self, task: Task, *, failed: bool) -> bool:
        """Whether the condition of *task* holds. See `Resolver.holds`."""
        return self.resolver.holds(self._steps[task.step.name], task.target, self.known, failed=failed)

    def remember(self, outcomes: Iterable[Outcome]) -> None:
        """Know again what steps left before the deployment waited."""
        steps = self.plan.release.process.steps
        self.known = remembered(outcomes, steps, self.plan.targets, self.secrecy.secrets)

    def last_of(self, step: Step, names: Sequence[str]) -> None:
        """*step* goes through a manager of a swarm, which may be any of these: the last one has to be it."""
        self._last[step.name] = names[-1] if names else ""

    def hopeless(self, made: Outcome) -> bool:
        """Whether the same would come of it if it were tried again."""
        return (made.step, made.target) in self._hopeless

    def bundle(self, task: Task) -> tuple[str, ...]:
        """Make ready what goes to the host in one script with *task*; the names of the steps behind it.

        Nothing is sent before `do` is asked for *task*.
        """
        place = task.step.name, task.target.name
        behind = self._together.get(place, ())
        if place in self._bundles or not behind:
            return ()
        parts: list[Part] = []
        for one in (task, *behind):
            try:
                parts.append(self._part(one))
            except (NotYetKnown, OctosshError):
                break  # when its turn comes, it is said what is wrong
        if len(parts) < 2:
            return ()
        last = (parts[-1].step.name, task.target.name) in self._lasts
        bundle = Bundle(
            task.target, parts, self.transport, self._control, claim=self.claims.ahead(task.target), last=last
        )
        for number, part in enumerate(parts):
            self._bundles[part.step.name, task.target.name] = bundle, number
        return bundle.names

    def sent(self, task: Task) -> bool:
        """Whether *task* has been sent together with an earlier one, so that it has begun, or may still do so."""
        bundle, number = self._bundles.get((task.step.name, task.target.name), (None, 0))
        return bundle is not None and number > 0 and bundle.begins(number)

    def _part(self, task: Task) -> Part:
        original, target = self._steps[task.step.name], task.target
        step = self.resolver.resolve(original, target, self.known)
        script = self._scripts.of(step, target, self.lock_wait_s)
        run = run_id(self.deployment.id, step.name, target.name)
        told = Told(*self._ears(step, target))
        return Part(step=step, script=script, run=run, values=self._values(step, script), told=told)

    def _resolved(self, task: Task) -> Step:
        bundle, number = self._bundles.get((task.step.name, task.target.name), (None, 0))
        if bundle is not None:
            return bundle.parts[number].step
        return self.resolver.resolve(self._steps[task.step.name], task.target, self.known)

    def do(self, task: Task) -> Outcome:
        """Run one step on one host, and put whatever happens in an outcome."""
        target, original = task.target, self._steps[task.step.name]
        made = Outcome(step=original.name, target=target.name, state=State.FAILED)
        self._hopeless.discard((original.name, target.name))
        try:
            step = self._resolved(task)
            if is_approve(step):
                return self._asked(step, made)
            if original.name in self._through:
                why = f"done through {self._through[original.name]}"
                return attrs.evolve(made, state=State.SUCCEEDED, action="unchanged", why=why)
            sent = self._bundled(task)
            if sent is None:
                script = self._scripts.of(step, target, self.lock_wait_s)
                sent = script, self._send(step, target, script)
            script, result = sent
            answer = read_answer(result)
        except Unanswered:
            raise
        except NotYetKnown as missing:
            self._hopeless.add((original.name, target.name))
            return attrs.evolve(made, why=f"it reads what step {missing.step!r} leaves, which did not run here")
        except OctosshError as error:
            if isinstance(error, ModelError | PlanError | HostKeyError | AuthError):
                self._hopeless.add((original.name, target.name))
            unknown = error.hosts is Hosts.UNKNOWN or isinstance(error, ReadError)
            return attrs.evolve(made, state=State.UNKNOWN if unknown else State.FAILED, why=self.mask(str(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the record must say that nobody knows
            _log.exception("step %r on %s: octossh itself failed", original.name, target.name)
            why = self.mask(f"octossh itself failed with {type(error).__name__}: {error}; this is a fault of octossh")
            return attrs.evolve(made, state=State.UNKNOWN, why=why)
        return self._read(original, step, attrs.evolve(made, script=script.digest), result, answer)

    def _read(self, original: Step, step: Step, made: Outcome, result: Result, answer: Answer) -> Outcome:
        """*made* with what the host answered."""
        target = self.resolver.reach(original)[made.target]
        hidden = {name: self._learn(original, target, name, value) for name, value in answer.secrets.items()}
        made = attrs.evolve(made, exit_code=result.exit_code, log=self.mask(result.log))
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
            self._through[original.name] = target.name
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

    def _asked(self, step: Approve, made: Outcome) -> Outcome:
        made = self.ask(step, made)
        self.known[step.name, made.target] = Facts(outputs=made.outputs)
        return made

    def _forget(self, step: Step, target: Target) -> None:
        """Its end has been seen, so what it left is of no use any more; what stays, the next deployment removes."""
        try:
            script = forget(order(step, target, self.resolver, self.deployment, self.logins))
            self.transport.run(target, script, timeout_s=QUESTION_S)
        except OctosshError as error:
            _log.warning("%s: what step %r left could not be removed: %s", target.name, step.name, error)

    def _elsewhere(self, step: Step, made: Outcome) -> Outcome:
        """The outcome on a host that is no manager of a swarm: another one does it, unless this was the last."""
        with self._lock:
            said = self._said.setdefault(step.name, [])
            said.append(f"{made.target} is {made.why}")
            where = "; ".join(said)
        if made.target != self._last.get(step.name):
            return attrs.evolve(made, state=State.SUCCEEDED, action="unchanged")
        why = f"no target of this step is a manager of a swarm: {where}; give it the role of one"
        return attrs.evolve(made, why=why)

    def _learn(self, step: Step, target: Target, name: str, secret: Secret) -> SecretOutput:
        return self.secrecy.learn(step.name, target.name, name, secret)

    def _ears(self, step: Step, target: Target) -> tuple[Callable[[str], None], Callable[[Frame], None]]:
        """What hears the lines and the frames of *step*."""

        def line(text: str) -> None:
            self._speaks(target)
            self._tell("output", step.name, target.name, data={"line": self.mask(text)})

        def frame(frame: Frame) -> None:
            # What comes behind it is masked already.
            if frame.kind == "secret":
                name, value, _ = read_output(frame)
                if isinstance(value, Secret):
                    self._learn(step, target, name, value)
            self.claims.heard(target, frame)

        return line, frame

    def _speaks(self, target: Target) -> None:
        """*target* says something, which it does where there is something to change."""
        if self.comes_back and target is not CONTROLLER and target.name not in self._spoken:
            self._spoken.add(target.name)
            self._ahead(target)

    def _goes_on(self, step: Step, target: Target) -> None:
        """*step* is about to be sent: where it is not the last one there, the next one finds a session ready."""
        if (step.name, target.name) not in self._lasts:
            self._ahead(target)

    def _send(self, step: Step, target: Target, script: Script) -> Result:
        line, frame = self._ears(step, target)
        secrets = self._values(step, script)
        given: _Given = {"secrets": secrets, "timeout_s": step.patience_s, "on_line": line, "on_frame": frame}
        if target.images == "push" and (pack := self.pack):
            given["feed"] = lambda frame: send(frame, self.plan.release, pack, line)
        if target is CONTROLLER:
            return self._here.run(target, script, **given)
        return self._outliving(step, target, script, given)

    def _bundled(self, task: Task) -> tuple[Script, Result] | None:
        """What came of *task* where it went to its host together with others; None where it did not."""
        bundle, number = self._bundles.pop((task.step.name, task.target.name), (None, 0))
        if bundle is None:
            return None
        part = bundle.parts[number]
        if number == 0:
            with self._lock:
                self._runs.update(one.run for one in bundle.parts)
            self._goes_on(bundle.parts[-1].step, task.target)
            bundle.send()
        end = bundle.wait(number)
        if end is Fate.NOT_BEGUN:
            return None
        if isinstance(end, Result):
            return part.script, end
        line, frame = self._ears(part.step, task.target)
        given: _Given = {
            "secrets": part.values, "timeout_s": part.step.patience_s, "on_line": line, "on_frame": frame,
        }  # fmt: skip
        return part.script, self._found(part.step, task.target, part.run, part.told, given)

    def _outliving(self, step: Step, target: Target, script: Script, given: _Given) -> Result:
        """Run *script*, and when the link is lost meanwhile, find its run again."""
        run = run_id(self.deployment.id, step.name, target.name)
        with self._listening(step, target, run) as silence:
            told = Told(silence.line(given["on_line"]), silence.frame(given["on_frame"]), silence.lost)
            given["on_line"], given["on_frame"] = told.line, told.frame
            self._goes_on(step, target)
            try:
                return self._begun(step, target, script, run, told, given)
            except ConnectionLost:
                return self._found(step, target, run, told, given)
            except TimedOut as late:
                return self._out_of_time(step, target, run, told, late)

    def _begun(self, step: Step, target: Target, script: Script, run: str, told: Told, given: _Given) -> Result:
        """What comes of *script* as the next *run* of its name."""
        numbered = self._numbered(script, run, step, target)
        send = functools.partial(self.transport.run, target, numbered, **given)
        return begin(self.transport, target, send, told, self._control)

    def _listening(self, step: Step, target: Target, run: str) -> Silence:
        """Ends the *run* of a script of the user's that is silent for too long; it says itself why it ended."""
        limit_s = step.idle_timeout_s if is_run_script(step) else None

        def end() -> bool:
            result = self._end_run(step, target, run, f"it said nothing for {limit_s:g} s, and was ended", running=1)
            # It may be on its way to the host still.
            return read_answer(result).action != "gone"

        return Silence(limit_s, end)

    def _found(self, step: Step, target: Target, run: str, told: Told, given: _Given) -> Result:
        """What came of the *run* of which the link was lost; where it never began, it is sent once more."""
        told.lost()
        given["on_line"], given["on_frame"] = told.line, told.frame
        told.say("octossh: the link was lost; connecting again to see how the step goes on")
        try:
            script = attach(run, step.name, self.claims.ahead(target))
            result = find_again(self.transport, target, script, told, step.patience_s, self._left)
        except TimedOut as late:
            return self._out_of_time(step, target, run, told, late)
        except (ConnectError, ConnectionLost) as error:
            raise self._unknown(step, target, f"the host cannot be reached again: {error}") from error
        answer = read_answer(result)
        gone = answer.action == "gone"
        if not step.repeatable or not (gone or "feed" in given):
            if gone:
                raise self._unknown(step, target, answer.why)
            return result
        # It never began, or what was sent to it broke off: it may be sent once more. The same script waits for the
        # lock, finds what the first one left, and says so: no container is made twice.
        script = self._scripts.of(step, target, int(step.patience_s), again=True)
        try:
            given = {**given, "secrets": self._values(step, script)}
            return self._begun(step, target, script, run, told, given)
        except OctosshError as error:
            raise self._unknown(step, target, str(error)) from error

    def _out_of_time(self, step: Step, target: Target, run: str, told: Told, late: TimedOut) -> Result:
        """End the *run* of a script of the user's, and hear how it ended then."""
        if not is_run_script(step):
            raise late  # the others have deadlines of their own, and go back by themselves
        said = f"did not end within {step.timeout_s:g} s"
        try:
            self._end_run(step, target, run, f"it {said}, and was ended")
            self._end_container(step, target)
            script = attach(run, step.name, self.claims.ahead(target))
            result = find_again(self.transport, target, script, told, END_S, self._left)
        except (ConnectError, ConnectionLost, TimedOut) as error:
            raise self._unknown(step, target, f"it cannot be ended: {error}", said) from error
        if (answer := read_answer(result)).action == "gone":
            raise self._unknown(step, target, answer.why, said)
        return result

    def _end_run(self, step: Step, target: Target, run: str, why: str, *, running: int = 0) -> Result:
        """End a *run*, of which *running* still has the connection."""
        try:
            return self.transport.run(target, end_run(run, step.name, why), timeout_s=END_S)
        except ConnectError as error:
            hang_up = getattr(self.transport, "hang_up", None)
            if error.kind != "sessions" or hang_up is None or not hang_up(target, running=running):
                raise
        # Where sshd allows one session, that of the run counts until it has ended; but only over its connection, which
        # also had what is claimed.
        return self.transport.run(target, end_run(run, step.name, why, self.claims.ahead(target)), timeout_s=END_S)

    def _end_container(self, step: RunScript, target: Target) -> None:
        """Away with the container of a script that was ended, also where nothing was left there to do that."""
        if step.image is not None:
            self._forget(step, target)

    def _numbered(self, script: Script, run: str, step: Step, target: Target) -> Script:
        with self._lock:
            self._runs[run] += 1
            number = self._runs[run]
        ends = is_run_script(step) and step.on_lost_link == "abort"
        last = (step.name, target.name) in self._lasts
        claim = self.claims.ahead(target)
        return outliving(script, run, number, ends=ends, claim=claim, last=last, repeatable=step.repeatable)

    def _unknown(self, step: Step, target: Target, why: str, said: str = "") -> ConnectionLost:
        what = f"step {step.name!r} {said}" if said else f"the link was lost while step {step.name!r} ran"
        return ConnectionLost(
            f"{target.name}: {what}, and it is not known how it ended: {why}. "
            f"'octossh resume {self.deployment.id}' asks again; or deploy the same release again to set it right"
        )

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


def _last_line(log: str) -> str:
    lines = log.strip().splitlines()
    return f"its last line was: {lines[-1][:300]}" if lines else "it printed nothing"
