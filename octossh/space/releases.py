"""Releases: what there is to pick from, and making one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import attrs

from octossh import model, planning, recording
from octossh.errors import PlanError
from octossh.model import Release
from octossh.model.numbering import COUNTER, Numbered, fill
from octossh.releasing import explain_image, last_picked, pin_images
from octossh.shell import Secret
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Channel, Image, Pin, Project, Repositories
    from octossh.planning import ReleaseDiff
    from octossh.recording import Key
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
        explanation = self._explained(owner, found, owner.channel(channel), **changes)
        odd = planning.lint_tags(owner, found, [verdict.tag for verdict in explanation.verdicts])
        return attrs.evolve(explanation, notes=(*explanation.notes, *odd))

    def _explained(self, owner: Project, image: Image, channel: Channel, **changes: Unpack[RuleFields]) -> Explanation:
        """What *channel* picks for the next release."""
        rule = attrs.evolve(channel.rule(image.repository), **changes)
        last = last_picked(image, channel, self.store.releases(owner.name, limit=_LOOK_BACK))
        return explain_image(image, self._access.registries.client(image.registry), rule, current=last)

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

    def diff(
        self, release: str, other: str | None = None, *, project: str | None = None, environment: str | None = None
    ) -> ReleaseDiff:
        """What differs from *release* to *other*, or from what stands in *environment* to *release*.

        Args:
            release: A number, or ``latest``.
            other: Another one.
            project: Default: the only one.
            environment: In place of *other*.

        Raises:
            ModelError: There is no such release or environment.
            PlanError: Not exactly one of *other* and *environment* is given, or nothing stands there.
        """
        if (other is None) == (environment is None):
            raise PlanError("two releases are compared: give another number, or an environment in which one stands")
        found = self.release(project, release)
        if environment is None:
            return planning.compare(found, self.release(project, str(other)))
        stands = self._stands(found.project, self._catalog.environment(environment))
        if stands is None:
            raise PlanError(f"nothing has succeeded in {environment!r} yet, so there is nothing to compare with")
        return planning.compare(self.release(found.project, stands.release), found)

    def export_release(
        self, release: str, file: str | Path, *, project: str | None = None, key: Path | Secret | None = None
    ) -> Release:
        """Write a release into a file, for a place that has no access to this store.

        The file holds a SHA-256 over its content: one changed byte, and it is not taken. It holds no values of secrets.

        Args:
            release: A number, or ``latest``.
            file: Where to; a file that is there is replaced.
            project: Default: the only one.
            key: Signs the file: a path or the text of an Ed25519 key as ``ssh-keygen`` writes it, or of a secret that
                both sides know. Default: what stands in the environment variable ``OCTOSSH_RELEASE_KEY``, if anything.

        Raises:
            ModelError: There is no such release, the key is none, or the file cannot be written.
        """
        found = self.release(project, release)
        text = recording.pack(found, at=datetime.now(UTC), by=recording.whoami(), key=_key(key))
        model.write_whole(file, [text])
        return found

    def import_release(self, file: str | Path, *, key: Path | Secret | None = None) -> Release:
        """Store the release that is in a file. It keeps its number, and when and by whom it was created.

        Args:
            file: What `export_release` wrote.
            key: Has to have signed it; the public half of an Ed25519 key is enough. Default as there; without any key,
                a signature is not looked at.

        Raises:
            ModelError: The file is no release, was changed, is not signed with the key, or is of another project.
            RecordError: The number is taken.
        """
        found = recording.unpack(model.read_text(file), f"the file {str(file)!r}", key=_key(key))
        self.project(found.project)
        self.store.import_release(found, by=recording.whoami())
        return found

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
        here = recording.origin_here()
        return Release(
            project=project.name,
            number="(next)",
            channel=channel.name,
            process=project.process,
            variables=project.variables,
            pins=pins,
            created_at=datetime.now(UTC),
            created_by=recording.whoami(),
            notes=model.read_text(notes) if isinstance(notes, Path) else notes,
            templates=self._templates.hashes,
            commit=here.commit if commit is None else commit,
            link=here.link if link is None else link,
        )


def _key(key: Path | Secret | None) -> Key | None:
    text = os.environ.get("OCTOSSH_RELEASE_KEY", "")
    if key is None and text:
        return recording.read_key(Secret(text))
    return None if key is None else recording.read_key(key)


def _mask(project: Project, channel: Channel, release: Release) -> str:
    """The mask of *project* with all but its counter filled in."""
    images = {}
    for pin in release.pins:
        name = pin.image.repository
        images[name] = Numbered(name, pin.tag, channel.rule(name).mode)
    return fill(project.release_number, images, channel.name, release.created_at, f"project {project.name!r}")
