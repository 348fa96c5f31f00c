"""Whether a freeze forbids a deployment. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from octossh.errors import Refused

if TYPE_CHECKING:
    from octossh.model import Freeze

__all__ = ["check_freezes", "frozen"]


def frozen(freezes: Iterable[Freeze], project: str, environment: str, at: datetime) -> str:
    """What freeze holds for *project* in *environment*, and until when, in words; empty if none does."""
    ends = {freeze.name: freeze.until(at) for freeze in freezes if freeze.concerns(project, environment)}
    held = {name: end for name, end in ends.items() if end is not None}
    if not held:
        return ""
    name = max(held, key=lambda name: held[name])
    if held[name] == datetime.max.replace(tzinfo=UTC):
        return f"freeze {name!r} holds until it is removed"
    return f"freeze {name!r} holds until {held[name]:%Y-%m-%d %H:%M} UTC"


def check_freezes(freezes: Iterable[Freeze], project: str, environment: str, at: datetime, override: str) -> None:
    """Check that no freeze forbids to deploy *project* to *environment*, or that there is a reason to do it anyway.

    Raises:
        Refused: One does.
    """
    if not override and (why := frozen(freezes, project, environment, at)):
        raise Refused(
            f"{project} may not be deployed to {environment!r} now: {why}. Wait for its end, or say why it cannot "
            "wait: --override-freeze WHY"
        )
