"""The mode ``semver``: Semantic Versioning 2.0.0 to the letter, with an optional v."""

from __future__ import annotations

import re
from typing import Any

from octossh.errors import ModelError
from octossh.versions.tags import Version, kind_of_name

__all__ = ["bound", "read"]

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PART = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"(v?)({_NUMBER}\.{_NUMBER}\.{_NUMBER})(?:-({_PART}(?:\.{_PART})*))?"
    r"(?:_([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"  # a tag cannot hold the + of the standard
)
_SHORT = re.compile(rf"v?{_NUMBER}(?:\.{_NUMBER})?(?![0-9.])")


def read(tag: str) -> Version:
    """Read a tag that `check_tag` has let through."""
    match = _SEMVER.fullmatch(tag)
    if match is None:
        kind = kind_of_name(tag)
        return Version(tag=tag, mode="semver", kind=kind or ("other" if tag[0].isdigit() else "word"))
    release = tuple(map(int, match[2].split(".")))
    pre = _identifiers(match[3])
    return Version(
        tag=tag,
        mode="semver",
        kind="dotted",
        prefix=match[1],
        release=release,
        pre=pre,
        build=_identifiers(match[4]),
        scheme="semver",
        key=(release, _order(pre), (), ()),
    )


def bound(text: str) -> Version:
    """Read the bound of a range; missing parts are 0.

    Raises:
        ModelError: It is no semantic version.
    """
    short = _SHORT.match(text)
    if short:
        missing = ".0" * (2 - short[0].count("."))
        text = short[0] + missing + text[short.end() :]
    version = read(text)
    if not version.is_version:
        raise ModelError(f"{text!r} is no semantic version; write it as 1.2.3 or 1.2.3-rc.1")
    return version


def _identifiers(text: str | None) -> tuple[int | str, ...]:
    return tuple(int(part) if part.isdigit() else part for part in text.split(".")) if text else ()


def _order(pre: tuple[int | str, ...]) -> tuple[Any, ...]:
    if not pre:
        return (1,)
    return (0, tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in pre))
