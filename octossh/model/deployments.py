"""Deployments: one release going to one environment, and how it ended on each host."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import attrs
from attrs import field, frozen

from octossh.errors import Hosts, ModelError, did_you_mean
from octossh.model._values import Described, Pairs, as_json
from octossh.model.choices import Options
from octossh.model.tables import Table

__all__ = ["Deployment", "Event", "Mode", "Outcome", "State"]


class State(enum.Enum):
    """How a deployment, or one step on one host, stands.

    A deployment is ``partial`` where all went well on the targets that it went to, and the release has not reached
    others of the environment yet: it does not stand there. It is ``waiting`` where it has begun, and no process runs
    it until somebody has approved how it goes on.
    """

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
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

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def brief(self) -> str:
        """In a few words: what was done or how it ended, how long it took, and why it did not succeed."""
        took = f" {self.duration_s:.1f} s" if self.duration_s is not None else ""
        did = f"{self.action or self.state.value}{took}"
        return did if self.state is State.SUCCEEDED or not self.why else f"{self.state.value}{took}: {self.why}"


_MOST_COLUMNS = 6  # hosts beside each other


@frozen(kw_only=True)
class Deployment(Described):
    """One release going to one environment.

    Attributes:
        id: Unique; sorts by time.
        by: User and machine that asked for it.
        controller: Machine, process id and start of the process that runs it.
        error: Why it did not succeed, or what it waits for; empty if it did.
        outcomes: In the order of the plan; what was never started is there too, as skipped.
        options: What was said for this one deployment.
        left_out: Names of targets of the environment that neither it nor those of the same release right before it
            went to.
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
    options: Options = field(factory=Options)
    left_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it succeeded, on all targets or on those that it went to."""
        return self.state in {State.SUCCEEDED, State.PARTIAL}

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

    def only(self, *, steps: Collection[str] = (), targets: Collection[str] = ()) -> Deployment:
        """The same with the outcomes of these steps and targets only; of all where none are named.

        Raises:
            ModelError: It has no such step or target.
        """
        for what, named, known in (
            ("step", steps, {outcome.step for outcome in self.outcomes}),
            ("target", targets, {outcome.target for outcome in self.outcomes}),
        ):
            if missing := next((name for name in named if name not in known), None):
                raise ModelError(f"deployment {self.id!r} has no {what} {missing!r}; {did_you_mean(missing, known)}")
        chosen = [o for o in self.outcomes if (not steps or o.step in steps) and (not targets or o.target in targets)]
        return attrs.evolve(self, outcomes=tuple(chosen))

    @property
    def summary(self) -> str:
        """One line: what went where, and how it ended."""
        head = f"{self.project} {self.release} -> {self.environment} ({self.mode.value}): {self.state.value}"
        return head if self.duration_s is None else f"{head} in {self.duration_s:.1f} s"

    def tables(self) -> tuple[Table, ...]:
        """One row for each step, one column for each host; the other way round where there are many hosts."""
        steps = tuple(dict.fromkeys(outcome.step for outcome in self.outcomes))
        hosts = tuple(dict.fromkeys(outcome.target for outcome in self.outcomes))
        told = {(outcome.step, outcome.target): outcome.brief for outcome in self.outcomes}
        head, rows = ("step", *hosts), [(step, *(told.get((step, host), "") for host in hosts)) for step in steps]
        if len(hosts) > _MOST_COLUMNS:
            head, rows = ("host", *steps), [(host, *(told.get((step, host), "") for step in steps)) for host in hosts]
        about = f"by {self.by}, started {self.started_at:%Y-%m-%d %H:%M:%S} UTC, deployment {self.id}"
        # Of a single step that failed, the table says why already.
        told_already = {f"{o.target}: step {o.step!r} {o.state.value}: {o.why}" for o in self.outcomes}
        notes = tuple(filter(None, (str(self.options), "" if self.error in told_already else self.error)))
        empty = f"{self.summary}: no step"
        return (Table(head=head, rows=rows, caption=self.summary, empty=empty, about=about, notes=notes),)

    def __str__(self) -> str:
        lines = [self.summary, *([f"  {self.options}"] if self.options else [])]
        width = max((len(outcome.target) for outcome in self.outcomes), default=0)
        steps = max((len(outcome.step) for outcome in self.outcomes), default=0)
        for outcome in self.outcomes:
            did = outcome.action or outcome.state.value
            why = f"  {outcome.why}" if outcome.why and outcome.state is not State.SUCCEEDED else ""
            lines.append(f"  {outcome.target:{width}}  {outcome.step:{steps}}  {did}{why}".rstrip())
        return "\n".join([*lines, *filter(None, (self.error, self.missed))])

    @property
    def missed(self) -> str:
        """Which hosts the release has not reached, though it succeeded; empty where it has reached all of them."""
        ends = {outcome.target: False for outcome in self.outcomes}
        for outcome in self.outcomes:
            failed = outcome.state in {State.FAILED, State.UNKNOWN}
            ends[outcome.target] |= failed or (outcome.state is State.SKIPPED and outcome.action != "not needed")
        names = [name for name, missed in ends.items() if missed]
        if not names or not self.ok:
            return ""
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        return f"{len(names)} of {len(ends)} hosts do not have it: {shown}; --outdated deploys it to them"


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
