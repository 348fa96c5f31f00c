"""The ways to read a tag. A new mode is a module with two functions, and a line in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import frozen

from octossh.errors import ModelError, did_you_mean
from octossh.versions import docker, semver
from octossh.versions.tags import Version, check_tag

__all__ = ["MODES", "Mode", "find_mode", "parse"]


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
    }
)


def find_mode(name: str) -> Mode:
    """The mode of that name.

    Raises:
        ModelError: There is none.
    """
    mode = MODES.get(name) if isinstance(name, str) else None
    if mode is None:
        raise ModelError(f"there is no mode {name!r} to read tags; {did_you_mean(str(name), MODES)}")
    return mode


def parse(tag: str, mode: str = "docker") -> Version:
    """Read a tag.

    Args:
        tag: Of an image: 1 to 128 characters.
        mode: ``docker`` takes tags as publishers write them; ``semver`` takes Semantic Versioning 2.0.0 only.

    Returns:
        A version; if the tag is none, such as ``latest``, its ``is_version`` is False.

    Raises:
        ModelError: No registry can hold the tag, or there is no such mode.

    Examples:
        >>> parse("1.27.3-rc.1-alpine3.20").prerelease
        'rc.1'
        >>> parse("v1.9") < parse("1.10")
        True
    """
    return find_mode(mode).read(check_tag(tag))
