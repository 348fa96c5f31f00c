"""Looking before anything is deployed: at channels, images and hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from octossh import deploying, model, planning
from octossh.errors import RegistryError
from octossh.model import CONTROLLER
from octossh.space.releases import Releases

if TYPE_CHECKING:
    from octossh.model import Checkup, Finding, Image, Project

__all__ = ["Checking"]


class Checking(Releases):
    """The verbs of a space that say whether a release could be made, and could be deployed."""

    def lint(self, project: str | None = None) -> tuple[str, ...]:
        """What is odd about the channels of a project, or of all: those that overlap, and those that admit nothing.

        It is said of the rules alone; `tags` says it of the tags that there are. No host or registry is asked.
        """
        owners = [self.project(project)] if project else list(self.projects.values())
        return tuple(warning for owner in owners for warning in planning.lint_channels(owner))

    def check(self, environment: str | None = None) -> Checkup:
        """Look at the channels, at each image from here, and at each target of one environment or of all.

        It answers whether a release could be made and deployed there. What is wrong with a host or an image is in
        what comes back, and no error.

        Raises:
            ModelError: There is no such environment.

        Hosts:
            untouched.
        """
        if environment is not None:
            self._catalog.environment(environment)
        chosen = [t for t in self.targets if environment is None or environment in t.environments]
        images = {image: owner for owner in self.projects.values() for image in owner.process.images}
        found = deploying.check(chosen, dict.fromkeys(image.registry for image in images), self._transport)
        seen = [self._seen(owner, image) for image, owner in images.items()]
        return attrs.evolve(found, findings=(*found.findings, *seen), warnings=self.lint())

    def _seen(self, owner: Project, image: Image) -> Finding:
        """What the registry says of *image* to whoever makes releases."""
        grade, found, advice = model.Grade.FAULT, "", ""
        try:
            explanation = self._explained(owner, image, owner.channel(None))
        except RegistryError as error:
            found = str(error)
        else:
            grade, found = model.Grade.OK, f"{len(explanation.verdicts)} tags"
            if explanation.chosen is not None:
                found = f"{found}; a release would pick {explanation.chosen.tag}"
            else:
                grade, found = model.Grade.WARNING, f"{found}, and a release would pick none of them"
                advice = f"see why: octossh tags {image.repository} --explain"
        return model.Finding(
            target=CONTROLLER.name, subject=f"image {image.repository}", grade=grade, found=found, advice=advice
        )
