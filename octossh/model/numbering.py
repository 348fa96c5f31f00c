"""Numbers of releases: what a mask such as ``1.4.i`` means when a release is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from octossh import versions
from octossh.errors import ModelError, did_you_mean
from octossh.templating import evaluate, has_expression, references

__all__ = ["COUNTER", "Numbered", "check_mask", "fill"]

COUNTER = re.compile(r"(?<![A-Za-z0-9])i(?![A-Za-z0-9])")
"""The part of a mask that counts up: an ``i`` that stands alone."""

_EXAMPLES = "'0.0.i', '2026.i', 'YYYY.MM.i' or '{{ version }}'"
_EXPRESSION = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_DATE = re.compile(r"(?<![A-Za-z])(?:YYYY|YY|MM|DD|WW)+(?![A-Za-z])")
_ODD_DATE = re.compile(r"(?<![A-Za-z])[YMDW]{2,}(?![A-Za-z])")
_LITERAL = re.compile(r"[A-Za-z0-9._+-]*")
_NAMES = {"images", "version", "channel"}


@frozen
class Numbered:
    """An image as a mask sees it: ``images["acme/web"]``.

    Attributes:
        repository: Its name.
        tag: The tag that the release picks.
        mode: How the channel reads tags.
    """

    repository: str
    tag: str
    mode: str = field(default="docker")

    @property
    def version(self) -> str:
        """The numbers in the tag, and its prerelease: ``1.4.2`` of ``v1.4.2-alpine``, ``2.0.0-rc.1`` of ``2.0.0-rc1``.

        Raises:
            ModelError: The tag is no version.
        """
        numbers = ".".join(map(str, self._release()))
        pre = ".".join(map(str, versions.parse(self.tag, mode=self.mode).pre))
        return f"{numbers}-{pre}" if pre else numbers

    @property
    def major(self) -> int:
        """The first number of the version."""
        return self._release()[0]

    @property
    def minor(self) -> int:
        """The second one, or 0."""
        return (*self._release(), 0)[1]

    @property
    def patch(self) -> int:
        """The third one, or 0."""
        return (*self._release(), 0, 0)[2]

    def _release(self) -> tuple[int, ...]:
        numbers = versions.parse(self.tag, mode=self.mode).release
        if not numbers:
            raise ModelError(
                f"the tag {self.tag!r} of {self.repository} has no version that a release could be numbered by; "
                "write .tag in place of .version, or give the release a number"
            )
        return numbers


class _Images:
    """``images`` in a mask. No mapping: an unknown name is told."""

    def __init__(self, images: Mapping[str, Numbered]) -> None:
        self._images = images

    def __getitem__(self, repository: str) -> Numbered:
        if repository not in self._images:
            raise ModelError(f"no step runs an image {repository!r}; {did_you_mean(repository, self._images)}")
        return self._images[repository]


class _Version:
    """``version`` in a mask: that of the only image. Which one it is, is asked when it is written."""

    def __init__(self, images: Mapping[str, Numbered]) -> None:
        self._images = images

    def __str__(self) -> str:
        if len(self._images) != 1:
            names = ", ".join(self._images) or "none"
            raise ModelError(
                f"'version' is that of the only image, and there are {len(self._images)} ({names}); write "
                "{{ images['acme/web'].version }}"
            )
        return next(iter(self._images.values())).version


def check_mask(mask: Any, repositories: tuple[str, ...], where: str) -> None:
    """Check that *mask* can number the releases of a project with images of *repositories*.

    Raises:
        ModelError: It cannot.
    """
    if not isinstance(mask, str) or not mask or len(mask) > 200:
        raise ModelError(f"{where}: release number {mask!r}: write a mask such as {_EXAMPLES}")
    literal = "".join(_EXPRESSION.split(mask)[::2])
    said = f"{where}: release number {mask!r}"
    if not _LITERAL.fullmatch(literal):
        raise ModelError(f"{said}: it holds what is no letter, digit or . _ + -; write a mask such as {_EXAMPLES}")
    if len(COUNTER.findall(literal)) > 1:
        raise ModelError(f"{said}: i stands in it twice, and one number can count up; leave one out")
    odd = next((found[0] for found in _ODD_DATE.finditer(literal) if not _DATE.fullmatch(found[0])), None)
    if odd:
        raise ModelError(f"{said}: {odd!r} is no part of a date; those are YYYY, YY, MM, DD, and WW for the week")
    if not COUNTER.search(literal) and not has_expression(mask):
        hint = f"; add one: {mask + '.i'!r}" if _DATE.search(literal) else f"; write a mask such as {_EXAMPLES}"
        raise ModelError(f"{said}: nothing in it counts up, so it could be given only once{hint}")
    if unknown := sorted(references(mask, where=said).names - _NAMES):
        raise ModelError(f"{said}: it may read {', '.join(sorted(_NAMES))}, and not {unknown[0]!r}")
    fill(mask, {name: Numbered(name, "1.2.3") for name in repositories}, "stable", datetime.now(UTC), where)


def fill(mask: str, images: Mapping[str, Numbered], channel: str, now: datetime, where: str) -> str:
    """*mask* with all filled in but the ``i`` that counts up.

    Args:
        mask: Such as ``YYYY.MM.i``.
        images: By repository.
        channel: The name of the channel of the release.
        now: The date is that of this moment, in UTC.
        where: The subject of an error message.

    Raises:
        ModelError: It reads an image that is not there, or a version where there is none.
    """
    said = f"{where}: release number {mask!r}"
    values = {"images": _Images(images), "version": _Version(images), "channel": channel}
    made = []
    for place, piece in enumerate(_EXPRESSION.split(mask)):
        if place % 2 == 0:
            made.append(_DATE.sub(lambda found: _dated(found[0], now.astimezone(UTC)), piece))
            continue
        try:
            text = evaluate(piece, values, where=said)
        except ModelError as error:
            raise ModelError(str(error) if str(error).startswith(said) else f"{said}: {error}") from None
        if not text or not _LITERAL.fullmatch(text) or COUNTER.search(text):
            raise ModelError(
                f"{said}: {piece} gives {text!r}, which cannot be part of a number; those are letters, digits and "
                "., _, + and -, and no 'i' that stands alone"
            )
        made.append(text)
    return "".join(made)


def _dated(words: str, now: datetime) -> str:
    parts = {"YYYY": f"{now:%Y}", "YY": f"{now:%y}", "MM": f"{now:%m}", "DD": f"{now:%d}", "WW": f"{now:%V}"}
    return re.sub("YYYY|YY|MM|DD|WW", lambda found: parts[found[0]], words)
