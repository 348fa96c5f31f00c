"""Whether a release has reached all targets of an environment. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from octossh.model import Deployment

__all__ = ["still_left_out"]


def still_left_out(
    history: Iterable[Deployment], release: str, environment: str, left_out: Iterable[str]
) -> tuple[str, ...]:
    """The targets that *release* has not reached, once a deployment of it that leaves out *left_out* has succeeded.

    Deployments of one release that follow each other count together; one of another release in between, however it
    ended, breaks the row.

    Args:
        history: What was deployed before, newest first; no more is taken than it needs.
        release: Its number.
        environment: Where to.
        left_out: Names of targets.
    """
    for deployment in history:
        if deployment.environment != environment:
            continue
        if deployment.release != release:
            break
        if deployment.ok:
            return tuple(name for name in left_out if name in deployment.left_out)
    return tuple(left_out)
