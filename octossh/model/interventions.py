"""What people say while something is deployed, or about a target: failures, cancelling, maintenance."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, of, telling

__all__ = ["DECISIONS", "Cancellation", "Decision", "FailureRequest", "Maintenance"]

DECISIONS = ("retry", "ignore", "exclude", "abort")
"""What can be done about a step that failed on a host."""


@frozen(kw_only=True)
class FailureRequest(Described):
    """A step failed on a host: what shall be done?

    Attributes:
        step: The name of the step.
        target: The name of the target.
        why: Why it failed.
        log: The last lines of output, secrets masked.
        unknown: Whether its end was not seen, so that it may still run there.
        attempt: How many times it was tried by now.
        choices: What can be answered: of ``retry``, ``ignore``, ``exclude`` and ``abort``.
        project: What is deployed; so are release and environment.
        deployment: The id of the deployment.
        by: Who deploys.
    """

    step: str
    target: str
    why: str
    log: str = field(default="", repr=False)
    unknown: bool = False
    attempt: int = 1
    choices: tuple[str, ...] = DECISIONS
    project: str
    release: str
    environment: str
    deployment: str
    by: str


def _check_action(_instance: Any, _attribute: Any, action: Any) -> None:
    if action not in DECISIONS:
        raise ModelError(f"{action!r} is no way to go on after a failure; give one of {', '.join(DECISIONS)}")


def _check_by(_instance: Any, attribute: Any, by: Any) -> None:
    if not isinstance(by, str) or not by.strip() or "\n" in by:
        raise ModelError(f"it needs the name of whoever says so ({attribute.name}), on one line, not {by!r}")


def _check_why(_instance: Any, _attribute: Any, why: Any) -> None:
    if not isinstance(why, str) or not why.strip() or "\n" in why:
        raise ModelError(f"maintenance needs a reason, on one line, not {why!r}; say what is done there")


@frozen(field_transformer=telling)
class Decision(Described):
    """What shall be done about a step that failed on a host.

    Attributes:
        action: ``retry``: run it there once more. ``ignore``: go on there as if it had succeeded. ``exclude``: go on
            with the other hosts; this one gets no further step, and does not count as failed. ``abort``: start
            nothing more.
        by: Who says so.
        notes: Why; stands in the record.
    """

    action: str = field(validator=_check_action)
    by: str = field(kw_only=True, validator=_check_by)
    notes: str = field(default="", kw_only=True, validator=of(str))


@frozen(field_transformer=telling)
class Cancellation(Described):
    """Somebody wants a deployment to stop.

    Attributes:
        by: Who.
        now: Whether to leave at once what runs on the hosts.
        why: The reason; stands in the record.
    """

    by: str = field(validator=_check_by)
    now: bool = field(default=False, kw_only=True, validator=of(bool))
    why: str = field(default="", kw_only=True, validator=of(str))


@frozen(field_transformer=telling)
class Maintenance(Described):
    """A target that nothing is deployed to for now.

    Attributes:
        why: What is done there.
        by: Who said so.
        since: When.
    """

    why: str = field(validator=_check_why)
    by: str = field(kw_only=True, validator=_check_by)
    since: datetime = field(kw_only=True)

    def __str__(self) -> str:
        return f"in maintenance: {self.why} ({self.by}, since {self.since:%Y-%m-%d %H:%M} UTC)"
