"""The right to deploy a project to an environment, for as long as its holder says that it lives."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from octossh.model import Deployment, Described

__all__ = ["Lease", "in_the_way"]


@frozen(kw_only=True)
class Lease(Described):
    """The right to deploy *project* to *environment*: only one holds it at a time.

    Attributes:
        token: Higher than that of each earlier lease of the same project and environment, for ever. What is
            written under one that is not the highest is refused.
        holder: The process, as `controller_here` says it.
        by: User and machine.
        since: When it was taken.
        expires_at: When others may take it over, unless it is renewed before.
        taken_from: Whose it was, if that one neither renewed it in time nor gave it back, or its process is gone.
    """

    project: str
    environment: str
    token: int
    holder: str
    by: str
    since: datetime
    expires_at: datetime
    taken_from: str = ""

    def __str__(self) -> str:
        text = f"{self.project!r} to {self.environment!r}: {self.by}, until {self.expires_at:%Y-%m-%d %H:%M:%S}Z"
        return f"{text}, taken over from {self.taken_from}" if self.taken_from else text


def in_the_way(waiting: Deployment) -> str:
    """Why nothing else is deployed where *waiting* has begun and waits for an approval."""
    return (
        f"deployment {waiting.id} of {waiting.project} {waiting.release} to {waiting.environment!r} has begun, and "
        f"{waiting.error}; answer it, or end it with 'octossh cancel {waiting.id}' or with --cancel-waiting"
    )
