"""Laws of the order of versions, for tags nobody has thought of."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.errors import ModelError
from octossh.versions import Range, Version, choose, explain, parse
from octossh.versions.intervals import Interval, at_least, below, beyond, complement, intersection, union, up_to
from octossh.versions.modes import MODES

numbers = st.integers(0, 12).map(str)
separators = st.sampled_from(["", ".", "-", "_"])
WORDS = (
    "rc alpha a b beta c m M ea preview dev snapshot nightly post p u security r ls k3s eksbuild final ce alpine "
    "slim jdk debian g0a1b2c3 0a1b2c3 20240115 git x"
)
words = st.sampled_from(WORDS.split())
releases = st.lists(numbers, min_size=1, max_size=4).map(".".join)
tails = st.lists(st.tuples(separators, st.one_of(words, numbers)).map("".join), max_size=4).map("".join)
prefixes = st.sampled_from(["", "", "", "v", "V", "release-", "jammy-v"])
dates = st.dates().map(lambda day: day.strftime("%Y%m%d"))
versions_like = st.tuples(prefixes, st.one_of(releases, dates), tails).map("".join)
tag_text = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
tags = st.one_of(versions_like, tag_text)
REGEX = (
    r"regex:(?P<prefix>[a-z]+-)?v?(?P<release>\d+(?:\.\d+)*)(?:-?(?P<prerelease>(?:rc|x)[.\d]*))?(?:_(?P<build>\d+))?"
    r"(?:-(?P<variant>[a-z].*))?"
)
modes = st.sampled_from([*MODES, REGEX])
semver_like = st.tuples(
    st.sampled_from(["1.0.0", "1.0.1", "v1.0.0"]),
    st.lists(st.sampled_from(["0", "1", "10", "9", "a", "rc1", "rc9", "rc10", "-"]), max_size=3).map(".".join),
).map(lambda parts: "-".join(filter(None, parts)))
octopus_like = st.tuples(
    st.sampled_from(["1", "1.0", "v1.0.0.0", "1.1", ""]),
    st.lists(
        st.sampled_from(["0", "1", "10", "rc1", "RC1", "rc-1", "alpha", "latest", "007", "7", "2147483648"]), max_size=3
    ).map(".".join),
).map(lambda parts: "-".join(filter(None, parts)) or "latest")
python_like = st.tuples(
    st.sampled_from(["1", "1.0", "v1.0", "1.1"]), *(
        st.sampled_from([""] * 3 + [word + str(number) for word in words.split() for number in (1, 2, 10)])
        for words in ("a b rc -alpha c", ".post -", ".dev")
    )
).map("".join)  # fmt: skip
date_like = st.tuples(
    st.sampled_from(["20240115", "2024-01-15", "2024.1.15", "20240116"]),
    st.sampled_from(["", "", "T1200", "-1200Z", ".1", "-2"]),
).map("".join)
LIKE = {
    "semver": semver_like,
    "octopus": octopus_like,
    "pep440": python_like,
    "date": date_like,
    "numeric": st.integers(0, 200).flatmap(lambda n: st.sampled_from([str(n), f"v{n}", f"00{n}"])),
    "alphabetical": tag_text,
}
times = st.sampled_from([datetime(2024, 1, 15, hour, tzinfo=UTC) for hour in range(4)])


@st.composite
def lines(draw: st.DrawFn) -> list[Version]:
    """Versions of one line: the largest line among some texts."""
    mode = draw(st.one_of(modes, st.just("created")))
    texts = draw(st.lists(LIKE.get(mode, versions_like), min_size=8, max_size=20))
    created = {text: draw(times) for text in texts} if mode == "created" else None
    found: dict[tuple[str, str, str], list[Version]] = {}
    for version in (parse(text, mode, created=created) for text in texts):
        if version.is_version:
            found.setdefault(version.line, []).append(version)
    return max(found.values(), key=len, default=[])


@given(lines())
def test_exactly_one_of_less_equal_and_greater_holds_in_a_line(line):
    for one, other in itertools.product(line, line):
        assert (one < other) + (one == other) + (one > other) == 1
        assert (one < other) == (other > one)
        assert (one <= other) == (one < other or one == other)


@given(lines())
def test_the_order_in_a_line_is_transitive(line):
    for one, two, three in itertools.product(line[:6], repeat=3):
        if one <= two and two <= three:
            assert one <= three
        if one == two and two == three:
            assert one == three


@given(lines())
def test_equal_versions_have_one_hash_and_one_label(line):
    for one, other in itertools.combinations(line, 2):
        if one == other:
            assert hash(one) == hash(other)
            # Octopus holds rc.1, rc-1 and RC.1 for the same.
            assert one.prerelease == other.prerelease or one.mode == "octopus"
            assert one.is_prerelease == other.is_prerelease


@given(tags, tags)
def test_versions_of_two_lines_are_neither_equal_nor_comparable(one, other):
    a, b = parse(one), parse(other)
    if a.is_version and b.is_version and a.line == b.line:
        assert isinstance(a < b, bool)
    else:
        assert a != b or a.tag == b.tag
        with pytest.raises(TypeError):
            _ = a < b


@given(tags, modes)
def test_a_version_comes_back_from_its_text(tag, mode):
    version = parse(tag, mode)
    assert version.tag == str(version) == tag
    assert parse(str(version), mode) == version
    assert hash(parse(str(version), mode)) == hash(version)


@given(
    st.sampled_from(["", "v", "release-", "jammy-"]),
    st.lists(st.integers(0, 300), min_size=2, max_size=5),
    st.sampled_from(["", "rc", "beta", "alpha", "preview"]),
    st.integers(0, 20),
    st.one_of(st.none(), st.integers(0, 20)),
    st.sampled_from(["", "alpine", "alpine3.20", "slim-bookworm", "jdk", "php8.2-apache", "debian-12"]),
)
def test_a_tag_put_together_of_parts_has_these_parts(prefix, release, word, counter, build, variant):
    tail = [f"{word}.{counter}"] * bool(word) + [variant] * bool(variant) + [f"r{build}"] * (build is not None)
    version = parse("-".join([prefix + ".".join(map(str, release)), *tail]))
    assert version.prefix == prefix
    assert version.release == tuple(release)
    assert version.prerelease == (f"{word}.{counter}" if word else "")
    assert version.build == (() if build is None else (build,))
    assert version.variant == variant


@given(st.text(), modes)
def test_any_text_is_read_or_refused_with_a_model_error(text, mode):
    with contextlib.suppress(ModelError):
        version = parse(text, mode)
        assert version.to_dict()["tag"] == text
        assert version.is_version == bool(version.scheme) == bool(version.key)
        assert version.is_version == bool(version.release) or mode == "alphabetical"


@given(tag_text, modes)
def test_every_tag_of_the_grammar_is_read(tag, mode):
    assert parse(tag, mode).tag == tag


bounds = st.one_of(releases, versions_like, st.just(""), st.text(max_size=4))
intervals = st.tuples(
    st.sampled_from(["[", "(", ""]), bounds, st.sampled_from([",", ", ", ""]), bounds, st.sampled_from(["]", ")", ""])
).map("".join)
comparisons = st.tuples(
    st.sampled_from(["", "nuget:", "pep440:", "npm:"]),
    st.lists(
        st.tuples(
            st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "~=", "===", "^", "~", "~>", "=", "", " - ", "|| "]),
            st.one_of(bounds, st.sampled_from(["1.x", "*", "1.2.*", "x"])),
        ).map("".join),
        max_size=3,
    ).map(list),
    st.sampled_from([",", " ", " || ", ", "]),
).map(lambda parts: parts[0] + parts[2].join(parts[1]))
some_ranges = st.one_of(intervals, comparisons)


@given(st.one_of(some_ranges, st.text()), st.lists(tags), st.one_of(modes, st.just("created")))
def test_any_text_is_a_range_or_refused_with_a_model_error(text, some, mode):
    with contextlib.suppress(ModelError):
        interval = Range.parse(text, mode)
        assert Range.parse(str(interval), mode) == interval
        for tag in some:
            assert interval.contains(parse(tag, mode, created={})) in (True, False)


@given(some_ranges, some_ranges, st.lists(tags))
def test_ranges_with_a_version_in_common_overlap(one, other, some):
    with contextlib.suppress(ModelError):
        a, b = Range.parse(one), Range.parse(other)
        assert a.overlaps(a)
        assert a.overlaps(b) == b.overlaps(a)
        if any(a.contains(version) and b.contains(version) for version in map(parse, some)):
            assert a.overlaps(b)


plain = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda numbers: ".".join(map(str, numbers)))
spans = st.lists(st.tuples(plain, plain, st.booleans(), st.booleans()), max_size=4)


def span(lower: str, upper: str, closed: bool, shut: bool) -> Interval:
    a, b = parse(lower), parse(upper)
    return Interval(at_least(a) if closed else beyond(a), up_to(b) if shut else below(b))


@given(spans, spans, plain, st.sampled_from(["", "-rc.1", "-5"]))
def test_unions_intersections_and_complements_hold_what_sets_would(some, others, release, tail):
    version = parse(release + tail)
    one, other = ([span(*each) for each in each_of] for each_of in (some, others))
    first, second = union(one), union(other)

    def holds(intervals: Iterable[Interval]) -> bool:
        return any(interval.contains(version) for interval in intervals)

    assert holds(first) == holds(one)
    assert holds(intersection(first, second)) == (holds(first) and holds(second))
    for interval in one:
        if not interval.is_empty:
            assert holds(complement(interval)) != interval.contains(version)
    for early, late in itertools.pairwise(first):
        assert early.upper is not None
        assert late.lower is not None
        assert early.upper.precedes(late.lower)


@given(releases.filter(lambda release: release.strip("0.") != ""), lines())
def test_a_version_is_below_a_bound_or_not_but_its_prereleases_are_neither(bound, line):
    below, above = Range.parse(f"(,{bound})"), Range.parse(bound)
    for version in line:
        if version.mode == "docker" and version.scheme in ("dotted", "calver"):
            its_prerelease = version.key[:1] == parse(bound).key[:1] and version.pre[:1] not in ((), ("git",))
            assert below.contains(version) + above.contains(version) == (0 if its_prerelease else 1)


@given(st.lists(st.one_of(tags, st.text(max_size=5))), st.sampled_from(["", "alpine", "alpine*", "*"]))
def test_a_choice_gives_every_tag_one_verdict_and_chooses_the_greatest(some, variant):
    with contextlib.suppress(ModelError):
        explanation = explain(some, variant=variant, prerelease=".*")
        assert sorted(v.tag for v in explanation.verdicts) == sorted(set(some))
        passed = [v.version for v in explanation.verdicts if v.accepted]
        assert [v.key for v in passed] == sorted((v.key for v in passed), reverse=True)
        assert explanation.chosen == (passed[0] if passed else None)
        assert choose(reversed(some), variant=variant, prerelease=".*") == explanation.chosen
        assert str(explanation)
