"""The modes ``numeric`` and ``alphabetical``: one number, or nothing but the order of characters."""

from __future__ import annotations

import re

from octossh.errors import ModelError
from octossh.versions import docker
from octossh.versions.tags import Version, kind_of_name, moves

__all__ = ["bound_number", "bound_text", "read_number", "read_text"]

_NUMBER = re.compile(r"((?:[A-Za-z][A-Za-z0-9]*[._-])*[A-Za-z]*)(\d+)(?:[._-]([A-Za-z][A-Za-z0-9._-]*))?")


def read_number(tag: str) -> Version:
    """Read a tag that `check_tag` has let through: a prefix, a number of any size, a variant."""
    match = _NUMBER.fullmatch(tag)
    kind = kind_of_name(tag) or ("word" if not re.search(r"\d", tag) else "" if match else "other")
    if kind or match is None:
        return Version(tag=tag, mode="numeric", kind=kind)
    release = (int(match[2]),)
    return Version(
        tag=tag,
        mode="numeric",
        kind="number",
        prefix=match[1],
        release=release,
        variant=(match[3] or "").lower(),
        scheme="number",
        key=(release, (), (), ()),
    )


def bound_number(text: str) -> Version:
    """Read the bound of a range.

    Raises:
        ModelError: It is no number.
    """
    version = read_number(text)
    if not version.is_version or version.line[0] or version.variant:
        raise ModelError(f"{text!r} is no whole number; write one such as 1234")
    return version


def read_text(tag: str) -> Version:
    """Read a tag that `check_tag` has let through: as it stands, by the codes of its characters."""
    kind = docker.read(tag).kind
    if moves(tag) or kind in ("artifact", "ci", "sha"):
        return Version(tag=tag, mode="alphabetical", kind=kind)
    return Version(tag=tag, mode="alphabetical", kind="text", scheme="text", key=(tag, (), (), ()))


def bound_text(text: str) -> Version:
    """Read the bound of a range: any text that is no commit and no word such as ``latest``.

    Raises:
        ModelError: It has no place in the order.
    """
    version = read_text(text)
    if not version.is_version:
        raise ModelError(f"{text!r} has no place in the order of texts ({version.kind}); write the text of a tag")
    return version
