"""The right to deploy a project to an environment, for as long as its holder says that it lives."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from octossh.model import Described

__all__ = ["Lease"]


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
