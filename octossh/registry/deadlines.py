"""How long a question may take, with all its tries, redirects and logins together."""

from __future__ import annotations

import time
from typing import Self

from attrs import frozen

__all__ = ["Deadline"]


@frozen
class Deadline:
    """A moment by which a question has to be answered.

    Attributes:
        total_s: Seconds that it was given, for messages.
        until: The moment, by the monotonic clock.
    """

    total_s: float
    until: float

    @classmethod
    def within(cls, total_s: float) -> Self:
        """The moment in *total_s* seconds."""
        return cls(total_s, time.monotonic() + total_s)

    @property
    def left_s(self) -> float:
        """Seconds until then; 0 when it is past."""
        return max(0.0, self.until - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether it is past."""
        return time.monotonic() >= self.until

    def part(self, total_s: float) -> Deadline:
        """For one of several questions: *total_s* seconds from now, but no later than this."""
        part = Deadline.within(total_s)
        return part if part.until < self.until else self
