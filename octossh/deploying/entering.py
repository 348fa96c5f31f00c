"""Containers of a deployment from outside: what they say, from many hosts at once, and commands within them."""

from __future__ import annotations

import heapq
import logging
import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from octossh.deploying.observing import look_again, on_each
from octossh.errors import ModelError, OctosshError
from octossh.model import ContainerLine, Execution, Resource, Target
from octossh.promises import NoThreads, started
from octossh.reading import read_answer, read_container_line, read_exit_code
from octossh.rendering import execute, logs

if TYPE_CHECKING:
    from octossh.shell import Frame, Result
    from octossh.transport import Transport

__all__ = ["Container", "Wanted", "execute_in", "find_containers", "listen"]

_log = logging.getLogger("octossh")

_WAITING = 500  # lines of followed containers that wait to be taken; more are left with their hosts
_AT_ONCE = 8  # sessions of one host; sshd allows ten over a connection, unless it is told otherwise
_TICK_S = 0.2
_END_S = 3.0
_FOREVER_S = float("inf")
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@frozen
class Container:
    """A container, and where it is."""

    target: Target
    seen: Resource

    @property
    def place(self) -> tuple[str, str, str]:
        """Of its like there may be several: the host, the step, and the service where compose made it."""
        return self.target.name, self.seen.step, self.seen.member


@frozen(kw_only=True)
class Wanted:
    """Which lines of containers are wanted.

    Attributes:
        follow: Go on until the containers end.
        since: Only from then on.
        tail: Only so many of each at first; None: all.
    """

    follow: bool = False
    since: datetime | None = None
    tail: int | None = None


def find_containers(
    project: str, environment: str, targets: Sequence[Target], transport: Transport
) -> tuple[list[Container], dict[str, OctosshError]]:
    """The containers of a project, by host: those that run, and of a step with none what is left of it; and faults.

    Hosts:
        untouched.
    """
    found: list[Container] = []
    faults: dict[str, OctosshError] = {}
    seen = look_again(project, environment, {}, targets, transport)
    for target in targets:
        snapshot = seen[target.name]
        if isinstance(snapshot, OctosshError):
            faults[target.name] = snapshot
            continue
        here = [Container(target, one) for one in snapshot.resources if one.kind == "container"]
        running = {one.place for one in here if one.seen.status == "running"}
        kept = [one for one in here if one.seen.status == "running" or one.place not in running]
        found += sorted(kept, key=lambda one: (one.seen.step, one.seen.name))
    return found, faults


def listen(containers: Sequence[Container], wanted: Wanted, transport: Transport) -> Iterator[ContainerLine]:
    """What *containers* have said, in the order of time; where they are followed, as it comes.

    Whoever takes no more lines and closes the iterator ends what was started on the hosts.

    Raises:
        ModelError: At once: of one host, more are to be followed than it has sessions for.
        OctosshError: Of one host, once all others have ended.

    Hosts:
        untouched.
    """
    for name, count in Counter(container.target.name for container in containers).items():
        if wanted.follow and count > _AT_ONCE:
            raise ModelError(
                f"{name} has {count} containers to follow, and at most {_AT_ONCE} of one host are followed at once; "
                "choose among them with steps= (--step)"
            )
    return _all(containers, wanted, transport)


def _all(containers: Sequence[Container], wanted: Wanted, transport: Transport) -> Iterator[ContainerLine]:
    stop = threading.Event()
    shared: queue.Queue[ContainerLine | None] | None = queue.Queue(_WAITING) if wanted.follow else None
    gates: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(_AT_ONCE))
    ears = [_Ear(one, wanted, transport, stop, shared, gates[one.target.name]) for one in containers]
    try:
        for ear in ears:
            ear.start()
        if shared is None:
            yield from heapq.merge(*(ear.lines() for ear in ears), key=lambda line: line.at or _BEFORE_ALL)
        else:
            yield from _as_they_come(shared, len(ears))
    finally:
        stop.set()
        end_at = time.monotonic() + _END_S
        for ear in ears:
            if ear.thread is not None:
                ear.thread.join(max(0.0, end_at - time.monotonic()))
    errors = [ear.error for ear in ears if ear.error is not None]
    if errors:
        if len(errors) > 1:
            errors[0].add_note(f"{len(errors)} of {len(ears)} containers failed; this is the first of them")
        raise errors[0]


def _as_they_come(lines: queue.Queue[ContainerLine | None], left: int) -> Iterator[ContainerLine]:
    while left:
        line = lines.get()
        if line is None:
            left -= 1
        else:
            yield line


class _Ear:
    """The thread that listens to one container."""

    def __init__(
        self,
        container: Container,
        wanted: Wanted,
        transport: Transport,
        stop: threading.Event,
        shared: queue.Queue[ContainerLine | None] | None,
        gate: threading.Semaphore,
    ) -> None:
        self._container, self._wanted, self._transport, self._stop = container, wanted, transport, stop
        # A queue of its own takes all that comes: whoever puts lines in order waits for the first of each container,
        # and a container whose host has no connection yet waits for others to be read to their end.
        self._queue: queue.Queue[ContainerLine | None] = queue.Queue() if shared is None else shared
        self._gate = gate
        self._at: datetime | None = None
        self.error: OctosshError | None = None
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Hear it; where there is no thread for that, until its end.

        Raises:
            OctosshError: It has no end, since it is to be followed.
        """
        self.thread = started(self._run, "octossh-listen")
        if self.thread is not None:
            return
        if self._wanted.follow:
            seen = f"{self._container.target.name}: {self._container.seen.name}"
            raise OctosshError(f"{seen} cannot be followed: {NoThreads()}; choose fewer with steps= (--step)")
        self._run()

    def lines(self) -> Iterator[ContainerLine]:
        """What this container alone has said."""
        return _as_they_come(self._queue, 1)

    def _run(self) -> None:
        with self._gate:
            if not self._stop.is_set():
                self._hear()

    def _hear(self) -> None:
        target, seen, wanted = self._container.target, self._container.seen, self._wanted
        try:
            script = logs(target, seen.id, follow=wanted.follow, since=wanted.since, tail=wanted.tail)
            feed = self._enough if wanted.follow else None
            result = self._transport.run(target, script, timeout_s=_FOREVER_S, on_line=self._heard, feed=feed)
            answer = read_answer(result)
            if not self._stop.is_set() and answer.state != "succeeded":
                why = answer.why or f"the script ended early with exit code {result.exit_code}"
                _log.warning("%s: the log of %s ends here: %s", target.name, seen.name, why)
        except OctosshError as error:
            if not self._stop.is_set():
                self.error = error
                if wanted.follow:
                    _log.warning("%s: the log of %s ends here: %s", target.name, seen.name, error)
        finally:
            self._put(None)

    def _enough(self, _frame: Frame) -> Iterator[bytes]:
        return iter([b"enough\n"] if self._stop.is_set() else [])

    def _heard(self, text: str) -> None:
        at, said = read_container_line(text)
        self._at = at or self._at
        self._put(ContainerLine(**_about(self._container), text=said, at=self._at))

    def _put(self, line: ContainerLine | None) -> None:
        # Whoever reads slowly makes the host wait; whoever reads no more makes nobody wait.
        while not self._stop.is_set():
            try:
                self._queue.put(line, timeout=_TICK_S)
            except queue.Full:
                continue
            return


def _about(container: Container) -> dict[str, Any]:
    seen = container.seen
    return {"target": container.target.name, "step": seen.step, "container": seen.name, "member": seen.member}


def execute_in(
    containers: Sequence[Container],
    command: Sequence[str],
    transport: Transport,
    *,
    user: str = "",
    timeout_s: float = 900,
    on_line: Callable[[ContainerLine], None] | None = None,
) -> list[Execution]:
    """Execute *command* in each of *containers*, of which there is one on a host, beside each other.

    Hosts:
        as the command does.
    """
    there = {container.target.name: container for container in containers}

    def run(target: Target) -> Execution:
        container = there[target.name]
        about = _about(container)

        def heard(text: str) -> None:
            if on_line is not None:
                on_line(ContainerLine(**about, text=text))

        script = execute(target, container.seen.id, command, user=user)
        result: Result = transport.run(target, script, timeout_s=timeout_s, on_line=heard)
        return Execution(**about, exit_code=read_exit_code(result, target.name), output=result.log)

    made = on_each((container.target for container in containers), run)
    return [
        Execution(**_about(there[name]), why=str(done)) if isinstance(done, OctosshError) else done
        for name, done in made.items()
    ]
