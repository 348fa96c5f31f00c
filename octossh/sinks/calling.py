"""Calling hooks: a function, a command or a web server, before, during and after deployments."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from octossh.errors import ModelError, Refused
from octossh.model import HookCall, Moment
from octossh.promises import started

if TYPE_CHECKING:
    from octossh.model import Deployment, Event

__all__ = ["Hook", "Hooks"]

_log = logging.getLogger("octossh")


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
