"""Calls in threads of their own, for which the end of the process does not wait: not after Ctrl-C either."""

from __future__ import annotations

import contextvars
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["NoThreads", "of_each", "promised", "started"]

S = TypeVar("S")
T = TypeVar("T")


class NoThreads(RuntimeError):
    """There are no more threads."""

    def __init__(self) -> None:
        super().__init__("this process can have no more threads: it, or its machine, has too many")


def started(work: Callable[[], object], name: str) -> threading.Thread | None:
    """A thread of that *name* that does *work*, for which the end of the process does not wait; None: there is none."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def promised(call: Callable[[], T], name: str, *, or_here: bool = False) -> Future[T]:
    """What *call* gives or raises, in a thread of that *name*, which has the context of whoever asks.

    Args:
        call: What is called.
        name: Of the thread.
        or_here: Where there is no thread, call it in this one, and be back once it has ended.

    Raises:
        NoThreads: There is none, and *or_here* is false.
    """
    answer: Future[T] = Future()
    if not _started(lambda: _keep(answer, call), name):
        if not or_here:
            raise NoThreads
        _keep(answer, call)
    return answer


def of_each(things: Iterable[S], ask: Callable[[S], T], *, at_once: int, name: str) -> tuple[T, ...]:
    """What *ask* gives for each of *things*, of which *at_once* are asked beside each other; or the first error.

    Then, and after Ctrl-C, no more of them are begun, and those that were are not waited for. Where there are not so
    many threads, fewer are asked at once; where there is none, one after the other in this one.
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
            if not _started(work, name):
                if not number:
                    return tuple(ask(thing) for thing, _ in asked)
                break
        return tuple(answer.result() for _, answer in asked)
    finally:
        left.clear()


def _keep(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001 - it belongs to who waits for it
        answer.set_exception(error)


def _started(work: Callable[[], None], name: str) -> bool:
    """Whether a thread does *work* in the context of whoever asks."""
    return started(functools.partial(contextvars.copy_context().run, work), name) is not None
