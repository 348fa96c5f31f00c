"""What a tag is, and what it says once it is read."""

from __future__ import annotations

import functools
import re
from typing import Any

from attrs import frozen

from octossh.errors import ModelError

__all__ = [
    "TAG",
    "VERSION_KINDS",
    "Version",
    "bare_prefix",
    "check_tag",
    "ci_word",
    "find_prefix",
    "hexadecimal",
    "kind_of_name",
    "moves",
]

VERSION_KINDS = frozenset({"dotted", "date", "number", "text"})

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""What a registry takes for a tag."""

_DIGEST = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.[A-Za-z0-9]+)?")
_HEX = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{7,64}", re.IGNORECASE)
_SHA_NAME = re.compile(r"sha[-_.][0-9a-f]{7,64}|g[0-9a-f]{7,64}", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+")
_SYSTEMS = (
    "almalinux|alpine|amazonlinux|centos|debian|fedora|nanoserver|opensuse|oraclelinux|photon|rhel|rocky|sles|ubi|"
    "ubuntu|windows|windowsservercore"
)
_PREFIX = re.compile(
    r"(?:(?![vV]\d)(?:"
    r"x86_64[-_]|arm(?:32|64)?-v\d[-_](?=[vV]?\d)|"  # machines with a number of their own
    rf"(?:{_SYSTEMS})-\d+(?:\.\d+)*-(?=[vV]?\d+\.\d)|"  # debian-12-1.2.3
    r"[A-Za-z][A-Za-z0-9]*[-_]|[A-Za-z]+\d+(?:\.\d+)+-|[A-Za-z]+\."
    r"))*[vV]?(?=\d)"
)
_CI_WORDS = frozenset(
    {"branch", "bugfix", "ci", "commit", "feat", "feature", "fix", "git", "merge", "mr", "pr", "pull", "sha"}
)
_MOVING = frozenset(
    {"alpha", "beta", "canary", "current", "dev", "devel", "develop", "edge", "experimental", "head", "latest", "lts"}
    | {"main", "mainline", "master", "next", "nightly", "prod", "production", "rc", "release", "rolling", "snapshot"}
    | {"stable", "staging", "test", "testing", "tip", "trunk", "unstable"}
)


def check_tag(tag: object) -> str:
    """*tag* itself, if a registry can hold it.

    Raises:
        ModelError: It is no tag of an image.
    """
    if not isinstance(tag, str):
        raise ModelError(f"the tag {tag!r} is not text; give it as a string")
    if TAG.fullmatch(tag):
        return tag
    if not tag:
        raise ModelError("the tag '' is empty; give at least one character")
    if len(tag) > 128:
        raise ModelError(f"the tag {tag[:24]!r}… has {len(tag)} characters; a registry takes at most 128")
    if tag[0] in ".-":
        raise ModelError(f"the tag {tag!r} begins with {tag[0]!r}; begin with a letter, a digit or '_'")
    wrong = next(char for char in tag if not TAG.fullmatch("_" + char))
    advice = "write '_' or '-' in its place" if wrong == "+" else "use only A-Z a-z 0-9 '_' '.' '-'"
    raise ModelError(f"the tag {tag!r} holds {wrong!r}, which no tag may; {advice}")


def hexadecimal(text: str) -> bool:
    """Whether *text* looks like a commit: 7 to 64 hexadecimal characters, a letter among them."""
    return _HEX.fullmatch(text) is not None


def kind_of_name(tag: str) -> str:
    """What a tag is whatever its numbers: ``artifact``, ``sha``, ``ci``, or ``""`` for the rest."""
    if tag.endswith((".sig", ".att", ".sbom")) or _DIGEST.fullmatch(tag):
        return "artifact"
    if hexadecimal(tag) or _SHA_NAME.fullmatch(tag):
        return "sha"
    first = _WORD.match(tag)
    if first and tag[first.end() : first.end() + 1] in ("-", "_", ".") and ci_word(first[0]):
        return "ci"
    return ""


def ci_word(word: str) -> bool:
    """Whether a build server wrote *word*, or a commit: such tags have no order by version."""
    return word.lower() in _CI_WORDS or hexadecimal(word)


def find_prefix(tag: str) -> str | None:
    """The text before the first number that counts, such as ``v`` or ``release-``. None: there is no such number."""
    if tag[0].isdigit():
        return ""
    match = _PREFIX.match(tag)
    return match[0] if match else None


def moves(tag: str) -> bool:
    """Whether *tag* names another image every day, such as ``latest`` or ``stable-alpine``."""
    first = _WORD.match(tag)
    return first is not None and first[0].lower() in _MOVING and find_prefix(tag) is None


@functools.total_ordering
@frozen(eq=False, repr=False, kw_only=True)
class Version:
    """What a tag says. `octossh.versions.parse` makes it.

    Two versions are equal if they mean the same, such as ``v1.0`` and ``1.0``; ``.tag`` tells them apart.
    ``1.0`` and ``1.0.0`` do differ: the more precise tag is the greater one. Only versions of one line have
    an order; a comparison across lines, or with a tag that is no version, raises TypeError.

    Attributes:
        tag: As it was given.
        mode: How it was read, such as ``docker`` or ``semver``.
        kind: ``dotted``, ``date``, ``number`` or ``text`` for versions; else ``word``, ``sha``, ``ci``,
            ``artifact``, ``undated`` (in mode created) or ``other``: not of the form that the mode reads.
        prefix: The text before the numbers, such as ``v`` or ``release-``, in its own case.
        release: The numbers: ``(1, 2, 3)``, or year to second for a date. Empty in mode alphabetical.
        pre: The prerelease: its word, then its counters: ``("rc", 1)``. Empty for stable versions.
        post: Counters of a post release, such as ``-security-01``.
        build: Counters of a rebuild, such as ``-r4`` or ``_7``. In mode semver the metadata after ``_``; it
            takes no part in the order.
        sha: The commit in the tag, or ``""``; it takes no part in the order.
        variant: What is left, in lower case, such as ``slim-bookworm``.
        scheme: How the version counts: ``dotted``, ``calver``, ``date`` or ``number`` in mode docker; the other
            modes have one each: ``semver``, ``octopus``, ``pep440``, ``date``, ``number``, ``text``, ``regex``,
            ``created``. ``""`` for a tag that is no version.
        key: What the order inside a line goes by: release, prerelease, post, build, then the ties.
    """

    tag: str
    mode: str
    kind: str
    prefix: str = ""
    release: tuple[int, ...] = ()
    pre: tuple[int | str, ...] = ()
    post: tuple[int, ...] = ()
    build: tuple[int | str, ...] = ()
    sha: str = ""
    variant: str = ""
    scheme: str = ""
    key: tuple[Any, ...] = ()

    @property
    def is_version(self) -> bool:
        """Whether the tag has an order: a word such as ``latest`` has none."""
        return self.kind in VERSION_KINDS

    @property
    def is_prerelease(self) -> bool:
        """Whether it comes before a release, or is a build of a commit after one."""
        # Octopus has one label that is none.
        return bool(self.pre) and not (self.scheme == "octopus" and self.tag == "latest")

    @property
    def prerelease(self) -> str:
        """The label that rules look at, such as ``rc.1`` for ``RC1``; ``""`` when stable."""
        return ".".join(map(str, self.pre))

    @property
    def line(self) -> tuple[str, str, str]:
        """Prefix without its v, variant, scheme. Versions have an order inside one line."""
        return (bare_prefix(self.prefix), self.variant, self.scheme)

    def to_dict(self) -> dict[str, Any]:
        """The version as what JSON can hold."""
        return {
            "tag": self.tag,
            "mode": self.mode,
            "kind": self.kind,
            "prefix": self.prefix,
            "release": list(self.release),
            "prerelease": self.prerelease,
            "post": list(self.post),
            "build": list(self.build),
            "sha": self.sha,
            "variant": self.variant,
            "scheme": self.scheme,
        }

    def _identity(self) -> tuple[Any, ...]:
        return (self.mode, self.line, self.key) if self.is_version else (self.mode, self.tag)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        for one in (self, other):
            if not one.is_version:
                raise TypeError(f"the tag {one.tag!r} is no version ({one.kind}), so it has no order")
        if (self.mode, self.line) != (other.mode, other.line):
            raise TypeError(
                f"the tags {self.tag!r} and {other.tag!r} have no common order: {_line_text(self)} "
                f"against {_line_text(other)}; compare versions of one line"
            )
        less: bool = self.key < other.key
        return less

    def __str__(self) -> str:
        return self.tag

    def __repr__(self) -> str:
        return f"parse({self.tag!r})" if self.mode == "docker" else f"parse({self.tag!r}, {self.mode!r})"


def bare_prefix(prefix: str) -> str:
    """*prefix* without the v before the number: ``v`` gives ``""``, ``release-v`` gives ``release-``."""
    if prefix[-1:] in ("v", "V") and prefix[-2:-1] in ("", "-", "_", "."):
        return prefix[:-1]
    return prefix


def _line_text(version: Version) -> str:
    prefix, variant, scheme = version.line
    return f"prefix {prefix!r}, variant {variant!r}, scheme {scheme}, mode {version.mode}"
