"""Choosing one tag among all that a registry has, and saying why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Unpack

from octossh.errors import ModelError, did_you_mean
from octossh.versions import guards, sieving
from octossh.versions.explanations import Explanation, Verdict, counted
from octossh.versions.guards import Created, Times
from octossh.versions.modes import find_mode
from octossh.versions.ranges import Range
from octossh.versions.rules import Rule, RuleFields, compiled
from octossh.versions.sieving import AmbiguousScheme, Fault, Sieve
from octossh.versions.tags import Version, bare_prefix, check_tag

__all__ = ["choose", "explain", "judge"]


def choose(
    tags: Iterable[str],
    *,
    current: str | None = None,
    created: Created | None = None,
    now: datetime | None = None,
    **rule: Unpack[RuleFields],
) -> Version | None:
    """The newest of *tags* that every rule lets through; arguments and rules are those of `explain`.

    Returns:
        The version, or None if no tag is left.

    Raises:
        ModelError: A rule is wrong.
        AmbiguousScheme: The tags count in two ways, and *scheme* does not say which one to follow.

    Examples:
        >>> str(choose(["latest", "1.27", "1.27.0", "1.26.4", "1.28.0-rc.1", "1.28.0-alpine"]))
        '1.27.0'
    """
    found = judge(Rule(**rule), tags, current=current, created=created, now=now)
    if found.ambiguous:
        raise AmbiguousScheme(found.ambiguous)
    return found.chosen


def explain(
    tags: Iterable[str],
    *,
    current: str | None = None,
    created: Created | None = None,
    now: datetime | None = None,
    **rule: Unpack[RuleFields],
) -> Explanation:
    """Choose like `choose`, and say of every tag what became of it.

    Tags that float, such as ``1.27`` next to ``1.27.0``, are left out: they move. Where tags count in two ways and
    *scheme* does not say which one to follow, none is chosen, and `Explanation.ambiguous` says why.

    Args:
        tags: As the registry lists them, in any order. What is no tag at all is rejected with its reason.
        current: The tag that runs now. Its variant and prefix are kept unless others are given, and no older
            version is taken unless *downgrade* is true. Where the two count in different ways, such as 0.118
            and 2020.12, neither is older.
        created: When tags were made: a mapping from tag to an aware datetime, or a function that takes a list
            of tags and returns such a mapping. It is asked late and for few tags; a time before 2013, as
            reproducible builds have, counts as unknown.
        now: From when on the age is counted back. Default: now.
        **rule: The fields of `Rule`: *range*, *variant*, *prefix*, *prerelease*, *tag*, *scheme*, *mode*,
            *downgrade*, *max_major_jump*, *min_age_days*.

    Raises:
        ModelError: A rule is wrong, or needs times and *created* is not given.
    """
    return judge(Rule(**rule), tags, current=current, created=created, now=now)


def judge(
    rule: Rule,
    tags: Iterable[str],
    *,
    current: str | None = None,
    created: Created | None = None,
    now: datetime | None = None,
) -> Explanation:
    """What `explain` does, with the rules as one value."""
    if created is None and (rule.min_age_days or rule.mode == "created"):
        what = "min_age_days" if rule.min_age_days else "mode 'created'"
        raise ModelError(f"{what} needs to know when tags were made; give created={{tag: time}}")
    times = Times(created)
    sieve, names = _names(tags)
    read = _reader(rule, names, current, times)
    sieve.left = [read(name) for name in names]
    running = read(check_tag(current)) if current is not None else None
    by_version: Fault = lambda v: "" if v.is_version else sieving.NO_VERSION[v.kind]  # noqa: E731
    faults = [("version", by_version), ("tag", sieving.tag_fault(compiled(rule.tag, "tag")))]
    # Of tags that need not be looked at nobody has asked for the time.
    for name, fault in reversed(faults) if rule.mode == "created" else faults:
        sieve.keep(name, fault)
    notes = _keep_line(sieve, rule, running)
    ambiguous = _keep_comparable(sieve, rule)
    if running is not None:
        notes += _keep_newer(sieve, rule, running)
    form = running.prefix if rule.prefix is None and running is not None else rule.prefix
    if rule.min_age_days:
        ranked = _ranked(sieve.left, form)
        guards.keep_old_enough(sieve, ranked, times, rule.min_age_days, now or datetime.now(UTC))
    return _conclude(sieve, form, notes, ambiguous)


def _names(tags: Iterable[str]) -> tuple[Sieve, list[str]]:
    """The tags, each once, and a sieve that what can be no tag has fallen through."""
    if isinstance(tags, str | bytes):
        raise ModelError(f"the tags {tags!r} are one text; give a list of tags")
    sieve = Sieve()
    names: dict[str, None] = {}
    faulty: dict[str, str] = {}
    for tag in tags:
        try:
            names[check_tag(tag)] = None
        except ModelError as error:
            faulty[tag if isinstance(tag, str) else repr(tag)] = str(error)
    sieve.out[0] = [Verdict(name, None, accepted=False, reason=why, rule="invalid") for name, why in faulty.items()]
    return sieve, list(names)


def _reader(rule: Rule, names: Sequence[str], current: str | None, times: Times) -> Callable[[str], Version]:
    """What reads tags; where it goes by times, those of the tags that they could matter for."""
    if rule.mode != "created":
        return find_mode(rule.mode).read
    undated = find_mode("created", {}).read
    pattern = compiled(rule.tag, "tag")
    asked = [n for n in names if (pattern is None or pattern.search(n)) and undated(n).kind == "undated"]
    if times.costly and len(asked) > guards.MOST:
        raise ModelError(
            f"mode 'created' would ask when {len(asked)} tags were made, one by one, and {guards.MOST} is the most; "
            "say with tag= which of them it is about"
        )
    if current is not None and (current in names or not times.costly):  # it may have vanished
        asked.append(current)
    return find_mode("created", times.of(asked)).read


def _keep_line(sieve: Sieve, rule: Rule, running: Version | None) -> list[str]:
    """Keep the line that is wanted, or that runs now; what to say if there is none."""
    notes = []
    prefix, variant = rule.prefix, rule.variant
    if prefix is None:
        prefix = running.prefix if running is not None else ""
    if variant is None:
        variant = running.variant if running is not None else ""
    found = [bare_prefix(version.prefix) for version in sieve.left]
    sieve.keep("prefix", sieving.prefix_fault(prefix))
    if found and not sieve.left:
        notes.append(_missing("prefix", bare_prefix(prefix), found))
    found = [version.variant for version in sieve.left]
    sieve.keep("variant", sieving.variant_fault(variant))
    if found and not sieve.left:
        notes.append(_missing("variant", variant, found))
    return notes


def _missing(what: str, wanted: str, found: Sequence[str]) -> str:
    if not wanted:
        return f"every version has a {what}; name one of {counted(found)}"
    return f"no version has the {what} {wanted!r}; {did_you_mean(wanted, set(found) - {''})} There are {counted(found)}"


def _keep_comparable(sieve: Sieve, rule: Rule) -> str:
    """Keep what counts in one way, is in the range, and is as stable as is wanted; why it is open which way."""
    within = Range.parse(rule.range, rule.mode) if rule.range is not None else None
    counts = sieving.schemes(sieve.left)
    sieve.keep("floating", sieving.floating_fault(sieve.left))
    sieve.keep("range", sieving.range_fault(within))
    # After the range: [10,11) leaves nothing of 2021.12.16 that could be mistaken.
    fault, ambiguous = sieving.scheme_fault(sieve.left, counts, rule.scheme)
    sieve.keep("scheme", fault)
    pattern = compiled(rule.prerelease, "prerelease", re.IGNORECASE)
    sieve.keep("prerelease", sieving.prerelease_fault(pattern, within))
    return ambiguous


def _keep_newer(sieve: Sieve, rule: Rule, running: Version) -> list[str]:
    """Apply the guards that look at what runs now; what to say where they cannot."""
    if not sieve.left or (rule.downgrade and rule.max_major_jump is None):
        return []
    if not guards.comparable(sieve.left, running):
        why = "counts in another way" if running.is_version else sieving.NO_VERSION[running.kind]
        return [f"the current tag {running.tag} {why}, so nothing tells whether a version is older"]
    if not rule.downgrade:
        sieve.keep("downgrade", guards.downgrade_fault(running))
    if rule.max_major_jump is not None:
        sieve.keep("max_major_jump", guards.jump_fault(running, rule.max_major_jump))
    return []


def _ranked(versions: Sequence[Version], form: str | None) -> list[Version]:
    """The newest first; of equal ones first the wanted or commonest form, then the most exact one."""
    if form is None:
        forms = Counter(version.prefix for version in versions)
        form = max(sorted(forms), key=forms.__getitem__, default="")
    ranked = sorted(versions, key=lambda v: (v.prefix != form, -v.tag.count("."), v.tag))
    ranked.sort(key=lambda version: version.key, reverse=True)
    return ranked


def _conclude(sieve: Sieve, form: str | None, notes: Sequence[str], ambiguous: str) -> Explanation:
    ranked = _ranked(sieve.left, form)
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
    return Explanation(ranked[0] if ranked else None, tuple(verdicts), tuple(notes), ambiguous)


def _place(version: Version, best: Version, *, first: bool) -> str:
    if first:
        short = version.kind == "dotted" and len(version.release) < 3
        floats = short and not (version.build or version.post or version.pre)
        return "chosen" + ("; so short a number may float, though no longer one is there" if floats else "")
    if version.key == best.key:
        return f"is equal to {best}"
    return "passed, and is older"
