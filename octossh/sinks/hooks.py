"""Hooks: a function, a command or a web server that is called before, during and after deployments."""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import os
import queue
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from octossh.errors import ModelError, Refused, did_you_mean
from octossh.model import HookCall, Moment
from octossh.promises import started
from octossh.sinks.http import Posting, check_seconds
from octossh.sinks.spans import carried

if TYPE_CHECKING:
    from octossh.model import Deployment, Event

__all__ = ["CommandHook", "Hook", "Hooks", "Webhook"]

_log = logging.getLogger("octossh")

_USUAL = (Moment.BEFORE_DEPLOY, Moment.FAILURE, Moment.AFTER_DEPLOY)


class Hook(Protocol):
    """Something that is called.

    Attributes:
        name: For messages.
        on: The moments at which it is called.
    """

    @property
    def name(self) -> str:
        """The name."""

    @property
    def on(self) -> tuple[Moment, ...]:
        """The moments."""

    def call(self, call: HookCall) -> None:
        """Do what it does; whatever is raised says why it failed."""


def _moments(value: Iterable[Moment | str]) -> tuple[Moment, ...]:
    known = {moment.value: moment for moment in Moment}
    several = isinstance(value, Iterable) and not isinstance(value, str)
    names = [str(getattr(one, "value", one)) for one in (value if several else (value,))]
    if stray := next((name for name in names if name not in known), None):
        raise ModelError(f"a hook is called at no moment {stray!r}; {did_you_mean(stray, known)}")
    return tuple(known[name] for name in names)


def _words(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else ()


@frozen
class CommandHook:
    """Runs a command on this machine, with a `HookCall` as JSON on its standard input.

    It succeeds with exit code 0. What it says is shown only where it fails: the last line of it. Where there is a span
    of OpenTelemetry, its environment names it: ``TRACEPARENT``, with ``TRACESTATE``.

    Attributes:
        command: Its words, which go through no shell.
        on: The moments at which it runs. Default: before and after each deployment, and where a step fails.
        timeout_s: Seconds that it may take; then it is killed, with all that it has started in its session.
    """

    command: tuple[str, ...] = field(converter=_words)
    on: tuple[Moment, ...] = field(default=_USUAL, kw_only=True, converter=_moments)
    timeout_s: float = field(default=30.0, kw_only=True, validator=check_seconds)

    @command.validator
    def _check_command(self, _attribute: object, words: object) -> None:
        text = isinstance(words, tuple) and all(isinstance(word, str) and "\0" not in word for word in words)
        if not text or not words or not words[0]:  # type: ignore[index]
            raise ModelError("the command of a hook is no list of words; write one such as ['./notify.sh']")

    @property
    def name(self) -> str:
        """The command."""
        return shlex.join(self.command)

    def call(self, call: HookCall) -> None:
        """Run it; an error says why it failed."""
        told = json.dumps(call.to_dict(), ensure_ascii=False).encode()
        # In a file: a pipe would stay open as long as whatever the command leaves behind.
        with tempfile.TemporaryFile() as said:
            code = self._run(told, said)
            if code:
                last = _last_line(said)
                raise OSError(f"it ended with exit code {code}" + (f": {last}" if last else ""))

    def _run(self, told: bytes, said: IO[bytes]) -> int:
        try:
            running = subprocess.Popen(  # noqa: S603 - what the user wants to run
                self.command,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is for the deployment
            )
        except OSError as error:
            raise OSError(f"it cannot be run: {error.strerror}") from None
        with running:
            try:
                running.communicate(told, timeout=self.timeout_s)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise OSError(f"it did not end within {self.timeout_s:g} s") from None
                raise
        return running.returncode


def _environment() -> dict[str, str] | None:
    """That of this process, with the current span in place of the one above; None: just that."""
    span = {name.upper(): value for name, value in carried().items()}
    if not span:
        return None
    return {name: value for name, value in os.environ.items() if name not in {"TRACEPARENT", "TRACESTATE"}} | span


def _last_line(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - 65536))
    lines = said.read().decode("utf-8", "backslashreplace").strip().splitlines()
    return lines[-1][:300] if lines else ""


@frozen
class Webhook(Posting):
    """POSTs a `HookCall` as JSON, signed as an `HttpSink` signs.

    Where there is a span of OpenTelemetry, the headers ``traceparent`` and ``tracestate`` name it.

    Attributes:
        on: The moments at which it is called. Default: before and after each deployment, and where a step fails.
    """

    on: tuple[Moment, ...] = field(default=_USUAL, kw_only=True, converter=_moments)

    def call(self, call: HookCall) -> None:
        """Send it; an error says that it was not taken."""
        self.post(call.to_dict(), carried())


@frozen
class _Function:
    """A function of the user's, which is called at each moment."""

    function: Callable[[HookCall], object]
    on: tuple[Moment, ...] = tuple(Moment)

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", self.function))

    def call(self, call: HookCall) -> None:
        self.function(call)


def _hook(given: Any) -> Hook:
    if callable(getattr(given, "call", None)):
        made: Hook = given
        return made
    if callable(given):
        return _Function(given)
    raise ModelError(f"{given!r} is no hook; give a function, a CommandHook or a Webhook")


class Hooks:
    """Calls hooks: before a deployment at once, and later ones in a thread of their own, in order.

    Args:
        hooks: Functions, and what has a name, moments and ``call()``.

    Raises:
        ModelError: Something is no hook.
    """

    def __init__(self, hooks: Iterable[Hook | Callable[[HookCall], object]] = ()) -> None:
        self._hooks = tuple(_hook(given) for given in hooks)
        self._moments = {moment for hook in self._hooks for moment in hook.on}

    def before(self, deployment: Deployment) -> None:
        """Call those that want to know before *deployment* begins.

        Raises:
            Refused: One has failed, so it must not begin. What only puts hosts back is not held up by that.
        """
        for hook in self._at(Moment.BEFORE_DEPLOY):
            try:
                hook.call(_call(Moment.BEFORE_DEPLOY, deployment))
            except Exception as error:
                why = _said(error)
                if not deployment.options.undoes:
                    raise Refused(
                        f"{deployment.project} {deployment.release} may not go to {deployment.environment!r}: the hook "
                        f"{hook.name} says no: {why}"
                    ) from error
                _log.warning("the hook %s failed before hosts are put back: %s", hook.name, why)

    @contextlib.contextmanager
    def during(
        self, deployment: Deployment, on_event: Callable[[Event], None] | None = None
    ) -> Iterator[Callable[[Event], None]]:
        """What hears events of *deployment*, passes them on and has hooks called; at the end it waits for these."""
        calling = _Calling(self, deployment, on_event)
        try:
            yield calling.hear
        finally:
            calling.close()

    def wanted(self, event: Event) -> list[Moment]:
        """The moments that *event* is, as far as a hook wants them."""
        moments = [_OF[event.type]] if event.type in _OF else []
        if event.type == "step_finished" and event.data.get("state") != "succeeded":
            moments.append(Moment.FAILURE)
        return [moment for moment in moments if moment in self._moments]

    def tell(self, call: HookCall) -> None:
        """Call those that want to know; that one fails is logged, and the deployment goes on."""
        for hook in self._at(call.moment):
            try:
                hook.call(call)
            except BaseException as error:
                # Also where it wants to end the process; Ctrl-C, which strikes one thread only, is no fault of its own.
                if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                    raise
                _log.warning("the hook %s failed at %s: %s", hook.name, call.moment.value, _said(error))

    def _at(self, moment: Moment) -> list[Hook]:
        return [hook for hook in self._hooks if moment in hook.on]


_OF = {
    "step_started": Moment.BEFORE_STEP,
    "step_finished": Moment.AFTER_STEP,
    "deployment_finished": Moment.AFTER_DEPLOY,
}


class _Calling:
    """The thread that calls hooks while one deployment goes on: no step waits for them."""

    def __init__(self, hooks: Hooks, deployment: Deployment, on_event: Callable[[Event], None] | None) -> None:
        self._hooks, self._deployment, self._on_event = hooks, deployment, on_event
        self._calls: queue.SimpleQueue[tuple[contextvars.Context, HookCall] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def hear(self, event: Event) -> None:
        """Have hooks called that want to know of *event*, and pass it on."""
        for moment in self._hooks.wanted(event):
            # The span that the event is about is current now, and not when the thread comes to it.
            self._calls.put((contextvars.copy_context(), _call(moment, self._deployment, event)))
            if self._thread is None:
                self._thread = started(self._run, "octossh-hooks")
        if self._on_event is not None:
            self._on_event(event)

    def _run(self) -> None:
        while (wanted := self._calls.get()) is not None:
            context, call = wanted
            context.run(self._hooks.tell, call)

    def close(self) -> None:
        """Wait until all have been called."""
        self._calls.put(None)
        if self._thread is not None:
            self._thread.join()
        else:
            self._run()


def _call(moment: Moment, deployment: Deployment, event: Event | None = None) -> HookCall:
    return HookCall(
        moment=moment,
        at=datetime.now(UTC) if event is None else event.at,
        deployment=deployment.id,
        project=deployment.project,
        release=deployment.release,
        environment=deployment.environment,
        mode=deployment.mode.value,
        by=deployment.by,
        step="" if event is None else event.step,
        target="" if event is None else event.target,
        data={} if event is None else event.data,
    )


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
