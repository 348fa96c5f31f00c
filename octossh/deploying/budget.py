"""Which hosts have failed in a deployment, and whether the others go on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from octossh.model import CONTROLLER, Pairs, State

if TYPE_CHECKING:
    from octossh.model import Pause, Rollout, Step, Target
    from octossh.planning import Plan, Stage

__all__ = ["Budget"]


class Budget:
    """The hosts that failed, held against what a `Rollout` puts up with. Safe to use from many threads.

    Attributes:
        failed: Names of the hosts on which a step failed, in order; they get no further step.
        excluded: Names of the hosts that somebody has excluded after a failure; they do not count.
        over: Why nothing more is started; empty while it goes on.
        reason: The same, where that is more than that a step has failed.
        exceeded: Whether more hosts failed than may.
    """

    def __init__(self, plan: Plan) -> None:
        self._rollout: Rollout = plan.rollout
        self._tolerated = self._rollout.tolerated(len(plan.targets))
        self.failed: dict[str, None] = {}
        self.excluded: dict[str, None] = {}
        self.over = self.reason = ""
        self.exceeded = False
        self._down: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def restore(self, pause: Pause) -> None:
        """Go on with what was spent before a deployment waited."""
        self.failed, self.excluded = dict.fromkeys(pause.failed), dict.fromkeys(pause.excluded)
        self._down = {step: set(names) for step, names in pause.down.items()}
        self.over, self.reason, self.exceeded = pause.over, pause.reason, pause.exceeded

    def spent(self) -> dict[str, Any]:
        """What was spent, as the fields of a `Pause` have it."""
        with self._lock:
            return {
                "failed": tuple(self.failed),
                "excluded": tuple(self.excluded),
                "down": Pairs({step: tuple(sorted(names)) for step, names in self._down.items()}),
                "over": self.over,
                "reason": self.reason,
                "exceeded": self.exceeded,
            }

    def lost(self, target: Target) -> bool:
        """Whether something has failed as far as *target* is concerned: there, or so that nothing goes on."""
        with self._lock:
            return bool(self.over) or target.name in self.failed or target.name in self.excluded

    def fail(self, step: Step, target: Target) -> None:
        """*step* has failed on *target*, and nobody makes up for it."""
        with self._lock:
            self._down.setdefault(step.name, set()).add(target.name)
            if target is not CONTROLLER:
                self.failed.setdefault(target.name)
            once = step.runs_on != "each" or step.required
            if once or len(self.failed) > self._tolerated:
                self.exceeded = True
                if once or self._rollout.on_failure != "continue":
                    self.over = self.over or "an earlier step did not succeed"

    def ignore(self, step: Step, target: Target) -> None:
        """*step* has failed on *target*, and somebody says that this does not matter."""
        with self._lock:
            self._down.setdefault(step.name, set()).add(target.name)

    def exclude(self, step: Step, target: Target) -> None:
        """*step* has failed on *target*, and somebody says that the others go on without it."""
        with self._lock:
            self._down.setdefault(step.name, set()).add(target.name)
            self.excluded.setdefault(target.name)

    def abort(self) -> None:
        """Somebody says after a failure that nothing more is started."""
        with self._lock:
            self.exceeded, self.over = True, self.over or "the deployment was aborted"

    def stop(self, why: str) -> None:
        """Start nothing more, for another reason than a step that has failed."""
        with self._lock:
            self.reason = self.reason or why
            self.exceeded, self.over = True, self.over or why

    def down(self, stage: Stage) -> int:
        """How many hosts of *stage* have failed, in it or before it."""
        with self._lock:
            out = {*self.failed, *self.excluded, *self._down.get(stage.step.name, ())}
            return sum(task.target.name in out for wave in stage.waves for task in wave)

    @property
    def state(self) -> State:
        """How it ends, unless it is interrupted."""
        return State.FAILED if self.exceeded else State.SUCCEEDED
