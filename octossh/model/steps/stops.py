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

    It finds them by the labels of octossh, never by name, and says what it matched, also when that is nothing. Services
    of a swarm are removed through a target that is a manager, with the secrets and configs that nobody uses any more;
    with ``remove=False`` they stay, since swarm does not stop a service and keep it.

    Attributes:
        steps: Only what these steps made, also steps that the process no longer has; none: what any step made.
        releases: ``all``; or ``older``: only what another release than this one made, and no step of this one
            keeps. So a container that is the same in both stays, and what a step had under another name goes.
        remove: Remove the containers as well, and services of a swarm.
        networks: Remove the networks too, once nothing hangs on them.
        volumes: Remove the volumes too, with all that is in them. No other step ever does that.
        grace_s: Seconds between SIGTERM and SIGKILL.
    """

    kind: ClassVar[str] = "stop_resource"

    steps: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)
    releases: str = field(default="all", kw_only=True, metadata=LITERAL)
    remove: bool = field(default=True, kw_only=True, validator=of(bool))
    networks: bool = field(default=False, kw_only=True, validator=of(bool))
    volumes: bool = field(default=False, kw_only=True, validator=of(bool))
    grace_s: int = field(default=10, kw_only=True, validator=[of(int), seconds])

    @releases.validator
    def _check_releases(self, _attribute: object, releases: object) -> None:
        if releases not in {"all", "older"}:
            raise ModelError(f"StopResource {self.name!r}: releases={releases!r} is neither 'all' nor 'older'")

    def __attrs_post_init__(self) -> None:
        for what, asked in (("network", self.networks), ("volume", self.volumes)):
            if asked and not self.remove:
                raise ModelError(
                    f"StopResource {self.name!r}: a {what} cannot be stopped, only removed; set remove=True"
                )

    @property
    def looks_at(self) -> tuple[tuple[str, str], ...]:
        """The services of a swarm, which no other step may ask for any more."""
        return (("swarm", "services"),) if self.remove else ()
