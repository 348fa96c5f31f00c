"""Releases: what there is to pick from, and making one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import attrs

from octossh.model import Channel, Pin, Project, Release, Repositories, read_text
from octossh.model.numbering import COUNTER, Numbered, fill
from octossh.planning import lint_tags
from octossh.recording import origin_here, whoami
from octossh.releasing import explain_image, last_picked, pin_images
from octossh.space.wiring import Wiring
from octossh.versions import Explanation
from octossh.versions.rules import RuleFields

__all__ = ["Releases"]

# The releases among which the last one of a channel is sought.
_LOOK_BACK = 100


class Releases(Wiring):
    """The verbs of a space that are about tags and releases."""

    def tags(
        self, image: str, *, channel: str | None = None, project: str | None = None, **changes: Unpack[RuleFields]
    ) -> Explanation:
        """Which tags *image* has, which one a channel picks for the next release, and why not the others.

        Args:
            image: A repository that one of the projects runs.
            channel: Of the project; default: its first.
            project: Default: the first project that runs the image.
            **changes: Fields of `octossh.versions.Rule` to try in place of those of the channel.

        Raises:
            ModelError: No project runs it, or a rule is wrong.
            RegistryError: The registry refuses, or the image has no tags.
        """
        owner, found = self._catalog.image(image, project)
        picked = owner.channel(channel)
        rule = attrs.evolve(picked.rule(found.repository), **changes)
        last = last_picked(found, picked, self.store.releases(owner.name, limit=_LOOK_BACK))
        explanation = explain_image(found, self._access.registries.client(found.registry), rule, current=last)
        odd = lint_tags(owner, found, [verdict.tag for verdict in explanation.verdicts])
        return attrs.evolve(explanation, notes=(*explanation.notes, *odd))

    def images(self, text: str = "", *, registry: str | None = None, limit: int = 100) -> Repositories:
        """The repositories of a registry whose name has *text* in it, where the registry tells.

        Args:
            text: Part of the name; empty: all.
            registry: The name of one that a project has images of; default: the only one.
            limit: How many at most.

        Raises:
            ModelError: There is no such registry, or there are several and none is named.
            RegistryError: It could not be asked, or gives no list of its repositories.
        """
        return self._access.registries.search(text, registry, limit=limit)

    def create_release(
        self,
        project: str | None = None,
        *,
        channel: str | None = None,
        number: str | None = None,
        versions: Mapping[str, str] | None = None,
        notes: str | Path = "",
        commit: str | None = None,
        link: str | None = None,
    ) -> Release:
        """Pick a version of each image, pin it to its digest, freeze process and variables, and store it.

        Args:
            project: Default: the only one.
            channel: Default: the first of the project.
            number: Default: the next one of the project's mask.
            versions: Tags by repository, for images whose version shall not be chosen.
            notes: Markdown, or the path of a file of it.
            commit: The hash that it was made of. Default: the one that the CI job is for, or that is checked out here.
            link: A page about it. Default: that of the CI job, if it is one.

        Raises:
            ModelError: The notes cannot be read, or the tag of an image gives no number where the mask wants one.
            RegistryError: A registry refuses, or an image has no tags.
            PlanError: No tag fits the channel, or only older ones than in the last release of the channel do.
            RecordError: The store cannot be read or written, or has that number already.

        Hosts:
            untouched.
        """
        made = self.project(project)
        picked: Channel = made.channel(channel)
        feeds = {image: self._access.registries.client(image.registry) for image in made.process.images}
        releases = self.store.releases(made.name, limit=_LOOK_BACK) if feeds else ()
        pins = pin_images(made, picked, feeds, versions=versions, releases=releases)

        draft = self._draft(made, picked, pins, notes, commit, link)
        mask = _mask(made, picked, draft) if number is None else made.release_number
        if number is None and not COUNTER.search(mask):
            number = mask
        return self.store.create_release(
            made.name, mask, lambda given: attrs.evolve(draft, number=given), number=number
        )

    def _draft(
        self,
        project: Project,
        channel: Channel,
        pins: tuple[Pin, ...],
        notes: str | Path,
        commit: str | None,
        link: str | None,
    ) -> Release:
        """A release but for its number."""
        here = origin_here()
        return Release(
            project=project.name,
            number="(next)",
            channel=channel.name,
            process=project.process,
            variables=project.variables,
            pins=pins,
            created_at=datetime.now(UTC),
            created_by=whoami(),
            notes=read_text(notes) if isinstance(notes, Path) else notes,
            templates=self._templates.hashes,
            commit=here.commit if commit is None else commit,
            link=here.link if link is None else link,
        )


def _mask(project: Project, channel: Channel, release: Release) -> str:
    """The mask of *project* with all but its counter filled in."""
    images = {}
    for pin in release.pins:
        name = pin.image.repository
        images[name] = Numbered(name, pin.tag, channel.rule(name).mode)
    return fill(project.release_number, images, channel.name, release.created_at, f"project {project.name!r}")
