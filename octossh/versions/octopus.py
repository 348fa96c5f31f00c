"""The mode ``octopus``: versions as Octopus Deploy reads them, so that a channel chooses here what it chose there.

Up to four numbers, then a label. Nearly every tag is a version then: ``latest`` is 0.0.0.0 with the label
``latest``, and ``3.7-alpine`` is a prerelease of 3.7.
"""

from __future__ import annotations

import re
from typing import Any

from octossh.errors import ModelError
from octossh.versions.tags import Version, kind_of_name

__all__ = ["bound", "read"]

_NUMBERS = re.compile(r"([vV]?)(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?")
_SEPARATOR = re.compile(r"[._-]")
_MOST = 2**31 - 1


def read(tag: str) -> Version:
    """Read a tag that `check_tag` has let through."""
    if kind_of_name(tag) == "artifact":
        return Version(tag=tag, mode="octopus", kind="artifact")
    match = _NUMBERS.match(tag)
    numbers = [int(part or 0) for part in match.groups()[1:]] if match else [0, 0, 0, 0]
    if max(numbers) > _MOST:
        return Version(tag=tag, mode="octopus", kind="other")
    label = tag[match.end() :] if match else tag
    if _SEPARATOR.match(label):
        label = label[1:]
    release = tuple(numbers)
    return Version(
        tag=tag,
        mode="octopus",
        kind="dotted",
        prefix=match[1] if match else "",
        release=release,
        pre=(label,) if label else (),
        scheme="octopus",
        key=(release, _order(label), (), ()),
    )


def bound(text: str) -> Version:
    """Read the bound of a range.

    Raises:
        ModelError: Octopus would not take it.
    """
    version = read(text)
    if not version.is_version:
        raise ModelError(f"{text!r} is no version of Octopus; write up to four numbers below 2147483648, as 1.2.3")
    return version


def _order(label: str) -> tuple[Any, ...]:
    """The order of labels: none is the last; else piece by piece, numbers first, without regard to case."""
    if not label:
        return (1,)
    return (0, tuple(map(_piece, _SEPARATOR.split(label))))


def _piece(text: str) -> tuple[int, int, str]:
    # A number that Octopus cannot hold is text to it.
    return (0, int(text), "") if text.isdigit() and int(text) <= _MOST else (1, 0, text.lower())
