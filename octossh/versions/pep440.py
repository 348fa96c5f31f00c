"""The mode ``pep440``: versions of Python, read by the library that pip uses."""

from __future__ import annotations

from octossh.errors import ModelError
from octossh.versions.tags import Version, kind_of_name
from octossh.versions.tails import stripped

__all__ = ["bound", "read"]

_WORDS = {"a": "alpha", "b": "beta", "rc": "rc"}


def read(tag: str) -> Version:
    """Read a tag that `check_tag` has let through."""
    from packaging.version import InvalidVersion
    from packaging.version import Version as Read

    kind = kind_of_name(tag)
    if kind:
        return Version(tag=tag, mode="pep440", kind=kind)
    try:
        found = Read(tag)
    except InvalidVersion:
        return Version(tag=tag, mode="pep440", kind="other" if tag[0].isdigit() else "word")
    pre: tuple[int | str, ...] = (_WORDS[found.pre[0]], found.pre[1]) if found.pre else ()
    dev = ("dev", found.dev) if found.dev is not None else ()
    post = (found.post,) if found.post is not None else ()
    # A prerelease comes before the release, and what is in work before that.
    rank = found.pre or (("",) if dev and not post else ("z",))
    return Version(
        tag=tag,
        mode="pep440",
        kind="dotted",
        prefix=tag[0] if tag[0] in "vV" else "",
        release=found.release,
        pre=pre + dev,
        post=post,
        scheme="pep440",
        key=(stripped(found.release), rank, post, (0, found.dev) if found.dev is not None else (1,)),
    )


def bound(text: str) -> Version:
    """Read the bound of a range.

    Raises:
        ModelError: It is no version of Python.
    """
    version = read(text)
    if not version.is_version:
        raise ModelError(f"{text!r} is no version of Python (PEP 440); write it as 1.2.3, 1.2.3rc1 or 1.2.3.post1")
    return version
