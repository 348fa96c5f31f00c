"""Applying plans: the one place that changes hosts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from octossh.deploying.approving import check_approvals
from octossh.deploying.control import Watch
from octossh.deploying.observing import connect, offline
from octossh.deploying.pauses import how_to_go_on, layout
from octossh.deploying.running import Run
from octossh.deploying.working import Access
from octossh.errors import DeployFailed, DeployWaits, Hosts, OctosshError, PlanError, Refused
from octossh.model import CONTROLLER, State
from octossh.planning import Action, without
from octossh.promises import NoThreads, promised, started
from octossh.rendering import prepare

if TYPE_CHECKING:
    from octossh.deploying.approving import Approver
    from octossh.deploying.asking import Decider
    from octossh.deploying.pauses import Shelf
    from octossh.deploying.sending import Pack
    from octossh.model import Cancellation, Deployment, Event, Image, Pause
    from octossh.model.credentials import Credentials
    from octossh.planning import Plan
    from octossh.recording import Record
    from octossh.shell import Secret
    from octossh.transport import Transport

__all__ = ["apply"]

_log = logging.getLogger("octossh")


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
    lock_wait_s: int = 30,
    store: str = "",
    approver: Approver | None = None, shelf: Shelf | None = None, decider: Decider | None = None,
    cancelled: Callable[[], Cancellation | None] | None = None,
    on_event: Callable[[Event], None] | None = None,
    check: bool = True,
) -> Deployment:  # fmt: skip
    """Do what *plan*, made by `octossh.planning.plan`, says, step by step, on the hosts of a wave beside each other.

    Args:
        plan: What to do.
        transport: How to reach the hosts.
        record: Gets every start and end.
        deployment: As it begins.
        secrets: A value for each secret that the scripts need.
        logins: Names of the secrets with registry logins, by name of the registry.
        login: Gives a login for an image that a host is about to pull.
        pack: Gives the archive of an image that is sent.
        lock_wait_s: Seconds that a script waits for its host, where another deployment holds it.
        store: From `Store.mark`: claims of other deployments of that store are over.
        approver: Who is asked where a step wants an approval.
        shelf: Where it is put to wait for an approval, and comes from with its outcomes. None: it cannot wait.
        decider: Who is asked what to do when a step has failed on a host. None: the rollout says.
        cancelled: Is asked once in a second whether somebody wants it to stop.
        on_event: Gets each event as it happens, from several threads, one at a time.
        check: Raise when the deployment does not succeed; otherwise return it either way.

    Raises:
        PlanError: It holds what cannot be done, or too few hosts are there; or Refused: nobody can approve.
        ConnectError, RecordError: A host cannot be reached, or the record not be written.
        DeployFailed: It did not succeed, and *check* is true; so with DeployWaits, and KeyboardInterrupt.

    Hosts:
        as the error says; untouched with the first ones.
    """
    given = Access(secrets or {}, logins or {}, login, pack, lock_wait_s, store)
    made = _ready(plan, transport, approver, shelf)
    run = Run(made, transport, record, deployment, given, approver, decider, on_event, shelf)
    return _attended(run, cancelled, check=check)


def _attended(run: Run, cancelled: Callable[[], Cancellation | None] | None, *, check: bool) -> Deployment:
    """What comes of *run* in a thread of its own, while this one answers its questions and takes Ctrl-C."""

    def work() -> Deployment:
        try:
            return run.all()
        finally:
            run.questions.end()

    watch = Watch(run.control, run.timeout_s, run.plan.rollout.timeout_s, cancelled)
    try:
        with watch, run.questions.signals():
            done = promised(work, "octossh-deployment")
            run.questions.serve()
            problem = done.exception()
    except NoThreads as none:
        raise OctosshError(f"the deployment has not begun: {none}; end something, and deploy again") from none
    if run.control.leaves is not None:
        if problem is not None:
            _log.error("the deployment was to end the process, and has failed itself: %s", problem)
        raise run.control.leaves from problem
    ended = done.result()
    if check and ended.state is State.WAITING:
        raise DeployWaits(how_to_go_on(ended, run.asks), ended, ended.hosts)
    if check and not ended.ok:
        raise _failure(ended, locked=run.worker.locked, by_user=run.control.by_user)
    return ended


@contextlib.contextmanager
def _meanwhile(do: Callable[[], None]) -> Iterator[None]:
    """Do something in the time in which hosts are waited for; nothing where there is no thread for it."""
    thread = started(do, "octossh-prepare")
    yield
    if thread is not None:
        thread.join()


def _ready(plan: Plan, transport: Transport, approver: Approver | None, shelf: Shelf | None) -> Plan:
    """*plan*, which may be applied, for the hosts that can be reached and are connected; its templates are compiled."""
    for task in plan.refusals:
        raise PlanError(f"{task.target.name}: step {task.step.name!r} cannot be done: {task.why}")
    check_approvals(plan, approver, shelf)
    kinds = {task.step.kind for task in plan.tasks if task.step.scripted}
    with _meanwhile(lambda: prepare(kinds, plan.templates)):
        made = _connected(plan, transport)
    if shelf is not None and shelf.pause is not None:
        _check_waves(made, shelf.pause)
    return made


def _check_waves(plan: Plan, pause: Pause) -> None:
    """Check that a wave that was waited for is the same one still: a host that has gone meanwhile moves the others."""
    waves = layout(plan)
    for step, wave in pause.waits.items():
        if wave and waves.get(step) != pause.waves[step]:
            name, why = next((name, why) for name, why in plan.skipped.items() if name not in pause.skipped)
            raise Refused(f"step {step!r} has come to wave {wave}, and {name} is {why}; the deployment waits on")


def _connected(plan: Plan, transport: Transport) -> Plan:
    used = {task.target for task in plan.tasks if task.action is not Action.SKIP and task.target is not CONTROLLER}
    targets = [target for target in plan.targets if target in used]
    if plan.rollout.offline == "fail":
        connect(targets, transport)
        return plan
    away = offline(targets, transport)
    return without(plan, away) if away else plan


def _failure(ended: Deployment, *, locked: bool, by_user: bool) -> BaseException:
    if ended.state is State.INTERRUPTED and by_user:
        return KeyboardInterrupt()
    failed = DeployFailed(str(ended), ended, ended.hosts)
    if ended.state is State.INTERRUPTED:
        failed.exit_code = 130
    elif locked and ended.hosts is Hosts.UNTOUCHED:
        failed.exit_code = 4
    return failed
