"""Deployments that wait: for their time, or for somebody's approval."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import field, frozen

from octossh.model._values import Described, Listed, Pairs
from octossh.model.approvals import Approval
from octossh.model.choices import Options
from octossh.model.deployments import Mode
from octossh.model.pauses import Pause
from octossh.model.tables import columns

__all__ = ["DueState", "Schedule", "ScheduleList"]


class DueState(enum.Enum):
    """How a deployment that was scheduled stands: what became of it once started, the deployment itself says."""

    WAITING = "waiting"
    STARTED = "started"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


@frozen(kw_only=True)
class Schedule(Described):
    """A deployment that waits for its time, and for the approvals that its steps ask for.

    Attributes:
        id: Unique; that of the deployment, once it has started.
        at: Not before this time, in UTC.
        expires_at: Not from this time on.
        options: What was said for it.
        asks: Names of the steps that ask for an approval.
        approvals: The answers so far, by the name of the step.
        state: How it stands.
        why: Why it has not started yet, or never will.
        by: Who scheduled it.
        created_at: When.
        controller: The process that has started it.
        pause: How far it has come, where it has begun and waits in its middle.
        mode: What it is as; None: what is seen when it starts, ``deploy`` or ``redeploy``.
    """

    id: str
    project: str
    release: str
    environment: str
    at: datetime
    expires_at: datetime
    options: Options = field(factory=Options)
    asks: tuple[str, ...] = ()
    approvals: Pairs[Approval] = field(factory=Pairs)
    state: DueState = DueState.WAITING
    why: str = ""
    by: str = ""
    created_at: datetime = field()
    controller: str = ""
    pause: Pause | None = None
    mode: Mode | None = None

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The steps whose approval is still to come."""
        return tuple(name for name in self.asks if name not in self.approvals)

    def __str__(self) -> str:
        what = f" ({self.mode.value})" if self.mode else ""
        head = f"{self.id}: {self.project} {self.release} -> {self.environment}{what} "
        head += f"at {self.at:%Y-%m-%d %H:%M} UTC, " if self.pause is None else "in its middle, "
        head += f"until {self.expires_at:%Y-%m-%d %H:%M}{' UTC' if self.pause else ''}: {self.state.value}"
        return (
            head + (f", {self.waits_for}" if self.waits_for else "") + (f"\n  {self.options}" if self.options else "")
        )

    @property
    def rejected(self) -> Approval | None:
        """The answer that does not let it go on, if there is one."""
        return next((self.approvals[name] for name in self.asks if not self._let(name)), None)

    def _let(self, name: str) -> bool:
        return name not in self.approvals or self.approvals[name].approved

    @property
    def waits_for(self) -> str:
        """What keeps it, in words."""
        if self.state is not DueState.WAITING:
            return self.why
        said = [self.why] if self.why else []
        if (no := self.rejected) is not None:
            said.insert(0, f"{no.by} does not approve, and 'run-due' ends it")
        elif self.unanswered:
            said.insert(0, f"asks for approval: {', '.join(self.unanswered)}")
        elif self.pause is not None:
            said.insert(0, "approved, and 'run-due' goes on")
        return "; ".join(said)


@frozen
class ScheduleList(Listed[Schedule]):
    """Deployments that were scheduled, the earliest first."""

    schedules: tuple[Schedule, ...]

    def __str__(self) -> str:
        if not self.schedules:
            return "nothing is scheduled"
        rows = [
            (
                f"{one.at:%Y-%m-%d %H:%M}",
                f"{one.expires_at:%Y-%m-%d %H:%M}",
                one.project,
                one.release,
                one.environment,
                one.state.value,
                one.by,
                one.id,
                one.waits_for,
            )
            for one in self.schedules
        ]
        return columns(
            rows, ("at (UTC)", "until (UTC)", "project", "release", "to", "state", "by", "deployment", "why")
        )
