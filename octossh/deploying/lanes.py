"""How many hosts are in work at once: of a step, behind a gateway, and in all."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from octossh.model import CONTROLLER
from octossh.promises import started

if TYPE_CHECKING:
    from octossh.deploying.control import Control
    from octossh.model import Rollout, Target
    from octossh.planning import Task

__all__ = ["Lanes"]

_LOOK_S = 1.0


class Lanes:
    """Does tasks in threads of their own, as many at once as a `Rollout` lets, and one at a time on each host.

    Where there are not so many threads, fewer are in work at once; where there is none, they have that of the caller.

    The threads of a host that hangs end with its connection, or with the process: they are waited for only as long
    as *control* says.
    """

    def __init__(self, control: Control, rollout: Rollout) -> None:
        self._control, self._rollout = control, rollout
        self._busy: Counter[str] = Counter()
        self._behind: Counter[str] = Counter()

    def run(
        self, tasks: Sequence[Task], do: Callable[[Task], None], due: Callable[[Task], bool], most: int | None = None
    ) -> None:
        """Do each of *tasks*, and wait for all that has begun.

        Args:
            tasks: In the order in which they shall begin.
            do: Does one; it raises nothing.
            due: Whether one that had to wait may still begin.
            most: Of them at once; None: any number.
        """
        waiting, running, waited = list(tasks), [0], False

        def work(task: Task) -> None:
            try:
                do(task)
            finally:
                with self._control.bell:
                    running[0] -= 1
                    self._count(task.target, -1)
                    self._control.bell.notify_all()

        with self._control.bell:
            while (waiting or running[0]) and not self._control.leaving:
                place = None if most is not None and running[0] >= most else self._next(waiting)
                if place is None:
                    waited = True
                    self._control.bell.wait(_LOOK_S)
                    continue
                task = waiting.pop(place)
                if waited and not due(task):
                    continue
                # One that is done already waits for the bell to say so.
                running[0] += 1
                self._count(task.target, 1)
                if started(functools.partial(work, task), f"octossh {task.target}") is not None:
                    continue
                waited = True
                if sum(self._busy.values()) == 1:  # there is no end of another one to wait for
                    self._here(work, task)
                    continue
                running[0] -= 1
                self._count(task.target, -1)
                waiting.insert(place, task)
                self._control.bell.wait(_LOOK_S)

    def _here(self, work: Callable[[Task], None], task: Task) -> None:
        """Do it in this thread, which holds the bell, and does not meanwhile."""
        self._control.bell.release()
        try:
            work(task)
        finally:
            self._control.bell.acquire()

    def _next(self, waiting: Sequence[Task]) -> int | None:
        if sum(self._busy.values()) >= self._rollout.parallel:
            return None
        return next((place for place, task in enumerate(waiting) if self._free(task.target)), None)

    def _free(self, target: Target) -> bool:
        if self._busy[target.name] and target is not CONTROLLER:
            return False
        gateway, most = _gateway(target), self._rollout.per_gateway
        return most is None or gateway is None or self._behind[gateway] < most

    def _count(self, target: Target, by: int) -> None:
        self._busy[target.name] += by
        if not self._busy[target.name]:
            del self._busy[target.name]
        if (gateway := _gateway(target)) is not None:
            self._behind[gateway] += by


def _gateway(target: Target) -> str | None:
    """The hosts that one goes through to *target*."""
    return None if target.jump == "none" else target.jump
