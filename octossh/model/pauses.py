"""Where a deployment stands that waits in its middle for an approval: all that is needed to go on from there."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from octossh.model._values import Described, Pairs
from octossh.model.rollout import Rollout
from octossh.model.values import Sealed

__all__ = ["Held", "Pause"]


@frozen(kw_only=True)
class Pause(Described):
    """How far a deployment has come that waits for an approval, besides what its steps came to on their hosts.

    Attributes:
        since: When it began to wait.
        waits: What is to be approved: names of steps, each with the number of the wave before which it is, or 0 where
            the step itself asks.
        targets: Names of the targets that it goes to.
        waves: Over which targets each step goes, in which order.
        skipped: Names of targets that are left out, with the reason.
        idle: Why steps did not run on targets where their condition was false, by step and target.
        rollout: How it goes over its hosts.
        marks: Hashes of the user's own templates, by kind of step.
        failed: Names of the targets on which a step has failed.
        excluded: Names of the targets that somebody has excluded after a failure.
        down: By step, the targets on which it has failed.
        over: Why nothing more is started, but for what runs then; empty while it goes on.
        reason: The same, where that is more than that a step has failed.
        exceeded: Whether more hosts have failed than may.
        spent_s: Seconds that it has taken so far, without waiting.
    """

    since: datetime
    waits: Pairs[int]
    targets: tuple[str, ...] = ()
    waves: Pairs[tuple[tuple[str, ...], ...]] = field(factory=Pairs)
    skipped: Pairs[str] = field(factory=Pairs)
    idle: Pairs[Pairs[str]] = field(factory=Pairs)
    rollout: Rollout = field(factory=Rollout)
    marks: Pairs[str] = field(factory=Pairs)
    failed: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    down: Pairs[tuple[str, ...]] = field(factory=Pairs)
    over: str = ""
    reason: str = ""
    exceeded: bool = False
    spent_s: float = 0.0


@frozen(kw_only=True)
class Held(Described):
    """Values of secrets that a deployment needs to go on and that can be had nowhere else, encrypted.

    Attributes:
        secrets: By their names; of secret outputs of its steps, too.
    """

    secrets: Pairs[Sealed]
