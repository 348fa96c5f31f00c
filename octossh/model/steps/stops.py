"""`StopResource`: stop and remove what earlier deployments left."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import of, sorted_names, telling
from octossh.model.steps.base import LITERAL, Step
from octossh.model.steps.fields import seconds

__all__ = ["StopResource"]


@frozen(field_transformer=telling)
class StopResource(Step):
    """Stop, and by default remove, what earlier deployments of this project in this environment left.

    It finds containers by the labels of octossh, never by name, and says how many it matched.

    Attributes:
        steps: Only what these steps made, also steps that the process no longer has; none: what any step made.
        remove: Remove the containers as well.
        networks: Remove the networks too, once nothing hangs on them.
        grace_s: Seconds between SIGTERM and SIGKILL.
    """

    kind: ClassVar[str] = "stop_resource"

    steps: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)
    remove: bool = field(default=True, kw_only=True, validator=of(bool))
    networks: bool = field(default=False, kw_only=True, validator=of(bool))
    grace_s: int = field(default=10, kw_only=True, validator=[of(int), seconds])

    def __attrs_post_init__(self) -> None:
        if self.networks and not self.remove:
            raise ModelError(f"StopResource {self.name!r}: a network cannot be stopped, only removed; set remove=True")
