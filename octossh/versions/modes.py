"""The ways to read a tag. A new mode is a module with two functions, and a line in the table."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import frozen

from octossh.errors import ModelError, did_you_mean
from octossh.versions import created as creation
from octossh.versions import dates, docker, octopus, patterned, pep440, plain, semver
from octossh.versions.tags import Version, check_tag

__all__ = ["MODES", "Mode", "check_mode", "find_bound", "find_mode", "parse"]


@frozen
class Mode:
    """How tags and the bounds of ranges are read.

    Attributes:
        read: Makes a version of a tag; it never fails, since a tag may be no version.
        bound: Makes a version of the bound of a range, and raises ModelError for what is none.
    """

    read: Callable[[str], Version]
    bound: Callable[[str], Version]


MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "docker": Mode(read=docker.read, bound=docker.bound),
        "semver": Mode(read=semver.read, bound=semver.bound),
        "octopus": Mode(read=octopus.read, bound=octopus.bound),
        "pep440": Mode(read=pep440.read, bound=pep440.bound),
        "date": Mode(read=dates.read, bound=dates.bound),
        "numeric": Mode(read=plain.read_number, bound=plain.bound_number),
        "alphabetical": Mode(read=plain.read_text, bound=plain.bound_text),
    }
)
"""The modes that need nothing but their name."""


def check_mode(name: object) -> str:
    """*name* itself, if there is such a mode: one of the table, ``regex:PATTERN`` or ``created``.

    Raises:
        ModelError: There is none, or its pattern is wrong.
    """
    if isinstance(name, str):
        if name.partition(":")[0] == "regex":
            patterned.pattern_of(name)
            return name
        if name in MODES or name == "created":
            return name
    known = (*MODES, "created", "regex:PATTERN")
    raise ModelError(f"there is no mode {name!r} to read tags; {did_you_mean(str(name), known)}")


def find_mode(name: str, created: Mapping[str, datetime.datetime] | None = None) -> Mode:
    """The mode of that name.

    Args:
        name: As `check_mode` takes it.
        created: When the image of each tag was made; only mode ``created`` looks at it.

    Raises:
        ModelError: There is none, its pattern is wrong, or it lacks the times of the tags.
    """
    if check_mode(name) == "created":
        times = creation.check_times(created)
        return Mode(read=functools.partial(creation.read, created=times), bound=creation.bound)
    if name in MODES:
        return MODES[name]
    return Mode(read=functools.partial(patterned.read, mode=name), bound=functools.partial(patterned.bound, mode=name))


def find_bound(name: str) -> Callable[[str], Version]:
    """What reads the bounds of ranges in that mode: unlike tags, they need no times.

    Raises:
        ModelError: There is no such mode, or its pattern is wrong.
    """
    return creation.bound if check_mode(name) == "created" else find_mode(name).bound


def parse(tag: str, mode: str = "docker", *, created: Mapping[str, datetime.datetime] | None = None) -> Version:
    r"""Read a tag.

    Args:
        tag: Of an image: 1 to 128 characters.
        mode: How to read it.

            ``docker``
                As publishers write tags: prefix, numbers, prerelease, rebuild, variant.
            ``semver``
                Semantic Versioning 2.0.0 and nothing else, a ``v`` apart.
            ``octopus``
                As Octopus Deploy does: four numbers and a label, which every word is.
            ``pep440``
                Versions of Python.
            ``date``
                A date of the calendar, with its time if there is one.
            ``numeric``
                One whole number of any size.
            ``alphabetical``
                The text itself, by the codes of its characters.
            ``regex:PATTERN``
                By the named groups of a pattern that matches the whole tag: ``release``, or ``major``, ``minor``
                and ``patch``; ``prefix``, ``prerelease``, ``post``, ``build``, ``revision``, ``variant``.
            ``created``
                By the times in *created*.
        created: When the image of each tag was made, with time zone. Only mode ``created`` looks at it.

    Returns:
        A version; if the tag is none, such as ``latest``, its ``is_version`` is False.

    Raises:
        ModelError: No registry can hold the tag, there is no such mode, its pattern is wrong, or it needs times.

    Examples:
        >>> parse("1.27.3-rc.1-alpine3.20").prerelease
        'rc.1'
        >>> parse("v1.9") < parse("1.10")
        True
        >>> parse("build-77-arm", r"regex:build-(?P<major>\d+)-(?P<variant>.*)").release
        (77,)
    """
    return find_mode(mode, created).read(check_tag(tag))
