"""Targets that are in maintenance: nothing is deployed to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from octossh import model, recording
from octossh.errors import ModelError, did_you_mean
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Maintenance, Rollout

__all__ = ["Maintaining"]

_KIND = "maintenance"


class Maintaining(Wiring):
    """The verbs of a space about maintenance, and about how hosts are gone over."""

    def maintain(self, target: str, *, why: str) -> Maintenance:
        """Leave *target* out of all deployments until `end_maintenance`; each of them records that.

        Args:
            target: Its name.
            why: What is done there, on one line.

        Raises:
            ModelError: There is no such target, or no reason.
        """
        names = [known.name for known in self.targets]
        if target not in names:
            raise ModelError(f"there is no target {target!r}; {did_you_mean(target, names)}")
        made = model.Maintenance(why, by=recording.whoami(), since=datetime.now(UTC))
        self.store.keep(_KIND, target, made, why=why)
        return made

    def end_maintenance(self, target: str, *, why: str = "") -> None:
        """Deploy to *target* again. What it has missed, `catch_up` brings there.

        Raises:
            ModelError: It is not in maintenance by `maintain`.
        """
        there = self.maintenance()
        if target not in there:
            raise ModelError(f"target {target!r} is not in maintenance by the store; {did_you_mean(target, there)}")
        self.store.drop(_KIND, target, why=why)

    def maintenance(self) -> Mapping[str, Maintenance]:
        """The targets that are in maintenance by `maintain`, by name."""
        return self.store.kept(_KIND, model.Maintenance)

    def rollout_of(self, environment: str, project: str | None = None) -> Rollout:
        """How deployments of a project (default: the only one) go over the hosts of *environment*.

        Raises:
            ModelError: There is no such project or environment.
        """
        return self._catalog.rollout(self.project(project).name, self._catalog.environment(environment))

    def _away(self) -> dict[str, str]:
        """The names of targets that are left out of deployments, with the reason."""
        said = {target.name: f"in maintenance: {target.maintenance}" for target in self.targets if target.maintenance}
        return said | {name: str(made) for name, made in self.maintenance().items()}
