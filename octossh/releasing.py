"""Making releases: tags become versions, versions are chosen by the channel, tags are pinned to digests."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from octossh import planning
from octossh.errors import ModelError, PlanError, RegistryError, did_you_mean
from octossh.model import Described
from octossh.promises import of_each

if TYPE_CHECKING:
    from octossh.model import Channel, Image, Pin, Project, Release
    from octossh.versions import Explanation, Rule

__all__ = ["Feed", "MovedTag", "explain_image", "last_picked", "moved_tags", "pin_images"]

# So many images at once. Each is a few small requests, and what takes time is the wait for them.
_AT_ONCE = 32


class Feed(Protocol):
    """What is asked of a registry."""

    def tags(self, image: Image) -> tuple[str, ...]:
        """All tags of *image*."""

    def resolve(self, image: Image, tag: str) -> Pin:
        """The digest behind a tag, now."""

    def created(self, image: Image, tags: Sequence[str]) -> Mapping[str, datetime]:
        """When the images behind *tags* were made, as far as the registry says: some requests for each."""


def explain_image(image: Image, feed: Feed, rule: Rule, *, current: str | None = None) -> Explanation:
    """Ask for the tags of *image*, and say which of them *rule* picks, and why not the others.

    Raises:
        RegistryError: The registry refuses, or the image has no tags.

    Hosts:
        untouched.
    """
    tags = feed.tags(image)
    if not tags:
        raise RegistryError(f"{image} has no tags in registry {image.registry.name!r}; push an image first")
    created = functools.partial(feed.created, image)
    return planning.explain_tags(image, tags, rule, current=current, created=created)


def last_picked(image: Image, channel: Channel, releases: Iterable[Release]) -> str | None:
    """The tag of *image* that counts as current: of the last release of *channel* whose tag it would still admit.

    So a tag that was set by hand against the rules binds nobody, nor does one from before the rules were changed.

    Args:
        image: The image.
        channel: The channel.
        releases: Of the project, the newest first.
    """
    rule = channel.rule(image.repository)
    for release in releases:
        if release.channel == channel.name:
            for pin in release.pins:
                if pin.image.repository == image.repository and planning.admits(rule, pin.tag):
                    return pin.tag
    return None


@frozen(kw_only=True)
class MovedTag(Described):
    """A tag of a release that does not mean any more what it meant, or of which that could not be asked.

    Attributes:
        image: Its name in the registry.
        tag: The tag.
        pinned: The digest that it meant, and that is deployed.
        now: The digest that it means now; None: it is gone, or could not be asked about.
        unknown: Why it could not be asked about; empty: it could.
    """

    image: str
    tag: str
    pinned: str
    now: str | None = None
    unknown: str = ""

    def __str__(self) -> str:
        what = f"the tag {self.image}:{self.tag}"
        if self.unknown:
            return f"whether {what} has moved could not be asked: {self.unknown}"
        still = f"the release pins {self.pinned[:19]}"
        if self.now is None:
            return f"{what} is gone from the registry; {still}"
        return f"{what} has moved to {self.now[:19]}; {still}"


def moved_tags(release: Release, ask: Callable[[Pin], str | None]) -> tuple[MovedTag, ...]:
    """The tags of *release* that mean something else now; all are asked for at the same time.

    Args:
        release: Its pins say what the tags meant.
        ask: Gives the digest that the tag of a pin means now; None where it is gone. A `RegistryError` is told.

    Hosts:
        untouched.
    """

    def look(pin: Pin) -> MovedTag | None:
        made = functools.partial(MovedTag, image=pin.image.name, tag=pin.tag, pinned=pin.digest)
        try:
            now = ask(pin)
        except RegistryError as error:
            return made(unknown=str(error))
        return None if now == pin.digest else made(now=now)

    return tuple(
        found for found in of_each(release.pins, look, at_once=_AT_ONCE, name="octossh-registry") if found is not None
    )


def pin_images(
    project: Project,
    channel: Channel,
    feeds: Mapping[Image, Feed],
    *,
    versions: Mapping[str, str] | None = None,
    releases: Sequence[Release] = (),
) -> tuple[Pin, ...]:
    """A pin for each image of *project*: the newest version that *channel* admits, or the tag in *versions*.

    All images are asked for at the same time.

    Args:
        project: Whose images.
        channel: Picks the versions.
        feeds: Where to ask for each image.
        versions: Tags by repository, for those that shall not be chosen.
        releases: Of the project, the newest first: what the guards of the channel go by.

    Raises:
        RegistryError: A registry refuses, an image has no tags, or a tag is not there.
        PlanError: No tag fits the channel.
        AmbiguousScheme: The tags of an image count in two ways, and the channel does not say which one to follow.
        ModelError: *versions* names an image that the project does not run, or what is no tag.

    Hosts:
        untouched.
    """
    images = project.process.images
    chosen = _given(project, versions or {})

    def pin(image: Image) -> Pin:
        tag = chosen.get(image.repository)
        if tag is None:
            tag = _newest(project, image, feeds[image], channel, last_picked(image, channel, releases))
        return feeds[image].resolve(image, tag)

    return of_each(images, pin, at_once=_AT_ONCE, name="octossh-registry")


def _given(project: Project, versions: Mapping[str, str]) -> dict[str, str]:
    known = [image.repository for image in project.process.images]
    if unknown := next((name for name in versions if name not in known), None):
        raise ModelError(f"no step of project {project.name!r} runs {unknown!r}; {did_you_mean(unknown, known)}")
    from octossh.versions.tags import check_tag

    for name, tag in versions.items():
        try:
            check_tag(tag)
        except ModelError as error:
            raise ModelError(f"project {project.name!r}, image {name!r}: {error}") from None
    return dict(versions)


def _newest(project: Project, image: Image, feed: Feed, channel: Channel, current: str | None) -> str:
    explanation = explain_image(image, feed, channel.rule(image.repository), current=current)
    if explanation.chosen is not None:
        return explanation.chosen.tag
    if explanation.ambiguous:
        from octossh.versions import AmbiguousScheme

        raise AmbiguousScheme(f"{image}: {explanation.ambiguous}")
    nearest = explanation.verdicts[:3]
    reasons = "; ".join([f"{verdict.tag}: {verdict.reason}" for verdict in nearest] + list(explanation.notes))
    advice = f"Look at them with 'octossh tags {image.repository} --explain', or change the channel"
    if nearest[0].rule == "downgrade":
        advice = (
            f"Take one all the same with 'octossh release create --set {image.repository}=TAG', or let the channel "
            "go back with downgrade=True"
        )
    raise PlanError(
        f"none of the {len(explanation.verdicts)} tags of {image} fits channel {channel.name!r} of project "
        f"{project.name!r} ({reasons}). {advice}"
    )
