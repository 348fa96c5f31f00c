"""`Prune`: remove what no release that counts needs any more."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.model._values import sorted_names, telling
from octossh.model.steps.base import LITERAL, Step

__all__ = ["Prune"]


@frozen(field_transformer=telling)
class Prune(Step):
    """Remove images, and containers that have stopped, of releases that are too old to come back.

    `Space.plan_prune` makes it, from the record. Only containers with the labels of this project and environment
    are removed, and only images that releases of this project pulled; one that a container still uses stays.

    Attributes:
        images: References by digest, to remove where they are there.
        keep: Numbers of the releases whose stopped containers stay.
        containers: Names of containers that stay, whoever made them.
        steps: Names of steps whose containers stay, since how these are called shows on the host only.
    """

    kind: ClassVar[str] = "prune"

    images: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)
    keep: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)

    containers: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)
    steps: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)

    @property
    def looks_at(self) -> tuple[tuple[str, str], ...]:
        """The images."""
        return tuple(("image", reference) for reference in self.images)
