"""Choosing one tag among all that a registry has, and saying why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.versions.modes import find_mode
from octossh.versions.ranges import Range
from octossh.versions.tags import Version, bare_prefix, check_tag

__all__ = ["AmbiguousScheme", "Explanation", "Verdict", "choose", "explain"]

_SCHEMES = ("dotted", "calver", "date", "number", "semver")
_ROWS = 100


class AmbiguousScheme(ModelError):
    """The tags count in two ways, and nothing tells which of them is the newer one."""


@frozen
class Verdict:
    """What became of one tag.

    Attributes:
        tag: The tag.
        version: What it says. None: no registry can hold such a tag.
        accepted: Whether it passed every rule.
        reason: Why, or why not.
    """

    tag: str
    version: Version | None
    accepted: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The verdict as what JSON can hold."""
        version = self.version.to_dict() if self.version is not None else None
        return {"tag": self.tag, "version": version, "accepted": self.accepted, "reason": self.reason}


@frozen(repr=False)
class Explanation:
    """A choice with its reasons. Printing it gives a table.

    Attributes:
        chosen: The newest version that passed every rule. None: no tag did.
        verdicts: One for each tag: those that passed, newest first, then the others, the nearest miss first.
    """

    chosen: Version | None
    verdicts: tuple[Verdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """The explanation as what JSON can hold."""
        chosen = self.chosen.tag if self.chosen is not None else None
        return {"chosen": chosen, "verdicts": [verdict.to_dict() for verdict in self.verdicts]}

    def __str__(self) -> str:
        accepted = sum(verdict.accepted for verdict in self.verdicts)
        head = f"chosen: {self.chosen}" if self.chosen is not None else "chosen: none"
        lines = [f"{head} ({len(self.verdicts)} tags, {accepted} passed)"]
        shown = self.verdicts[:_ROWS]
        width = min(max((len(verdict.tag) for verdict in shown), default=0), 60)
        lines += [f"  {'+' if v.accepted else '-'} {v.tag:<{width}}  {v.reason}" for v in shown]
        if len(self.verdicts) > _ROWS:
            lines.append(f"  … and {len(self.verdicts) - _ROWS} more; verdicts has them all")
        return "\n".join(lines)

    def __repr__(self) -> str:
        accepted = sum(verdict.accepted for verdict in self.verdicts)
        chosen = self.chosen.tag if self.chosen is not None else None
        return f"<Explanation chosen={chosen!r} accepted={accepted} rejected={len(self.verdicts) - accepted}>"


class _Sieve:
    """The versions that are left, and what fell through, rule after rule."""

    def __init__(self) -> None:
        self.left: list[Version] = []
        self.out: list[list[Verdict]] = [[]]

    def keep(self, fault: Callable[[Version], str]) -> None:
        """Keep the versions for which *fault* finds nothing to say."""
        left, out = [], []
        for version in self.left:
            reason = fault(version)
            if reason:
                out.append(Verdict(version.tag, version, accepted=False, reason=reason))
            else:
                left.append(version)
        self.left = left
        self.out.append(out)


def choose(
    tags: Iterable[str],
    *,
    range: str | None = None,  # noqa: A002
    variant: str = "",
    prefix: str | None = None,
    prerelease: str | None = None,
    tag: str | None = None,
    scheme: str | None = None,
    mode: str = "docker",
) -> Version | None:
    """The newest of *tags* that every rule lets through; the rules are those of `explain`.

    Returns:
        The version, or None if no tag is left.

    Raises:
        ModelError: A rule is wrong.
        AmbiguousScheme: The tags count in two ways, and *scheme* does not say which one to follow.

    Examples:
        >>> str(choose(["latest", "1.27", "1.27.0", "1.26.4", "1.28.0-rc.1", "1.28.0-alpine"]))
        '1.27.0'
    """
    explanation = explain(
        tags,
        range=range,
        variant=variant,
        prefix=prefix,
        prerelease=prerelease,
        tag=tag,
        scheme=scheme,
        mode=mode,
    )
    return explanation.chosen


def explain(
    tags: Iterable[str],
    *,
    range: str | None = None,  # noqa: A002
    variant: str = "",
    prefix: str | None = None,
    prerelease: str | None = None,
    tag: str | None = None,
    scheme: str | None = None,
    mode: str = "docker",
) -> Explanation:
    """Choose like `choose`, and say of every tag what became of it.

    Tags that float, such as ``1.27`` next to ``1.27.0``, are left out: they move.

    Args:
        tags: As the registry lists them, in any order. What is no tag at all is rejected with its reason.
        range: An interval such as ``[1.0,2.0)``. Default: every version.
        variant: The text after the version, to the letter. ``*`` in it stands for any number with dots, so
            ``alpine*`` takes ``alpine3.20`` and not ``alpine-perl``; a lone ``*`` takes every variant.
            Default: no variant.
        prefix: The text before the version. Default: none or ``v``. Of two equal tags, the one with this very
            prefix wins; without it, the form that most tags have.
        prerelease: A regular expression that is searched for in the label, such as ``^rc`` for ``rc.1``.
            Stable versions have the label ``""``, so ``^(|rc.*)$`` takes both. Case does not matter.
            Default: stable versions only. What the range names alone, as ``[2.0-rc.1]``, passes.
        tag: A regular expression that is searched for in the tag itself. Default: every tag.
        scheme: ``dotted``, ``calver``, ``date`` or ``number``. Default: the only one that there is; dates and
            plain numbers give way to versions with dots.
        mode: How to read tags and range: ``docker`` or ``semver``.

    Raises:
        ModelError: A rule is wrong.
        AmbiguousScheme: The tags count in two ways, and *scheme* does not say which one to follow.
    """
    rules = _Rules(
        within=Range.parse(range, mode) if range is not None else None,
        variant=_checked("variant", variant),
        prefix=_checked("prefix", prefix) if prefix is not None else None,
        prerelease=_compiled(prerelease, "prerelease", re.IGNORECASE),
        tag=_compiled(tag, "tag"),
        scheme=scheme,
        mode=mode,
    )
    return rules.judge(tags)


@frozen
class _Rules:
    """What a tag has to be, and the order in which that is asked."""

    within: Range | None
    variant: str
    prefix: str | None
    prerelease: re.Pattern[str] | None
    tag: re.Pattern[str] | None
    scheme: str | None = field()
    mode: str

    @scheme.validator
    def _known(self, _attribute: object, scheme: str | None) -> None:
        if scheme is not None and scheme not in _SCHEMES:
            raise ModelError(f"there is no scheme {scheme!r} of versions; {did_you_mean(str(scheme), _SCHEMES)}")

    def judge(self, tags: Iterable[str]) -> Explanation:
        sieve = _read(tags, self.mode)
        sieve.keep(lambda v: "" if v.is_version else _NO_VERSION[v.kind])
        sieve.keep(_tag_rule(self.tag))
        sieve.keep(_prefix_rule(self.prefix or ""))
        sieve.keep(_variant_rule(self.variant))
        counts = _schemes(sieve.left)
        sieve.keep(_floating_rule(sieve.left))
        sieve.keep(_range_rule(self.within))
        # After the range: [10,11) leaves nothing of 2021.12.16 that could be mistaken.
        sieve.keep(_scheme_rule(sieve.left, counts, self.scheme))
        sieve.keep(_prerelease_rule(self.prerelease, self.within))
        return _conclude(sieve, self.prefix)


_NO_VERSION = {
    "artifact": "is a signature or an attestation, not an image",
    "sha": "is a commit, which has no order",
    "ci": "is of a build server: a branch, a pull request or a commit",
    "word": "is a word, not a version",
}


def _checked(what: str, text: str) -> str:
    if not isinstance(text, str):
        raise ModelError(f"the {what} {text!r} is not text; give '' for tags without one")
    return text


def _compiled(pattern: str | None, name: str, flags: int = 0) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        place = f" at position {error.pos + 1}" if error.pos is not None else ""
        what = f"{place}: {error.msg}"
    except (TypeError, OverflowError, RecursionError) as error:
        what = f": {error}"
    raise ModelError(f"the {name} rule {pattern!r} is no regular expression{what}; mend it")


def _read(tags: Iterable[str], mode: str) -> _Sieve:
    if isinstance(tags, str | bytes):
        raise ModelError(f"the tags {tags!r} are one text; give a list of tags")
    read = find_mode(mode).read
    sieve = _Sieve()
    seen: set[str] = set()
    for tag in tags:
        name = tag if isinstance(tag, str) else repr(tag)
        if name in seen:
            continue
        seen.add(name)
        try:
            sieve.left.append(read(check_tag(tag)))
        except ModelError as error:
            sieve.out[0].append(Verdict(name, None, accepted=False, reason=str(error)))
    return sieve


def _unlike(what: str, found: str, wanted: str) -> str:
    has = f"has the {what} {found!r}" if found else f"has no {what}"
    return f"{has}, and {repr(wanted) if wanted else 'none'} is wanted"


def _tag_rule(pattern: re.Pattern[str] | None) -> Callable[[Version], str]:
    if pattern is None:
        return lambda _version: ""
    return lambda v: "" if pattern.search(v.tag) else f"does not match the tag rule {pattern.pattern!r}"


def _prefix_rule(prefix: str) -> Callable[[Version], str]:
    wanted = bare_prefix(prefix)
    return lambda v: "" if v.line[0] == wanted else _unlike("prefix", v.prefix, prefix)


def _variant_rule(variant: str) -> Callable[[Version], str]:
    wanted = variant.lower()
    if wanted == "*":
        return lambda _version: ""
    if "*" not in wanted:
        return lambda v: "" if v.variant == wanted else _unlike("variant", v.variant, variant)
    pattern = re.compile("[0-9.]*".join(map(re.escape, re.split(r"\*+", wanted))))
    return lambda v: "" if pattern.fullmatch(v.variant) else _unlike("variant", v.variant, variant)


def _range_rule(within: Range | None) -> Callable[[Version], str]:
    if within is None:
        return lambda _version: ""
    return lambda v: "" if within.contains(v) else f"is outside the range {within}"


def _schemes(versions: list[Version]) -> Callable[[Version], str]:
    """How each version counts, seen together: a lone number says little by itself."""
    alone = all(len(version.release) == 1 for version in versions)

    def scheme(version: Version) -> str:
        if len(version.release) > 1 or version.scheme not in ("dotted", "calver"):
            return version.scheme
        # Nothing but numbers; or 1809 among 1.2.3, and no year and no major version is that large.
        large = version.scheme == "dotted" and version.release[0] >= 1000
        return "number" if alone or large else version.scheme

    return scheme


def _floating_rule(versions: list[Version]) -> Callable[[Version], str]:
    """A tag moves if a longer one of its line goes on from it: 16 next to 16.2.1."""
    longer: dict[tuple[Any, ...], str] = {}
    for version in sorted(versions, key=_rank):  # the newest is the example that stays
        if version.kind == "dotted":
            for length in range(1, len(version.release)):
                longer[version.line, version.release[:length]] = version.tag

    def fault(version: Version) -> str:
        if version.build or version.post or len(version.pre) > 1:
            return ""
        other = longer.get((version.line, version.release))
        return f"floats: it moves, since there is {other}" if other is not None else ""

    return fault


def _scheme_rule(
    versions: list[Version], counts: Callable[[Version], str], scheme: str | None
) -> Callable[[Version], str]:
    present = Counter(map(counts, versions))
    if scheme is not None:
        return lambda v: "" if scheme in (v.scheme, counts(v)) else f"counts as {counts(v)}, not as {scheme}"
    pointed = [name for name in ("dotted", "calver", "semver") if name in present]
    rivals = pointed or sorted(present)
    if len(rivals) > 1:
        examples = {counts(version): version.tag for version in sorted(versions, key=_rank)}
        found = (f"{name} ({present[name]} tags such as {examples[name]!r})" for name in sorted(rivals))
        advice = " or ".join(f"scheme={name!r}" for name in sorted(rivals))
        raise AmbiguousScheme(
            f"the tags count in two ways, {' and '.join(found)}, and it is open which is newer; say {advice}"
        )
    only = rivals[0] if rivals else ""
    return lambda v: "" if counts(v) == only else f"counts as {counts(v)}, and there are {only} versions"


def _prerelease_rule(pattern: re.Pattern[str] | None, within: Range | None) -> Callable[[Version], str]:
    pinned = within.exact if within is not None else None
    if pinned is not None and pinned.is_prerelease:
        return lambda _version: ""
    if pattern is None:
        return lambda v: f"is a prerelease: {v.prerelease}" if v.is_prerelease else ""

    def fault(version: Version) -> str:
        if pattern.search(version.prerelease):
            return ""
        found = f"the prerelease {version.prerelease}" if version.is_prerelease else "stable"
        return f"is {found}, which the rule {pattern.pattern!r} leaves out"

    return fault


def _conclude(sieve: _Sieve, prefix: str | None) -> Explanation:
    forms = Counter(version.prefix for version in sieve.left)
    form = prefix if prefix is not None else max(sorted(forms), key=forms.__getitem__, default="")
    ranked = sorted(sieve.left, key=lambda v: (v.prefix != form, v.tag))
    ranked.sort(key=lambda v: v.key, reverse=True)
    verdicts = [
        Verdict(version.tag, version, accepted=True, reason=_place(version, ranked[0], first=not index))
        for index, version in enumerate(ranked)
    ]
    for fallen in reversed(sieve.out):  # the last rule has the nearest misses
        verdicts += sorted(
            sorted(fallen, key=lambda verdict: verdict.tag),
            key=lambda verdict: verdict.version.key if verdict.version is not None else (),
            reverse=True,
        )
    return Explanation(ranked[0] if ranked else None, tuple(verdicts))


def _rank(version: Version) -> tuple[Any, ...]:
    return (version.key, version.tag)


def _place(version: Version, best: Version, *, first: bool) -> str:
    if first:
        short = version.kind == "dotted" and len(version.release) < 3
        floats = short and not (version.build or version.post or version.pre)
        return "chosen" + ("; so short a number may float, though no longer one is there" if floats else "")
    if version.key == best.key:
        return f"is equal to {best}"
    return "passed, and is older"
