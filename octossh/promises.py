"""Calls in threads of their own, for which the end of the process does not wait: not after Ctrl-C either."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["of_each", "promised"]

S = TypeVar("S")
T = TypeVar("T")


def promised(call: Callable[[], T], name: str) -> Future[T]:
    """What *call* gives or raises, in a thread of that *name*, which has the context of whoever asks.

    Raises:
        RuntimeError: There are no more threads.
    """
    answer: Future[T] = Future()
    _start(lambda: _keep(answer, call), name)
    return answer


def of_each(things: Iterable[S], ask: Callable[[S], T], *, at_once: int, name: str) -> tuple[T, ...]:
    """What *ask* gives for each of *things*, of which *at_once* are asked beside each other; or the first error.

    Then, and after Ctrl-C, no more of them are begun, and those that were are not waited for. Where there are not so
    many threads, fewer are asked at once.

    Raises:
        RuntimeError: There is no thread at all.
    """
    # Not a pool of concurrent.futures, whose threads the end of the process waits for.
    asked: list[tuple[S, Future[T]]] = [(thing, Future()) for thing in things]
    left = deque(asked)

    def work() -> None:
        while True:
            try:
                thing, answer = left.popleft()
            except IndexError:
                return
            _keep(answer, lambda thing=thing: ask(thing))  # type: ignore[misc]

    try:
        for number in range(min(at_once, len(asked))):
            try:
                _start(work, name)
            except RuntimeError:
                if not number:
                    raise
                break
        return tuple(answer.result() for _, answer in asked)
    finally:
        left.clear()


def _keep(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001 - it belongs to who waits for it
        answer.set_exception(error)


def _start(work: Callable[[], None], name: str) -> None:
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True).start()
