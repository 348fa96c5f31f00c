"""Asking people while a deployment runs: in the thread that called, which is the one that Ctrl-C interrupts."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from octossh.errors import ModelError
from octossh.model import Decision, FailureRequest

if TYPE_CHECKING:
    from octossh.deploying.control import Control

__all__ = ["Decider", "Interrupted", "Questions", "decide", "policy"]

Decider = Callable[[FailureRequest], Decision]
"""Who says what shall be done when a step has failed on a host."""

_LOOK_S = 0.5

T = TypeVar("T")
_Asked = tuple[Callable[[], Any], Future[Any]]


class Interrupted(Exception):
    """The deployment was stopped before anybody had answered."""


class Questions:
    """Questions of the threads of a deployment, answered one at a time by the thread that called for it."""

    def __init__(self, control: Control) -> None:
        self._control = control
        # Its put() may be called by a handler of signals.
        self._queue: queue.SimpleQueue[_Asked | str] = queue.SimpleQueue()
        self._caller = threading.current_thread()
        self._asking = False
        control.on_stop = self._stopped

    def ask(self, question: Callable[[], T]) -> T:
        """What *question* gives, called in the thread that called for the deployment.

        Raises:
            Interrupted: The deployment was stopped meanwhile.
        """
        answer: Future[T] = Future()
        self._queue.put((question, answer))
        if not self._control.gets(answer):
            raise Interrupted
        return answer.result()

    def end(self) -> None:
        """No more questions come."""
        self._queue.put("end")

    def serve(self) -> None:
        """Answer until there are no more; each Ctrl-C meanwhile stops the deployment, or leaves it.

        Whoever is asked may end the process (SystemExit): that stops the deployment, and `Control.leaves` keeps it.
        """
        while (asked := self._next()) != "end":
            try:
                if isinstance(asked, str):
                    self._control.interrupt()
                else:
                    self._answer(*asked)
            except KeyboardInterrupt:
                self._control.interrupt()
            except BaseException as error:  # noqa: BLE001 - it is raised again when the deployment has its end
                self._control.exit(error, "whoever was asked")

    def _next(self) -> _Asked | str:
        # A signal that comes just before it waits, or to another thread, does not wake it, and is handled only then.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_LOOK_S)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Within, Ctrl-C strikes nothing but a question that is being asked: elsewhere it waits in the queue."""
        replaced = [
            number
            for number in (signal.SIGINT, signal.SIGTERM)
            if self._caller is threading.main_thread() and signal.getsignal(number) is signal.default_int_handler
        ]
        try:
            for number in replaced:
                signal.signal(number, self._pressed)
            yield
        finally:
            for number in replaced:
                signal.signal(number, signal.default_int_handler)

    def _pressed(self, _number: int, _frame: object) -> None:
        if self._asking:
            self._asking = False
            raise KeyboardInterrupt
        self._queue.put("interrupt")

    def _answer(self, question: Callable[[], Any], answer: Future[Any]) -> None:
        if self._control.stopping:
            return
        self._asking = True
        try:
            made = question()
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises belongs to who asked
            answer.set_exception(error)
        else:
            self._asking = False
            answer.set_result(made)
        finally:
            self._asking = False

    def _stopped(self) -> None:
        # Somebody is asked at a terminal about what goes on no more: end the waiting there, as Ctrl-C would.
        main = threading.main_thread()
        if self._asking and self._caller is main and threading.current_thread() is not main and main.ident:
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(main.ident, signal.SIGINT)


def policy(action: str) -> Decider:
    """Somebody who always says the same, by the name of ``policy``.

    Raises:
        ModelError: *action* is none, or would try again for ever.
    """
    decision = Decision(action, by="policy")
    if action == "retry":
        raise ModelError("on_failure='retry' would try for ever; give steps a retry=octossh.Retry(...)")

    def same(request: FailureRequest) -> Decision:
        return decision if action in request.choices else Decision("abort", by="policy")

    return same


def decide(decider: Decider, request: FailureRequest) -> Decision:
    """What shall be done.

    Raises:
        ModelError: The answer is none, or none of the choices.
    """
    decision = decider(request)
    if not isinstance(decision, Decision):
        raise ModelError(f"on_failure gave {decision!r}; let it give an octossh.Decision")
    if decision.action not in request.choices:
        raise ModelError(f"{decision.action!r} cannot be chosen here, only {', '.join(request.choices)}")
    return decision
