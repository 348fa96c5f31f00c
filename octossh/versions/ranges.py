"""Ranges of versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.versions.modes import check_mode, find_bound
from octossh.versions.tags import Version, check_tag

__all__ = ["Range"]


@frozen(kw_only=True, repr=False)
class Range:
    """An interval of versions, in the notation of NuGet and Octopus.

    =============  =================================
    ``1.2``        1.2 and later
    ``[1.2]``      1.2 and its rebuilds, nothing else
    ``[1.0,2.0)``  from 1.0 on, before 2.0
    ``(,2.0]``     up to 2.0, its rebuilds included
    ``(1.0,)``     later than 1.0
    =============  =================================

    An upper bound that is left out takes its prereleases with it: 2.0.0-rc.1 is not in ``[1.0,2.0)``. A bound
    is compared by the parts that it has, so 1.2.3-5 is in ``[1.2.3]`` and not in ``(1.2.3,)``.

    Attributes:
        lower: The lower bound. None: there is none.
        upper: The upper bound. None: there is none.
        lower_inclusive: Whether the lower bound belongs to the range.
        upper_inclusive: Whether the upper bound belongs to the range.
        text: As it was written.
        mode: How the bounds were read.
    """

    lower: Version | None = None
    upper: Version | None = None
    lower_inclusive: bool = False
    upper_inclusive: bool = False
    text: str = field(eq=False)
    mode: str = "docker"

    @classmethod
    def parse(cls, text: str, mode: str = "docker") -> Range:
        """Read a range.

        Args:
            text: An interval, or a single version, which is a minimum.
            mode: How to read the bounds; it has to be the mode of the versions.

        Raises:
            ModelError: The text is no range, or no version can be in it. The message gives the position of
                the fault, counted from 1.
        """
        check_mode(mode)
        if not isinstance(text, str):
            raise ModelError(f"the range {text!r} is not text; write it in quotes, such as '[1.0,2.0)'")
        name, start = _syntax(text)
        return _SYNTAXES[name](text, start, mode)

    @property
    def exact(self) -> Version | None:
        """The only release that the range has room for, or None."""
        return self.lower if self.lower is not None and self.lower == self.upper else None

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
        return self._above(version) and self._below(version)

    def _above(self, version: Version) -> bool:
        bound = self.lower
        if bound is None:
            return True
        if not _comparable(version, bound):
            return False
        mine, its = _cut(version, bound), _cut(bound, bound)
        return mine > its or (mine == its and self.lower_inclusive)

    def _below(self, version: Version) -> bool:
        bound = self.upper
        if bound is None:
            return True
        if not _comparable(version, bound):
            return False
        if not self.upper_inclusive and _bare(bound):
            before: bool = version.key[0] < bound.key[0]
            return before
        mine, its = _cut(version, bound), _cut(bound, bound)
        return mine < its or (mine == its and self.upper_inclusive)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        mode = "" if self.mode == "docker" else f", {self.mode!r}"
        return f"Range.parse({self.text!r}{mode})"


def _bare(bound: Version) -> bool:
    return not (bound.pre or bound.post or bound.build)


def _cut(version: Version, bound: Version) -> tuple[Any, ...]:
    """As much of the version as the bound speaks of: where it has no build, builds are all the same."""
    return version.key[: 4 if bound.build else 3 if bound.post else 2]


def _comparable(version: Version, bound: Version) -> bool:
    if bound.scheme == "date":
        return version.scheme in ("date", "calver")
    return not (bound.scheme == "number" and version.scheme == "date")


def _fault(text: str, at: int, what: str) -> ModelError:
    return ModelError(f"the range {text!r} is wrong at position {at + 1}: {what}")


_HINTS = (
    ("pep440", re.compile(r"~=|===?|!=|[<>]=?[^,<>]*,|,\s*[<>]")),
    ("npm", re.compile(r"[\^~*<>=]|\|\||\s-\s|(?:^|[.\s])[xX](?=$|[.\s])")),
)


def _syntax(text: str) -> tuple[str, int]:
    """Which notation the text is in, and where it starts: after a prefix such as ``nuget:``."""
    forced = re.match(r"\s*(nuget|pep440|npm):", text)
    if forced:
        return forced[1], forced.end()
    if text.lstrip()[:1] not in ("[", "("):
        for name, hint in _HINTS:
            if hint.search(text):
                return name, 0
    return "nuget", 0


def _nuget(text: str, start: int, mode: str) -> Range:
    end = len(text.rstrip())
    start += len(text[start:]) - len(text[start:].lstrip())
    if start >= end:
        raise _fault(text, start, "there is nothing; write a minimum as 1.0, or an interval as [1.0,2.0)")
    if text[start] not in "[(":
        if text[end - 1] in "])":
            raise _fault(text, start, "the interval has no opening bracket; begin it with [ or (")
        least = _bound(text, start, end, mode)
        return Range(lower=least, lower_inclusive=True, text=text.strip(), mode=mode)
    if end - start < 2 or text[end - 1] not in "])":
        raise _fault(text, end, "the interval has no closing bracket; end it with ] or )")
    inner, last = start + 1, end - 1
    comma = text.find(",", inner, last)
    if comma < 0:
        if text[start] + text[last] != "[]":
            raise _fault(text, start, "a single version takes square brackets, as [1.2]; a minimum takes none")
        only = _bound(text, inner, last, mode)
        return Range(lower=only, upper=only, lower_inclusive=True, upper_inclusive=True, text=text.strip(), mode=mode)
    second = text.find(",", comma + 1, last)
    if second >= 0:
        raise _fault(text, second, "an interval has one comma; name two bounds")
    lower = _bound(text, inner, comma, mode) if text[inner:comma].strip() else None
    upper = _bound(text, comma + 1, last, mode) if text[comma + 1 : last].strip() else None
    if lower is None and upper is None:
        raise _fault(text, comma, "no bound is named; leave the range out to allow every version")
    made = Range(
        lower=lower,
        upper=upper,
        lower_inclusive=lower is not None and text[start] == "[",
        upper_inclusive=upper is not None and text[last] == "]",
        text=text.strip(),
        mode=mode,
    )
    _check_room(made, text, comma + 1)
    return made


def _bound(text: str, start: int, end: int, mode: str) -> Version:
    written = text[start:end].strip()
    at = start + len(text[start:end]) - len(text[start:end].lstrip())
    if not written:
        raise _fault(text, start, "a version is missing; write one such as 1.2")
    try:
        check_tag(written)
    except ModelError:
        raise _fault(text, at, f"{written!r} is no version; write numbers with dots, such as 1.2.3") from None
    try:
        return find_bound(mode)(written)
    except ModelError as error:
        raise _fault(text, at, str(error)) from None


def _check_room(made: Range, text: str, at: int) -> None:
    """Refuse an interval that no version can be in."""
    lower, upper = made.lower, made.upper
    if lower is None or upper is None:
        return
    at += len(text[at:]) - len(text[at:].lstrip())
    if upper.key[:4] < lower.key[:4]:
        raise _fault(text, at, f"the upper bound {upper} is below the lower bound {lower}; exchange them")
    below = made._below(lower)  # noqa: SLF001
    above = made._above(upper)  # noqa: SLF001
    if not (below and above):
        raise _fault(
            text,
            at,
            f"no version fits between {lower} and {upper}; move a bound, or include it with [ or ]",
        )


def _not_yet(name: str, example: str) -> Callable[[str, int, str], Range]:
    def refuse(text: str, start: int, mode: str) -> Range:  # noqa: ARG001
        what = f"this is the notation of {name}, which is not read; write an interval such as {example}"
        raise _fault(text, start, what)

    return refuse


_SYNTAXES: Mapping[str, Callable[[str, int, str], Range]] = MappingProxyType(
    {
        "nuget": _nuget,
        "pep440": _not_yet("PEP 440", "[1.2,2.0) for ~=1.2, or 1.2 for >=1.2"),
        "npm": _not_yet("npm", "[1.2,2.0) for ^1.2, or 1.2 for >=1.2"),
    }
)
