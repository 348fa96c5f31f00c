"""Intervals of versions: what ranges are made of, whatever their notation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from octossh.versions.tags import Version

__all__ = ["Bound", "Interval", "at_least", "below", "beyond", "complement", "intersection", "union", "up_to"]


@frozen
class Bound:
    """A place between versions: before or after all those whose keys begin with the same parts.

    So a bound speaks of as much as it has: after 1.2.3 is after its rebuilds too.

    Attributes:
        parts: The beginning of those keys.
        after: Whether it is after them, or before.
        scheme: How the version counts that the bound was written as.
        version: That version.
    """

    parts: tuple[Any, ...]
    after: bool
    scheme: str
    version: Version = field(eq=False, repr=False)

    def is_above(self, version: Version) -> bool:
        """Whether the place comes later than *version*."""
        its = version.key[: len(self.parts)]
        return self.parts > its or (self.parts == its and self.after)

    @property
    def is_first(self) -> bool:
        """Whether nothing comes earlier: before 0 and its prereleases."""
        return len(self.parts) == 1 and not self.after and not any(self.parts[0])

    def precedes(self, other: Bound) -> bool:
        """Whether the place comes earlier than that of *other*."""
        common = min(len(self.parts), len(other.parts))
        mine, its = self.parts[:common], other.parts[:common]
        if mine != its:
            return mine < its
        if len(self.parts) == len(other.parts):
            return other.after and not self.after
        # The shorter one is about all that begins so, and the longer one lies among these.
        return other.after if len(other.parts) == common else not self.after

    def counts(self, version: Version) -> bool:
        """Whether *version* counts in a way that can be compared with the bound."""
        if self.scheme == "date":
            return version.scheme in ("date", "calver")
        return not (self.scheme == "number" and version.scheme == "date")


@frozen
class Interval:
    """All versions between two places. None: there is no bound on that side."""

    lower: Bound | None = None
    upper: Bound | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no version can be in it."""
        if self.lower is None or self.upper is None:
            return self.upper is not None and self.upper.is_first
        return not self.lower.precedes(self.upper)

    def contains(self, version: Version) -> bool:
        """Whether *version* is in it."""
        if self.lower is not None and not (self.lower.counts(version) and not self.lower.is_above(version)):
            return False
        return self.upper is None or (self.upper.counts(version) and self.upper.is_above(version))

    def meets(self, other: Interval) -> bool:
        """Whether the two have a version in common, or lie side by side; *other* begins no earlier."""
        return self.upper is None or other.lower is None or not self.upper.precedes(other.lower)


Union = tuple[Interval, ...]
"""Intervals in ascending order that do not touch."""


def _depth(version: Version) -> int:
    """How many parts of its key a bound speaks of."""
    if version.scheme == "pep440":  # to the letter: a prerelease of Python is not the one in work before it
        return 4
    return 4 if version.build else 3 if version.post else 2


def at_least(version: Version) -> Bound:
    """The place before *version*."""
    return Bound(version.key[: _depth(version)], after=False, scheme=version.scheme, version=version)


def up_to(version: Version) -> Bound:
    """The place after *version*."""
    return Bound(version.key[: _depth(version)], after=True, scheme=version.scheme, version=version)


def beyond(version: Version) -> Bound:
    """The place after *version* where it is left out itself: after its posts and rebuilds."""
    depth = _depth(version)
    if version.scheme == "pep440" and "dev" not in version.pre:
        depth = 3 if version.post else 2
    return Bound(version.key[:depth], after=True, scheme=version.scheme, version=version)


def below(version: Version) -> Bound:
    """The place before *version* where it is left out itself: before its prereleases, if it is none."""
    depth = _depth(version)
    if not (version.pre or version.post or version.build):
        depth = 1
    elif version.scheme == "pep440" and version.post and not version.pre:
        depth = 3
    return Bound(version.key[:depth], after=False, scheme=version.scheme, version=version)


def union(intervals: Iterable[Interval]) -> Union:
    """The intervals in order, with those made one that touch."""
    made: list[Interval] = []
    for interval in _in_order(interval for interval in intervals if not interval.is_empty):
        if made and made[-1].meets(interval):
            upper = made[-1].upper
            if upper is not None and (interval.upper is None or upper.precedes(interval.upper)):
                upper = interval.upper
            made[-1] = Interval(made[-1].lower, upper)
        else:
            made.append(interval)
    return tuple(made)


def _in_order(intervals: Iterable[Interval]) -> list[Interval]:
    made: list[Interval] = []
    for interval in intervals:
        at = len(made)
        while at and interval.lower != made[at - 1].lower and _begins_first(interval, made[at - 1]):
            at -= 1
        made.insert(at, interval)
    return made


def _begins_first(one: Interval, other: Interval) -> bool:
    return one.lower is None or (other.lower is not None and one.lower.precedes(other.lower))


def intersection(one: Union, other: Union) -> Union:
    """What is in both."""
    return union(
        Interval(
            b.lower if _begins_first(a, b) else a.lower,
            a.upper if b.upper is None or (a.upper is not None and a.upper.precedes(b.upper)) else b.upper,
        )
        for a in one
        for b in other
    )


def complement(interval: Interval) -> Union:
    """All versions that are not in it."""
    made = []
    if interval.lower is not None:
        made.append(Interval(None, interval.lower))
    if interval.upper is not None:
        made.append(Interval(interval.upper, None))
    return tuple(made)
