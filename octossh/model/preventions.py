"""What keeps a release from going on."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described

__all__ = ["Prevention"]


@frozen(kw_only=True)
class Prevention(Described):
    """A release that shall go no further, and why. What it has reached it keeps.

    Attributes:
        why: The reason, in words.
        by: Who said so.
        at: When, in UTC.
    """

    project: str
    release: str
    why: str = field()
    by: str
    at: datetime

    @why.validator
    def _check_why(self, _attribute: object, why: object) -> None:
        if not isinstance(why, str) or not why.strip():
            raise ModelError(
                f"release {self.release!r} of {self.project!r} cannot be held back without a reason; say why"
            )

    def __str__(self) -> str:
        said = f"{self.by}, {self.at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.project} {self.release} shall go no further: {self.why} ({said})"
