"""The rules for tags one by one: each gives a function that says what is wrong with a version, or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from octossh.errors import ModelError
from octossh.versions.explanations import Verdict
from octossh.versions.ranges import Range
from octossh.versions.tags import Version, bare_prefix

__all__ = [
    "NO_VERSION",
    "AmbiguousScheme",
    "Fault",
    "Sieve",
    "floating_fault",
    "prefix_fault",
    "prerelease_fault",
    "range_fault",
    "rank",
    "scheme_fault",
    "schemes",
    "tag_fault",
    "variant_fault",
]

Fault = Callable[[Version], str]

NO_VERSION = {
    "artifact": "is a signature or an attestation, not an image",
    "sha": "is a commit, which has no order",
    "ci": "is of a build server: a branch, a pull request or a commit",
    "word": "is a word, not a version",
    "other": "is not of the form that the mode reads",
    "undated": "has no time of its own to go by",
}


class AmbiguousScheme(ModelError):
    """The tags count in two ways, and nothing tells which of them is the newer one."""


class Sieve:
    """The versions that are left, and what fell through, rule after rule."""

    def __init__(self) -> None:
        self.left: list[Version] = []
        self.out: list[list[Verdict]] = [[]]

    def keep(self, rule: str, fault: Fault | None) -> None:
        """Keep the versions for which *fault* finds nothing to say; all of them if there is no *fault*."""
        if fault is None:
            return
        left, out = [], []
        for version in self.left:
            reason = fault(version)
            if reason:
                out.append(Verdict(version.tag, version, accepted=False, reason=reason, rule=rule))
            else:
                left.append(version)
        self.left = left
        self.out.append(out)


def rank(version: Version) -> tuple[Any, ...]:
    """What versions of one scheme are sorted by, so that the outcome never hangs on the order of the list."""
    return (version.key, version.tag)


def _unlike(what: str, found: str, wanted: str) -> str:
    has = f"has the {what} {found!r}" if found else f"has no {what}"
    return f"{has}, and {repr(wanted) if wanted else 'none'} is wanted"


def tag_fault(pattern: re.Pattern[str] | None) -> Fault | None:
    """Of tags that the pattern is not found in."""
    if pattern is None:
        return None
    reason = f"does not match the tag rule {pattern.pattern!r}"
    return lambda v: "" if pattern.search(v.tag) else reason


def prefix_fault(prefix: str) -> Fault:
    """Of versions with another prefix, but for a v."""
    wanted = bare_prefix(prefix)
    return lambda v: "" if bare_prefix(v.prefix) == wanted else _unlike("prefix", v.prefix, prefix)


def variant_fault(variant: str) -> Fault | None:
    """Of versions with another variant; a star stands for a number, or, alone, for all of them."""
    wanted = variant.lower()
    if wanted == "*":
        return None
    if "*" not in wanted:
        return lambda v: "" if v.variant == wanted else _unlike("variant", v.variant, variant)
    pattern = re.compile("[0-9.]*".join(map(re.escape, re.split(r"\*+", wanted))))
    return lambda v: "" if pattern.fullmatch(v.variant) else _unlike("variant", v.variant, variant)


def range_fault(within: Range | None) -> Fault | None:
    """Of versions outside of the range."""
    if within is None:
        return None
    reason = f"is outside the range {within}"
    return lambda v: "" if within.contains(v) else reason


def floating_fault(versions: Sequence[Version]) -> Fault:
    """Of tags that move, since a longer one of their line goes on from them: 16 next to 16.2.1."""
    longer: dict[tuple[Any, ...], str] = {}
    for version in sorted(versions, key=rank):  # the newest is the example that stays
        if version.kind == "dotted":
            for length in range(1, len(version.release)):
                longer[version.line, version.release[:length]] = version.tag

    def fault(version: Version) -> str:
        if version.build or version.post or len(version.pre) > 1:
            return ""
        other = longer.get((version.line, version.release))
        return f"floats: it moves, since there is {other}" if other is not None else ""

    return fault


def schemes(versions: Sequence[Version]) -> Callable[[Version], str]:
    """How each version counts, seen together: a lone number says little by itself."""
    alone = all(len(version.release) == 1 for version in versions)

    def scheme(version: Version) -> str:
        if len(version.release) > 1 or version.scheme not in ("dotted", "calver"):
            return version.scheme
        # Nothing but numbers; or 1809 among 1.2.3, and no year and no major version is that large.
        large = version.scheme == "dotted" and version.release[0] >= 1000
        return "number" if alone or large else version.scheme

    return scheme


def scheme_fault(
    versions: Sequence[Version], counts: Callable[[Version], str], scheme: str | None
) -> tuple[Fault, str]:
    """Of versions that count in another way than *scheme*, or than the only way that there is.

    Where there are two, and *scheme* does not say which one to follow, none passes, and the text says why.
    """
    present = Counter(map(counts, versions))
    if scheme is not None:
        return lambda v: "" if scheme in (v.scheme, counts(v)) else f"counts as {counts(v)}, not as {scheme}", ""
    pointed = [name for name in ("dotted", "calver", "semver") if name in present]
    rivals = pointed or sorted(present)
    if len(rivals) > 1:
        examples = {counts(version): version.tag for version in sorted(versions, key=rank)}
        found = (f"{name} ({present[name]} tags such as {examples[name]!r})" for name in sorted(rivals))
        advice = " or ".join(f"scheme={name!r}" for name in sorted(rivals))
        why = f"the tags count in two ways, {' and '.join(found)}, and it is open which is newer; say {advice}"
        return lambda v: f"counts as {counts(v)}, and others do not", why
    only = rivals[0] if rivals else ""
    return lambda v: "" if counts(v) == only else f"counts as {counts(v)}, and there are {only} versions", ""


def prerelease_fault(pattern: re.Pattern[str] | None, within: Range | None) -> Fault | None:
    """Of prereleases that nobody asked for, and of what else the pattern is not found in."""
    pinned = within.exact if within is not None else None
    if pinned is not None and pinned.is_prerelease:
        return None
    if pattern is None:
        return lambda v: f"is a prerelease: {v.prerelease}" if v.is_prerelease else ""

    def fault(version: Version) -> str:
        if pattern.search(version.prerelease):
            return ""
        found = f"the prerelease {version.prerelease}" if version.is_prerelease else "stable"
        return f"is {found}, which the rule {pattern.pattern!r} leaves out"

    return fault
