"""What channels pick among tags, and what is odd about them. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from octossh.errors import ModelError
from octossh.versions import Range, parse
from octossh.versions.choosing import judge
from octossh.versions.rules import compiled
from octossh.versions.tags import bare_prefix

if TYPE_CHECKING:
    from octossh.model import Image, Project
    from octossh.versions import Explanation, Rule, Version
    from octossh.versions.guards import Created

__all__ = ["admits", "explain_tags", "lint_channels", "lint_tags"]

# Labels of prereleases as the mode docker writes them.
_WORDS = ("rc", "beta", "alpha", "dev", "preview", "milestone", "nightly", "snapshot", "canary", "ea", "edge", "git",
          "next", "unstable")  # fmt: skip
_LABELS = [f"{word}{counter}" for counter in (".1", "", *(f".{n}" for n in range(31)), ".1.1") for word in _WORDS]
# Modes whose versions are numbers with dots.
_NUMBERED = ("docker", "semver", "octopus", "pep440")


def explain_tags(
    image: Image, tags: Sequence[str], rule: Rule, *, current: str | None = None, created: Created | None = None
) -> Explanation:
    """Which of *tags* a rule of a channel picks for *image*, and why not the others.

    Raises:
        ModelError: The rule needs times, and *created* gives none.
    """
    try:
        return judge(rule, tags, current=current, created=created)
    except ModelError as error:
        raise type(error)(f"{image}: {error}") from None


def admits(rule: Rule, tag: str) -> bool:
    """Whether *rule* would take *tag* if there were no other one; guards do not matter."""
    if rule.mode == "created":  # by time, whatever the tag says
        pattern = compiled(rule.tag, "tag")
        return pattern is None or pattern.search(tag) is not None
    return judge(_without_guards(rule), [tag]).chosen is not None


def _without_guards(rule: Rule) -> Rule:
    return attrs.evolve(rule, downgrade=True, max_major_jump=None, min_age_days=0)


def lint_channels(project: Project) -> tuple[str, ...]:
    """What is odd about the channels of *project*, as far as it shows without tags.

    Told are channels whose ranges overlap while both admit stable versions, or the same prereleases; rules of
    prereleases that match no label, and ranges in which nothing is stable enough for their channel. Rules are
    compared where they read tags the same way, and have the same prefix, variant and tag rule.
    """
    said: dict[str, list[str]] = {}
    for image in project.process.images:
        rules = {channel.name: channel.rule(image.repository) for channel in project.channels}
        for name, rule in rules.items():
            if why := _emptiness(rule):
                said.setdefault(f"channel {name!r} admits nothing: {why}", []).append(image.repository)
        for (name, rule), (other, its) in itertools.combinations(rules.items(), 2):
            if both := _overlap(rule, its):
                text = f"channels {name!r} and {other!r} overlap: both admit {both}, so both may pick the same tag"
                said.setdefault(text, []).append(image.repository)
    return tuple(f"project {project.name!r}, {', '.join(found)}: {text}" for text, found in said.items())


def lint_tags(project: Project, image: Image, tags: Sequence[str]) -> tuple[str, ...]:
    """What is odd about the channels of *project* when they look at these *tags* of *image*.

    Told are channels that no tag fits, and pairs of channels that admit the same tags.
    """
    said, admitted = [], {}
    for channel in project.channels:
        rule = channel.rule(image.repository)
        if rule.mode == "created":
            continue
        try:
            found = judge(_without_guards(rule), tags)
        except ModelError as error:
            said.append(f"channel {channel.name!r} cannot choose: {error}")
            continue
        if found.ambiguous:
            said.append(f"channel {channel.name!r} cannot choose: {found.ambiguous}")
            continue
        passed = [verdict.tag for verdict in found.verdicts if verdict.accepted]
        admitted[channel.name] = passed
        if not passed:
            said.append(f"channel {channel.name!r} is empty: no tag of {image.repository} fits it")
    for (name, passed), (other, its) in itertools.combinations(admitted.items(), 2):
        if both := [tag for tag in passed if tag in set(its)]:
            more = f" and {len(both) - 1} more" if len(both) > 1 else ""
            said.append(f"channels {name!r} and {other!r} overlap: both admit {both[0]}{more}")
    return tuple(said)


def _emptiness(rule: Rule) -> str:
    """Why no version can fit the rule, or nothing."""
    pattern = compiled(rule.prerelease, "prerelease", re.IGNORECASE)
    if pattern is not None and rule.mode == "docker" and not any(map(pattern.search, ("", *_LABELS))):
        return (
            f"the prerelease rule {rule.prerelease!r} matches no label; they read 'rc.1' or 'beta.2', "
            "and '' is the one of stable versions"
        )
    if rule.range is None or rule.mode not in _NUMBERED:
        return ""
    within = Range.parse(rule.range, rule.mode)
    pinned = within.exact is not None and within.exact.is_prerelease
    if pinned or (pattern is not None and not pattern.search("")):
        return ""
    if any(within.contains(version) for version in _probes(rule.range, rule.mode)):
        return ""
    return f"only prereleases are in the range {rule.range}, and stable versions are wanted"


def _overlap(rule: Rule, other: Rule) -> str:
    """What both rules admit, or nothing."""
    if _line(rule) != _line(other) or not _share_range(rule, other):
        return ""
    patterns = [compiled(r.prerelease or "^$", "prerelease", re.IGNORECASE) for r in (rule, other)]
    both = [label for label in ("", *_LABELS) if all(pattern and pattern.search(label) for pattern in patterns)]
    if not both:
        return ""
    return f"prereleases such as {both[0]}" if both[0] else "stable versions"


def _line(rule: Rule) -> tuple[str, str, str, str, str]:
    return (rule.mode, bare_prefix(rule.prefix or ""), (rule.variant or "").lower(), rule.tag or "", rule.scheme or "")


def _share_range(rule: Rule, other: Rule) -> bool:
    if rule.range is None or other.range is None:
        return True
    return Range.parse(rule.range, rule.mode).overlaps(Range.parse(other.range, other.mode))


def _probes(text: str, mode: str) -> Iterator[Version]:
    """Stable versions of which one is in the range if any is: those that the text names, and those right behind.

    For every piece of a range begins at a version that is named, or behind it.
    """
    numbers = {(0,), *(tuple(map(int, found.split("."))) for found in re.findall(r"\d+(?:\.\d+)*", text))}
    releases: set[tuple[int, ...]] = set()
    for release in numbers:
        exact = (*release, 0, 0)[: max(3, len(release))]
        bumped = {(*release[:at], release[at] + 1) for at in range(len(release))}
        releases |= {release, exact, (*exact, 1), (*exact[:-1], exact[-1] + 1), *bumped}
        releases |= {(*some, 0, 0)[: max(3, len(some))] for some in bumped}
    for release in sorted(releases):
        version = parse(".".join(map(str, release)), mode)
        if version.is_version:
            yield version
