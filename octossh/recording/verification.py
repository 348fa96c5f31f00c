"""What a look over the audit chain gave."""

from __future__ import annotations

from attrs import frozen

from octossh.model import Described

__all__ = ["Verification"]


@frozen(kw_only=True)
class Verification(Described):
    """Whether the store still holds what was once recorded in it.

    The chain shows a change, and a loss from its middle. It cannot show that its newest events were cut off
    together with all that they speak of, nor that everything was written anew: for that, keep ``head``
    elsewhere, and compare.

    Attributes:
        events: How many events there are.
        broken: The number of the first event that does not fit, or does not fit what it speaks of. None: all
            do.
        reason: What does not fit; empty if all does.
        head: The hash of the last good event; 64 zeros before the first.
    """

    events: int
    broken: int | None = None
    reason: str = ""
    head: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.reason

    def __str__(self) -> str:
        if self.ok:
            return f"{self.events} events, nothing was changed"
        return f"event {self.broken} of {self.events}: {self.reason}"
