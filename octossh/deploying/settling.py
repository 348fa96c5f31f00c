"""Deployments whose process has gone: what their steps came to is asked of the hosts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from octossh.deploying.approving import approved
from octossh.deploying.claims import Claims
from octossh.deploying.following import Told, find_again
from octossh.deploying.listening import heard
from octossh.deploying.observing import on_each
from octossh.deploying.secrecy import Secrecy
from octossh.errors import OctosshError
from octossh.model import CONTROLLER, Event, Outcome, Pairs, State, Target, is_approve
from octossh.planning import hosts_of
from octossh.reading import read_answer, read_output
from octossh.rendering import attach, claim_name, run_id
from octossh.shell import Frame, Secret

if TYPE_CHECKING:
    from octossh.model import Deployment, Release, Step
    from octossh.shell import Result
    from octossh.transport import Transport

__all__ = ["settle"]

_FREE_S = 10.0  # how long hosts are waited for that shall be free again
_DONE = {State.SUCCEEDED, State.SKIPPED, State.FAILED}


def settle(
    deployment: Deployment,
    release: Release,
    targets: Sequence[Target],
    events: Sequence[Event],
    transport: Transport,
    secrets: Mapping[str, Secret] | None,
    on_event: Callable[[Event], None] | None = None,
    store: str = "",
) -> Deployment:
    """*deployment* with its end, as its hosts tell it. A step that still runs there is waited for; nothing is started.

    What a host cannot tell stays unknown, with the reason.

    Args:
        deployment: Its process has gone, or could not learn how some step ended.
        release: What was deployed.
        targets: All that there are.
        events: What was recorded of it.
        transport: How to reach the hosts.
        secrets: What must be masked. None: it is not known, so what the steps say is neither told nor kept.
        on_event: Is called with what the steps say, as events of the kind ``output``.
        store: See `octossh.deploying.apply`.

    Hosts:
        as the outcomes say.
    """
    asking = _Asking(deployment, release, transport, secrets, on_event, store, _answers(events))
    known = {(outcome.step, outcome.target): outcome for outcome in deployment.outcomes}
    begun, behind = _begun(events)
    hosts = {target.name: target for target in targets if deployment.environment in target.environments}
    # Of several steps on one host the last one holds the others up, so they are asked one after the other.
    open_: dict[str, list[tuple[str, datetime]]] = {}
    for (step, target), at in begun.items():
        if (step, target) not in known or known[step, target].state not in _DONE:
            open_.setdefault(target, []).append((step, at))
    try:
        found = on_each(
            [hosts.get(name) or _not_asked(name) for name in open_],
            lambda target: asking.outcomes(target, open_[target.name], known, behind, there=target.name in hosts),
        )
        for target in {target for _, target in begun} - set(open_):
            asking.held(hosts.get(target))
        asking.claims.free(_FREE_S)
    finally:
        asking.left.set()  # after Ctrl-C nobody waits for hosts that do not answer
    for name, outcomes in found.items():
        if not isinstance(outcomes, OctosshError):
            known |= {(one.step, name): _newer(known.get((one.step, name)), one) for one in outcomes}
    return _ended(deployment, release, [*hosts.values()], known)


def _not_asked(name: str) -> Target:
    """What stands for a target that nobody asks: the machine that deployed, or a host that is not known any more."""
    return CONTROLLER if name == CONTROLLER.name else Target(name, "gone.invalid")


def _begun(events: Iterable[Event]) -> tuple[dict[tuple[str, str], datetime], dict[tuple[str, str], str]]:
    """When steps began, or were sent, by step and target; and the step before it of each that was sent behind one."""
    begun: dict[tuple[str, str], datetime] = {}
    behind: dict[tuple[str, str], str] = {}
    for event in events:
        if event.type != "step_started":
            continue
        begun[event.step, event.target] = event.at
        behind.pop((event.step, event.target), None)
        names = [event.step, *event.data.get("behind", ())]
        for before, name in itertools.pairwise(names):
            begun.setdefault((name, event.target), event.at)
            behind[name, event.target] = before
    return begun, behind


def _answers(events: Iterable[Event]) -> dict[str, Event]:
    """What was answered last to each step that asked for an approval, and did not ask again."""
    made: dict[str, Event] = {}
    for event in events:
        if event.data.get("about") != "approval":
            continue
        if event.type == "answered":
            made[event.step] = event
        elif event.type == "asked":
            made.pop(event.step, None)
    return made


def _newer(before: Outcome | None, found: Outcome) -> Outcome:
    """What is known now; of an end that stays unknown, what was known of it *before* is kept."""
    if before is None or found.state is not State.UNKNOWN:
        return found
    return before if found.why in before.why else attrs.evolve(before, why=f"{before.why}; {found.why}")


def _ended(
    deployment: Deployment, release: Release, hosts: Sequence[Target], known: dict[tuple[str, str], Outcome]
) -> Deployment:
    for step in release.process.steps:
        for target in hosts_of(step, hosts):
            missing = Outcome(
                step=step.name, target=target.name, state=State.SKIPPED, why="the process that deployed had gone before"
            )
            known.setdefault((step.name, target.name), missing)
    outcomes = tuple(known.values())
    bad = [outcome for outcome in outcomes if outcome.state not in {State.SUCCEEDED, State.SKIPPED}]
    state, error = deployment.state, deployment.error
    if deployment.finished_at is None:
        well = all(outcome.state is State.SUCCEEDED for outcome in outcomes) and not deployment.left_out
        state = State.SUCCEEDED if well else State.FAILED if bad else State.INTERRUPTED
        error = "" if well else "the process that deployed has gone"
    if bad:
        error = f"{bad[0].target}: step {bad[0].step!r} {bad[0].state.value}: {bad[0].why}"
    ended_at = deployment.finished_at or datetime.now(UTC)
    return attrs.evolve(deployment, state=state, error=error, finished_at=ended_at, outcomes=outcomes)


class _Asking:
    """Asks hosts after the steps of one deployment."""

    def __init__(
        self,
        deployment: Deployment,
        release: Release,
        transport: Transport,
        secrets: Mapping[str, Secret] | None,
        on_event: Callable[[Event], None] | None,
        store: str,
        answers: Mapping[str, Event],
    ) -> None:
        self._deployment, self._transport = deployment, transport
        self._secrecy, self._masking = Secrecy(secrets or {}), secrets is not None
        self._on_event = on_event if self._masking else None
        self._steps = {step.name: step for step in release.process.steps}
        self._telling = threading.Lock()
        name = claim_name(deployment.project, deployment.environment, deployment.id, store)
        self.claims = Claims(name, transport)
        self.left = threading.Event()
        self._answers = answers

    def outcomes(
        self,
        target: Target,
        open_: Sequence[tuple[str, datetime]],
        known: Mapping[tuple[str, str], Outcome],
        behind: Mapping[tuple[str, str], str],
        *,
        there: bool,
    ) -> list[Outcome]:
        """How the steps *open_* ended on *target*, one after the other."""
        states = {step: outcome.state for (step, name), outcome in known.items() if name == target.name}
        made = []
        for step, at in open_:
            before = behind.get((step, target.name))
            if before is not None and states.get(before) in {State.FAILED, State.SKIPPED}:
                why = f"it was sent behind step {before!r}, which did not succeed, so it never began"
                one = Outcome(step=step, target=target.name, state=State.SKIPPED, why=why)
            else:
                one = self.outcome(step, target, at, there=there)
            states[step] = one.state
            made.append(one)
        return made

    def outcome(self, name: str, target: Target, at: datetime, *, there: bool) -> Outcome:
        """How the step *name*, which began at *at*, ended on *target*; waits for its end."""
        made = Outcome(step=name, target=target.name, state=State.UNKNOWN, started_at=at)
        step = self._steps.get(name)
        if step is not None and is_approve(step):
            return approved(made, self._answers.get(name))
        if target.name == CONTROLLER.name:
            return attrs.evolve(made, why="it ran on the machine that deployed, which cannot be asked any more")
        if step is None or not there:
            return attrs.evolve(made, why="the host, or the step, is not among those that are known here any more")
        try:
            result = self._heard(step, target)
            self.held(target)
            return self._read(made, result)
        except OctosshError as error:
            return attrs.evolve(made, why=self._secrecy.mask(f"it cannot be asked how it ended: {error}"))

    def held(self, target: Target | None) -> None:
        """*target* may hold what the deployment has claimed."""
        if target is not None:
            self.claims.heard(target, Frame("claimed"))

    def _heard(self, step: Step, target: Target) -> Result:
        def frame(frame: Frame) -> None:
            if frame.kind == "secret":
                name, value, _ = read_output(frame)
                if isinstance(value, Secret):
                    self._secrecy.learn(step.name, target.name, name, value)

        told = Told(lambda line: self._tell(step.name, target.name, self._secrecy.mask(line)), frame)
        run = run_id(self._deployment.id, step.name, target.name)
        script = attach(run, step.name, self.claims.ahead(target))
        return find_again(self._transport, target, script, told, step.patience_s, self.left)

    def _read(self, made: Outcome, result: Result) -> Outcome:
        answer, secrecy = read_answer(result), self._secrecy
        made = attrs.evolve(made, finished_at=datetime.now(UTC))
        if answer.action == "gone":
            return attrs.evolve(made, why=answer.why)
        log = secrecy.mask(result.log) if self._masking else "what it said may hold secrets, and was not kept\n"
        made = attrs.evolve(made, exit_code=result.exit_code, log=log)
        if not answer.ended:
            why = f"its process was ended on the host, with exit code {result.exit_code}, before it said how it went"
            return attrs.evolve(made, why=why)
        state = State.SUCCEEDED if answer.state == "succeeded" else State.FAILED
        made = attrs.evolve(made, state=state, action=answer.action, changed=answer.changed)
        if not self._masking:
            return made
        outputs = {**secrecy.masked(answer.outputs), **dict.fromkeys(answer.secrets, "***")}
        return attrs.evolve(
            made,
            why=secrecy.mask(answer.why),
            inspect=secrecy.masked(answer.inspect),
            outputs=Pairs(outputs),
        )

    def _tell(self, step: str, target: str, line: str) -> None:
        if self._on_event is None:
            return
        event = Event(
            type="output",
            at=datetime.now(UTC),
            deployment=self._deployment.id,
            step=step,
            target=target,
            data={"line": line},
        )
        with self._telling:
            heard(self._on_event, event)
