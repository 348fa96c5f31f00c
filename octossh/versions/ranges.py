"""Ranges of versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.versions import intervals
from octossh.versions.intervals import Union
from octossh.versions.modes import check_mode
from octossh.versions.npm import read_alternatives
from octossh.versions.nuget import read_intervals
from octossh.versions.specifiers import read_specifiers
from octossh.versions.tags import Version
from octossh.versions.written import Written

__all__ = ["Range"]


@frozen(kw_only=True, repr=False)
class Range:
    """Which versions are allowed, in the notation of NuGet and Octopus, of PEP 440 or of npm.

    =====================  ===========================================
    ``1.2``                1.2 and later
    ``[1.2]``              1.2 and its rebuilds, nothing else
    ``[1.0,2.0)``          from 1.0 on, before 2.0
    ``(,2.0]``             up to 2.0, its rebuilds included
    ``(1.0,)``             later than 1.0
    ``>=1.0,<2.0,!=1.5``   PEP 440; also ``~=1.2`` and ``==1.2.*``
    ``^1.2``, ``~1.2.3``   npm; also ``1.x``, ``1.2 - 1.4``, ``||``
    =====================  ===========================================

    The notation is told by its signs; ``nuget:``, ``pep440:`` or ``npm:`` at the beginning settles it.

    An upper bound that is left out takes its prereleases with it: 2.0.0-rc.1 is not in ``[1.0,2.0)``. A bound
    is compared by the parts that it has, so 1.2.3-5 is in ``[1.2.3]`` and not in ``(1.2.3,)``; in mode
    ``pep440`` it is compared to the letter.

    Attributes:
        intervals: What is allowed, in ascending order.
        verbatim: The very text that a tag must be, of ``===``. None: any.
        text: As it was written.
        mode: How the bounds were read.
    """

    intervals: Union
    verbatim: str | None = None
    text: str = field(eq=False)
    mode: str = "docker"

    @classmethod
    def parse(cls, text: str, mode: str = "docker") -> Range:
        """Read a range.

        Args:
            text: A range in any of the notations, or a single version, which is a minimum.
            mode: How to read the bounds; it has to be the mode of the versions.

        Raises:
            ModelError: The text is no range, or no version can be in it. The message gives the position of
                the fault, counted from 1.
        """
        check_mode(mode)
        if not isinstance(text, str):
            raise ModelError(f"the range {text!r} is not text; write it in quotes, such as '[1.0,2.0)'")
        name, start = _notation(text)
        allowed, verbatim = _NOTATIONS[name](Written(text, mode), start)
        return cls(intervals=allowed, verbatim=verbatim, text=text.strip(), mode=mode)

    @property
    def exact(self) -> Version | None:
        """The only release that the range has room for, or None."""
        only = self.intervals[0]
        lower, upper = only.lower, only.upper
        if len(self.intervals) > 1 or lower is None or upper is None:
            return None
        return lower.version if lower.parts == upper.parts and upper.after else None

    def contains(self, version: Version) -> bool:
        """Whether *version* is in the range. Prefix and variant do not matter here.

        Raises:
            ModelError: The version was read in another mode than the bounds.
        """
        if not version.is_version:
            return False
        if version.mode != self.mode:
            raise ModelError(
                f"the range {self.text!r} was read in mode {self.mode} and the tag {version.tag!r} in mode "
                f"{version.mode}; read both in one mode"
            )
        if self.verbatim is not None and version.tag.lower() != self.verbatim:
            return False
        return any(interval.contains(version) for interval in self.intervals)

    def overlaps(self, other: Range) -> bool:
        """Whether a version can be in both ranges.

        Raises:
            ModelError: They were read in different modes.
        """
        if other.mode != self.mode:
            raise ModelError(
                f"the ranges {self.text!r} and {other.text!r} were read in the modes {self.mode} and {other.mode}; "
                "read both in one mode"
            )
        if self.verbatim is not None and other.verbatim is not None and self.verbatim != other.verbatim:
            return False
        return bool(intervals.intersection(self.intervals, other.intervals))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        mode = "" if self.mode == "docker" else f", {self.mode!r}"
        return f"Range.parse({self.text!r}{mode})"


_HINTS = (
    ("pep440", re.compile(r"~=|===?|!=|[<>]=?[^,<>]*,|,\s*[<>]|^\s*[<>]=?\s*[^\s<>=^~|*xX]+\s*$")),
    ("npm", re.compile(r"[\^~*<>=]|\|\||\s-\s|(?:^|[.\s])[xX](?=$|[.\s])")),
)


def _notation(text: str) -> tuple[str, int]:
    """Which notation the text is in, and where it starts: after a prefix such as ``nuget:``."""
    forced = re.match(r"\s*(nuget|pep440|npm):", text)
    if forced:
        return forced[1], forced.end()
    if text.lstrip()[:1] not in ("[", "("):
        for name, hint in _HINTS:
            if hint.search(text):
                return name, 0
    return "nuget", 0


_NOTATIONS: Mapping[str, Callable[[Written, int], tuple[Union, str | None]]] = MappingProxyType(
    {
        "nuget": lambda written, start: (read_intervals(written, start), None),
        "pep440": read_specifiers,
        "npm": lambda written, start: (read_alternatives(written, start), None),
    }
)
