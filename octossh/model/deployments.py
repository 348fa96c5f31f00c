"""Deployments: one release going to one environment, and how it ended on each host."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.errors import Hosts
from octossh.model._values import Described, Pairs, as_json

__all__ = ["Deployment", "Event", "Mode", "Outcome", "State"]


class State(enum.Enum):
    """How a deployment, or one step on one host, stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    INTERRUPTED = "interrupted"


class Mode(enum.Enum):
    """What a deployment is, beside what succeeded last in its environment."""

    DEPLOY = "deploy"
    REDEPLOY = "redeploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    PRUNE = "prune"


@frozen(kw_only=True)
class Outcome(Described):
    """How one step ended on one host.

    Attributes:
        action: What was done: ``created``, ``replaced``, ``started``, ``unchanged``, ``ran``, ``stopped``,
            ``put back`` (the old container runs again), or empty.
        changed: Whether the host is another than before.
        why: The reason, in words.
        log: The last lines of output; of a container that failed, its own log as well. Secrets are masked.
        inspect: The output of ``docker inspect`` of the container or network, without the values of secrets.
        outputs: What a script gave out: text, or bytes where they are no text in UTF-8; of secrets ``***``.
    """

    step: str
    target: str
    state: State
    action: str = ""
    changed: bool = False
    why: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    script: str = ""
    log: str = field(default="", repr=False)
    inspect: Mapping[str, Any] = field(factory=dict, repr=False, eq=as_json)
    outputs: Pairs[str | bytes] = field(factory=Pairs, repr=False)


@frozen(kw_only=True)
class Deployment(Described):
    """One release going to one environment.

    Attributes:
        id: Unique; sorts by time.
        by: User and machine that asked for it.
        controller: Machine, process id and start of the process that runs it.
        error: Why it did not succeed; empty if it did.
        outcomes: In the order of the plan; what was never started is there too, as skipped.
    """

    id: str
    project: str
    release: str
    environment: str
    mode: Mode
    state: State
    started_at: datetime
    finished_at: datetime | None = None
    by: str = ""
    controller: str = ""
    error: str = ""
    outcomes: tuple[Outcome, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.state is State.SUCCEEDED

    @property
    def hosts(self) -> Hosts:
        """What is true of the hosts after it: unknown if any is, else changed if any is, else untouched."""
        if any(outcome.state in {State.UNKNOWN, State.RUNNING} for outcome in self.outcomes):
            return Hosts.UNKNOWN
        return Hosts.CHANGED if any(outcome.changed for outcome in self.outcomes) else Hosts.UNTOUCHED

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None

    def outcome(self, step: str, target: str) -> Outcome | None:
        """How *step* ended on *target*."""
        return next((o for o in self.outcomes if (o.step, o.target) == (step, target)), None)

    def __str__(self) -> str:
        head = f"{self.project} {self.release} -> {self.environment} ({self.mode.value}): {self.state.value}"
        if self.duration_s is not None:
            head += f" in {self.duration_s:.1f} s"
        lines = [head]
        width = max((len(outcome.target) for outcome in self.outcomes), default=0)
        steps = max((len(outcome.step) for outcome in self.outcomes), default=0)
        for outcome in self.outcomes:
            did = outcome.action or outcome.state.value
            why = f"  {outcome.why}" if outcome.why and outcome.state is not State.SUCCEEDED else ""
            lines.append(f"  {outcome.target:{width}}  {outcome.step:{steps}}  {did}{why}".rstrip())
        return "\n".join([*lines, *([self.error] if self.error else [])])


@frozen(kw_only=True)
class Event(Described):
    """One thing that happened during a deployment.

    Attributes:
        type: ``deployment_started``, ``step_started``, ``output``, ``step_finished``, ``deployment_finished``.
        data: What else there is to say; JSON can hold it.
        version: Of this form of events.
    """

    type: str
    at: datetime
    deployment: str
    step: str = ""
    target: str = ""
    data: Mapping[str, Any] = field(factory=dict, eq=as_json)
    version: int = 1
