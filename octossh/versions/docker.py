"""The mode ``docker``: tags as the publishers of images write them.

A tag is a prefix, a release and a tail. The words of the tail are prereleases, posts and builds where they
are known for that; every other text is the variant. So an unknown word leads to another line, and is never
chosen unasked.
"""

from __future__ import annotations

import re

from octossh.errors import ModelError
from octossh.versions.dates import find_date
from octossh.versions.tags import Version, ci_word, find_prefix, hexadecimal, kind_of_name
from octossh.versions.tails import order, read_tail

__all__ = ["bound", "read"]

_WORDS = re.compile(r"[A-Za-z0-9]+")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")


def read(tag: str) -> Version:
    """Read a tag that `check_tag` has let through."""
    kind = kind_of_name(tag)
    prefix = find_prefix(tag) if not kind else None
    if prefix is None:
        return Version(tag=tag, mode="docker", kind=kind or "word")
    at = len(prefix)
    if _of_build_server(tag, prefix):
        return Version(tag=tag, mode="docker", kind="ci")
    dated = find_date(tag, at)
    if dated:
        release, at = dated
        kind = scheme = "date"
    else:
        match = _RELEASE.match(tag, at)
        assert match is not None  # the prefix ends before a digit
        release, at = tuple(map(int, match[0].split("."))), match.end()
        scheme = _scheme(release, match[0])
        kind = "number" if scheme == "number" else "dotted"
    tail = read_tail(tag[at:])
    return Version(
        tag=tag,
        mode="docker",
        kind=kind,
        prefix=prefix,
        release=release,
        pre=tail.pre,
        post=tail.post,
        build=tail.build,
        sha=tail.sha,
        variant=tail.variant,
        scheme=scheme,
        key=order(release, tail),
    )


def bound(text: str) -> Version:
    """Read the bound of a range.

    Raises:
        ModelError: It is no version, or it names more than one.
    """
    version = read(text)
    if not version.is_version or re.search(r"[._-]{2}|[._-]$", text):
        raise ModelError(f"{text!r} is no version; write numbers with dots, such as 1.2.3 or 1.2.3-rc.1")
    if version.line[0]:
        raise ModelError(f"{text!r} has the prefix {version.prefix!r}; ask for that with prefix= instead")
    if version.variant:
        raise ModelError(f"{text!r} has the variant {version.variant!r}; ask for that with variant= instead")
    return version


def _of_build_server(tag: str, prefix: str) -> bool:
    if len(prefix) > 1 and any(map(ci_word, _WORDS.findall(prefix))):
        return True
    # No commit is shorter, and most releases have a dot by then.
    token = _WORDS.match(tag, len(prefix))
    return token is not None and len(token[0]) >= 7 and hexadecimal(token[0])


def _scheme(release: tuple[int, ...], text: str) -> str:
    if len(release) == 1 and len(text) >= 5:  # longer than a major version or a year
        return "number"
    if 1970 <= release[0] <= 2099 and (len(release) == 1 or release[1] <= 12):
        return "calver"
    return "dotted"
