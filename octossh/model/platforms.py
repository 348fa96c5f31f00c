"""Platforms: what an image is built for, and whether a host runs it."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["platform", "serves"]

_NAMES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386", "armv7l": "arm"}
# What is there where no variant is said.
_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
# What a host of the one architecture also runs, as docker sees it.
_ALSO = {"amd64": ("386",), "arm64": ("arm",)}


def platform(system: str, architecture: str, variant: str = "") -> str:
    """The platform in docker's words, such as ``linux/amd64`` or ``linux/arm/v7``."""
    architecture = _NAMES.get(architecture.lower(), architecture.lower())
    shown = variant.lower() if variant and variant.lower() != _VARIANTS.get(architecture) else ""
    return "/".join(filter(None, (system.lower(), architecture, shown)))


def serves(platforms: Iterable[str], host: str) -> bool:
    """Whether an image of these *platforms* runs on a host of platform *host*, which may leave out its variant.

    Nothing is emulated: ``linux/arm64`` does not run on ``linux/amd64``.
    """
    return any(_fits(_split(built), _split(host)) for built in platforms)


def _split(text: str) -> tuple[str, str, str]:
    system, architecture, variant = (*text.split("/"), "", "", "")[:3]
    return system, architecture, variant


def _fits(built: tuple[str, str, str], host: tuple[str, str, str]) -> bool:
    if built[0] != host[0]:
        return False
    if built[1] in _ALSO.get(host[1], ()):
        return True
    if built[1] != host[1]:
        return False
    # A later variant runs what is built for an earlier one; of a host without one nobody knows better.
    return not host[2] or (built[2] or _VARIANTS.get(built[1], "")) <= host[2]
