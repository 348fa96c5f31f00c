"""Making releases: tags become versions, versions are chosen by the channel, tags are pinned to digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from octossh.errors import ModelError, PlanError, RegistryError, did_you_mean
from octossh.model import Channel, Image, Pin, Project
from octossh.versions import Explanation, explain
from octossh.versions.tags import check_tag

__all__ = ["Feed", "explain_tags", "pin_images"]


class Feed(Protocol):
    """What is asked of a registry."""

    def tags(self, image: Image) -> tuple[str, ...]:
        """All tags of *image*."""

    def resolve(self, image: Image, tag: str) -> Pin:
        """The digest behind a tag, now."""


def explain_tags(image: Image, tags: Sequence[str], channel: Channel) -> Explanation:
    """Which of *tags* the channel picks for *image*, and why not the others.

    Raises:
        AmbiguousScheme: Two ways of numbering stand side by side in *tags*.
    """
    if channel.images and image.repository not in channel.images:
        return explain(tags)
    return explain(tags, range=channel.range, variant=channel.variant, prerelease=channel.prerelease, tag=channel.tag)


def pin_images(
    project: Project, channel: Channel, feeds: Mapping[Image, Feed], *, versions: Mapping[str, str] | None = None
) -> tuple[Pin, ...]:
    """A pin for each image of *project*: the newest version that *channel* admits, or the tag in *versions*.

    Args:
        project: Whose images.
        channel: Picks the versions.
        feeds: Where to ask for each image.
        versions: Tags by repository, for those that shall not be chosen.

    Raises:
        RegistryError: A registry refuses, an image has no tags, or a tag is not there.
        PlanError: No tag fits the channel.
        ModelError: *versions* names an image that the project does not run, or what is no tag.

    Hosts:
        untouched.
    """
    chosen = dict(versions or {})
    images = project.process.images
    known = [image.repository for image in images]
    if unknown := next((name for name in chosen if name not in known), None):
        raise ModelError(f"no step of project {project.name!r} runs {unknown!r}; {did_you_mean(unknown, known)}")

    for name, tag in chosen.items():
        try:
            check_tag(tag)
        except ModelError as error:
            raise ModelError(f"project {project.name!r}, image {name!r}: {error}") from None

    def pin(image: Image) -> Pin:
        tag = chosen.get(image.repository)
        if tag is None:
            tag = _newest(project, image, feeds[image], channel)
        return feeds[image].resolve(image, tag)

    if not images:
        return ()
    with ThreadPoolExecutor(min(8, len(images)), thread_name_prefix="octossh-registry") as pool:
        return tuple(pool.map(pin, images))


def _newest(project: Project, image: Image, feed: Feed, channel: Channel) -> str:
    tags = feed.tags(image)
    if not tags:
        raise RegistryError(f"{image} has no tags in registry {image.registry.name!r}; push an image first")
    explanation = explain_tags(image, tags, channel)
    if explanation.chosen is not None:
        return explanation.chosen.tag
    reasons = "; ".join(f"{verdict.tag}: {verdict.reason}" for verdict in explanation.verdicts[:3])
    raise PlanError(
        f"none of the {len(tags)} tags of {image} fits channel {channel.name!r} of project {project.name!r} "
        f"({reasons}). Look at them with 'octossh tags {image.repository} --explain', or change the channel"
    )
