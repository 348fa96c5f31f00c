from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from octossh.errors import ModelError
from octossh.versions import Range, parse


def within(text: str, *tags: str) -> list[str]:
    interval = Range.parse(text)
    return [tag for tag in tags if interval.contains(parse(tag))]


def test_an_upper_bound_that_is_left_out_takes_its_prereleases_along():
    assert within("[1.0,2.0)", "1.9", "2.0-rc.1", "2.0.0-alpha", "2.0", "1.9-rc.1") == ["1.9", "1.9-rc.1"]


def test_an_upper_prerelease_that_is_left_out_keeps_the_ones_before_it():
    assert within("[1.0,2.0-rc.2)", "2.0-beta.1", "2.0-rc.1", "2.0-rc.2", "2.0") == ["2.0-beta.1", "2.0-rc.1"]


def test_a_bound_is_compared_by_the_parts_that_it_has():
    tags = ("1.2.3-rc.1", "1.2.3", "1.2.3-5", "1.2.3_7", "1.2.3.post1", "1.2.3-security-02", "1.2.4")
    of_123 = list(tags[1:6])
    assert within("1.2.3", *tags) == [*of_123, "1.2.4"]
    assert within("[1.2.3]", *tags) == of_123
    assert within("(1.2.3,)", *tags) == ["1.2.4"]
    assert within("(,1.2.3]", *tags) == ["1.2.3-rc.1", *of_123]
    assert within("(,1.2.3)", *tags) == []


def test_a_bound_with_a_build_tells_builds_apart():
    tags = ("1.2.3-rc.1", "1.2.3", "1.2.3-4", "1.2.3-5", "1.2.3-6")
    assert within("[1.2.3-5]", *tags) == ["1.2.3-5"]
    assert within("(1.2.3-4,1.2.3-6)", *tags) == ["1.2.3-5"]
    assert within("(,1.2.3-5)", *tags) == ["1.2.3-rc.1", "1.2.3", "1.2.3-4"]


def test_a_bound_with_a_post_release_takes_its_builds_along():
    assert within("(,1.0.post1]", "1.0", "1.0.post1", "1.0.post1-3", "1.0.post2") == ["1.0", "1.0.post1", "1.0.post1-3"]


def test_zeros_at_the_end_of_a_bound_do_not_matter():
    assert within("[1.2.0]", "1.2", "1.2.0", "1.2.0.0", "1.2.0.1") == ["1.2", "1.2.0", "1.2.0.0"]


def test_prefix_and_variant_do_not_matter_for_a_range():
    assert within("[v1.0,2.0)", "v1.5-alpine", "release-1.5", "3.0") == ["v1.5-alpine", "release-1.5"]


def test_dates_are_in_ranges_of_dates():
    tags = ("20240101", "2024-01-15T10-00-00Z", "20240201", "1234567", "1.2.3", "3000.1")
    assert within("[20240110,20240201)", *tags) == ["2024-01-15T10-00-00Z"]
    assert within("[20240110,)", *tags) == ["2024-01-15T10-00-00Z", "20240201"]
    assert within("(,20240110)", *tags, "2023.12") == ["20240101", "2023.12"]
    assert within("[1234567,)", *tags) == ["1234567"]
    assert within("(,1234567)", *tags) == ["1.2.3", "3000.1"]


def test_what_is_no_version_is_in_no_range():
    assert within("0", "latest", "0a1b2c3") == []


def test_a_range_gives_its_text_back():
    for text in ("[1.0,2.0)", "(,2.0]", "[1.2]", "1.2", "[ 1.0 , 2.0 ]", "nuget:[1.0,)"):
        assert str(Range.parse(text)) == text
        assert Range.parse(str(Range.parse(text))) == Range.parse(text)
    assert str(Range.parse("  1.2 ")) == "1.2"
    assert eval(repr(Range.parse("[1.0,2.0)"))) == Range.parse("[1.0,2.0)")
    assert repr(Range.parse("[1.0,2.0)", "semver")) == "Range.parse('[1.0,2.0)', 'semver')"
    assert pickle.loads(pickle.dumps(Range.parse("[1.0,2.0)"))) == Range.parse("[1.0,2.0)")


def test_ranges_are_equal_by_their_bounds():
    assert Range.parse("1.2") == Range.parse("[1.2,)") == Range.parse(" nuget: [ v1.2 , )")
    assert hash(Range.parse("1.2")) == hash(Range.parse("[1.2,)"))
    assert Range.parse("[1.2,)") != Range.parse("(1.2,)")


def test_a_range_with_one_version_says_which():
    assert Range.parse("[1.2-rc.1]").exact == parse("1.2-rc.1")
    assert Range.parse("1.2").exact is None
    assert Range.parse("(,1.2]").exact is None
    assert Range.parse("=1.2.3-rc.1").exact == parse("1.2.3-rc.1")
    assert Range.parse("^1.2").exact is Range.parse("!=1.2").exact is Range.parse("1.2.3 || 1.2.5").exact is None


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 1, "there is nothing"),
        ("   ", 4, "there is nothing"),
        ("[1.0,2.0", 9, "no closing bracket"),
        ("[", 2, "no closing bracket"),
        ("1.0,2.0]", 1, "no opening bracket"),
        ("(1.0)", 1, "square brackets"),
        ("[1.0)", 1, "square brackets"),
        ("[]", 2, "a version is missing"),
        ("[1.0,2.0,3.0]", 9, "one comma"),
        ("(,)", 2, "no bound is named"),
        ("[1.0, latest]", 7, "'latest' is no version"),
        ("[1.0,2.0-]", 6, "'2.0-' is no version"),
        ("[1.0,2 0]", 6, "'2 0' is no version"),
        ("[0a1b2c3]", 2, "is no version"),
        ("[1.0-alpine,2.0]", 2, "the variant 'alpine'; ask for that with variant="),
        ("[1.0,release-2.0]", 6, "the prefix 'release-'; ask for that with prefix="),
        ("[2.0,1.0]", 6, "the upper bound 1.0 is below the lower bound 2.0"),
        ("[1.0,1.0)", 6, "no version fits"),
        ("(1.0,1.0]", 6, "no version fits"),
        ("(1.0, 1.0)", 7, "no version fits"),
        ("[2.0-rc.1,2.0)", 11, "no version fits"),
        ("(1.2.3,1.2.3-5]", 8, "no version fits"),
        ("(,0)", 3, "no version comes before 0"),
        ("maven:[1,2]", 1, "no opening bracket"),
        # PEP 440
        ("pep440:", 8, "a clause is missing"),
        (">=1,", 5, "no comma at the end"),
        (">=1,,<2", 5, "a clause is missing"),
        ("pep440:1.2", 8, "a comparison is missing"),
        (">=1.2, ^1.3", 8, "^ is of npm, which has blanks in place of commas"),
        (">= 1, < x", 9, "'x' is no version"),
        ("~=1", 3, "needs two numbers or more"),
        ("~=20240115", 3, "needs two numbers or more"),
        ("pep440:>=1.2.*", 13, ">= takes no .*"),
        ("==1.2rc1.*", 3, "stands behind numbers with dots alone"),
        ("==20240115.*", 3, "stands behind numbers with dots alone"),
        ("==.*", 3, "a version is missing"),
        (">=2,<1", 5, "no version is left"),
        (">2.0rc1, <2.0", 10, "no version is left"),
        ("<0", 1, "no version is left"),
        ("===1.0,===1.1", 11, "cannot be '1.0' and '1.1'"),
        ("===latest", 4, "'latest' is no version"),
        ("==1.2-alpine", 3, "ask for that with variant="),
        # npm
        ("npm:", 5, "an alternative is missing"),
        ("1.2 ||", 7, "an alternative is missing"),
        ("|| 1.2", 1, "an alternative is missing"),
        ("1.2 || ^", 9, "a version is missing"),
        ("^", 2, "a version is missing"),
        ("^x1", 2, "'x1' is no version"),
        ("~1.2 ^latest", 7, "'latest' is no version"),
        (">=1.2 <1.1", 7, "no version is left"),
        ("3.x || >=2 <1", 12, "no version is left"),
        ("1.4 - 1.2", 7, "no version is left"),
        ("1.2 - 1.3 - 1.4", 11, "has one hyphen"),
        ("npm:>*", 5, "no version is > every version"),
        ("^20240115", 2, "needs numbers with dots"),
        ("~1.2.3-slim", 2, "ask for that with variant="),
    ],
)
def test_a_bad_range_is_refused_with_the_position_of_the_fault(text, position, message):
    with pytest.raises(ModelError) as caught:
        Range.parse(text)
    assert f"the range {text!r} is wrong at position {position}: " in str(caught.value)
    assert message in str(caught.value)


def test_a_range_that_is_no_text_is_refused():
    with pytest.raises(ModelError, match=r"write it in quotes"):
        Range.parse(1.2)


VERSIONS = [
    "0.9", "1.0-rc.1", "1.0", "1.0-5", "1.0.1", "1.2-rc.1", "1.2", "1.2.3", "1.2.9", "1.3-beta.1", "1.3", "1.5", "2.0-rc.1", "2.0", "2.0.1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (">=1.2", "1.2"),
        ("<=1.2", "(,1.2]"),
        (">1.2", "(1.2,)"),
        ("<1.2", "(,1.2)"),
        ("==1.2", "[1.2]"),
        (">=1.0,<2.0", "[1.0,2.0)"),
        (" > 1.0 , <= v1.5 ", "(1.0,1.5]"),
        ("~=1.2.3", ">=1.2.3,==1.2.*"),
        (">=1.2,==1.2.*", "[1.2,1.3)"),
        ("==1.2.*, >1.2", "(1.2,1.3)"),
        ("npm:1.2", "[1.2,1.3)"),
        ("1.2.3.x", "[1.2.3,1.2.4)"),
        ("1.2.x", "[1.2,1.3)"),
        ("1.2.*", "[1.2,1.3)"),
        ("npm:1", "[1,2)"),
        ("^1.2", "[1.2,2)"),
        ("^0.9", "[0.9,0.10)"),
        ("^0.0.3", "[0.0.3,0.0.4)"),
        ("^0", "(,1)"),
        ("~1.2.3", "[1.2.3,1.3)"),
        ("~1", "[1,2)"),
        ("~> 1.2", "[1.2,1.3)"),
        ("^1.2.3.4", "[1.2.3.4,2)"),
        ("^1.2-rc.1", "[1.2-rc.1,2)"),
        ("1.2 - 1.3", "[1.2,1.4)"),
        ("1.2.3 - 1.2.9", "[1.2.3,1.2.9]"),
        ("npm:>1.2", "1.3"),
        ("npm:<=1.2", "(,1.3)"),
        ("npm:>=1.2", "1.2"),
        ("npm:<1.2", "(,1.2)"),
        ("=1.2.3", "[1.2.3]"),
        (">=1.2 <2", "[1.2,2)"),
        ("1.0 - 1.2 || 1.2.3 - 1.5", "[1.0,1.6)"),
        ("^1.2 || 1.x", "[1,2)"),
        ("* || 1.2", "npm:*"),
    ],
)
def test_what_one_notation_says_another_says_too(text, same):
    assert Range.parse(text) == Range.parse(same)
    assert within(text, *VERSIONS) == within(same, *VERSIONS)


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("!=1.2", ["1.2"]),
        ("!=1.0", ["1.0", "1.0-5"]),
        ("!=1.2.*", ["1.2-rc.1", "1.2", "1.2.3", "1.2.9"]),
        ("!=1.2,!=1.3", ["1.2", "1.3"]),
        ("<1.2 || >=1.3", ["1.2-rc.1", "1.2", "1.2.3", "1.2.9", "1.3-beta.1"]),
        ("*", []),
    ],
)
def test_a_range_may_have_holes(text, left_out):
    assert within(text, *VERSIONS) == [version for version in VERSIONS if version not in left_out]


def test_everything_that_begins_so_has_its_prereleases():
    assert within("==1.2.*", *VERSIONS) == ["1.2-rc.1", "1.2", "1.2.3", "1.2.9"]
    assert within("1.2.x", *VERSIONS) == ["1.2", "1.2.3", "1.2.9"]


def test_three_equal_signs_ask_for_the_very_text():
    assert within("===V1.0", "1.0", "v1.0", "1.0.0", "v1.0-slim") == ["v1.0"]
    assert Range.parse("===1.0") != Range.parse("==1.0")
    assert Range.parse("===1.0").exact == parse("1.0")


def test_a_prefix_settles_the_notation():
    assert within("pep440:>1.2", "1.2", "1.2.3", "1.3") == ["1.2.3", "1.3"]
    assert within("npm:>1.2", "1.2", "1.2.3", "1.3") == ["1.3"]
    assert within("nuget:1.2", "1.1", "1.2", "1.3") == ["1.2", "1.3"]
    assert within("npm:1.2", "1.1", "1.2", "1.3") == ["1.2"]


def test_mode_pep440_compares_bounds_to_the_letter():
    tags = ["1.0.dev1", "1.0rc1.dev1", "1.0rc1", "1.0", "1.0.post1", "1.0.1"]

    def allowed(text: str) -> list[str]:
        return [tag for tag in tags if Range.parse(text, "pep440").contains(parse(tag, "pep440"))]

    assert allowed("<=1.0") == tags[:4]
    assert allowed("==1.0") == ["1.0"]
    assert allowed(">1.0") == ["1.0.1"]
    assert allowed(">=1.0rc1") == tags[2:]
    assert allowed("<1.0rc1") == ["1.0.dev1", "1.0rc1.dev1"]


def test_every_mode_has_ranges():
    times = {"a": datetime(2024, 1, 15, 12, tzinfo=UTC)}
    for mode, text, tags, expected in [
        ("octopus", "[1.0--myfeature,2.0]", ["1.0", "v1.0-.myfeature", "latest", "2.0-x"], ["1.0", "v1.0-.myfeature", "2.0-x"]),
        ("date", ">=2024-01-15,<20240201", ["20240114", "jammy-20240115.1", "20240201"], ["jammy-20240115.1"]),
        ("numeric", "[100,)", ["99", "b-100", "1000"], ["b-100", "1000"]),
        ("alphabetical", "[b,c)", ["a", "b1", "bionic", "c"], ["b1", "bionic"]),
        ("created", ">=2024-01-15", ["a", "b"], ["a"]),
        ("created", "<2024-01-15T12-00Z", ["a"], []),
        (r"regex:b(?P<release>[\d_]+)", "~1.2", ["b1_2", "b1_2_7", "b1_3"], ["b1_2", "b1_2_7"]),
    ]:  # fmt: skip
        interval = Range.parse(text, mode)
        assert [tag for tag in tags if interval.contains(parse(tag, mode, created=times))] == expected


def test_ranges_overlap_or_not():
    for one, other, expected in [
        ("[1.0,2.0)", "[2.0,3.0)", False),
        ("[1.0,2.0]", "[2.0,3.0)", True),
        ("[1.0,2.0]", "(2.0,3.0)", False),
        ("^1.2 || ^3", ">=2.0,<3.1", True),
        ("^1.2 || ^3", "2.x", False),
        ("!=1.2", "[1.2]", False),
        ("===1.0", "===v1.0", False),
        ("===1.0", "^1.0", True),
    ]:
        assert Range.parse(one).overlaps(Range.parse(other)) == expected
        assert Range.parse(other).overlaps(Range.parse(one)) == expected
    with pytest.raises(ModelError, match="read in the modes docker and semver"):
        Range.parse("1.0").overlaps(Range.parse("1.0", "semver"))


def test_bounds_of_semver_may_be_short():
    interval = Range.parse("[1.2,2-rc.1)", mode="semver")
    tags = ["1.1.9", "1.2.0-rc.1", "1.2.0", "v1.9.9", "2.0.0-beta", "2.0.0-rc.1", "2.0.0"]
    assert [tag for tag in tags if interval.contains(parse(tag, "semver"))] == ["1.2.0", "v1.9.9", "2.0.0-beta"]
    with pytest.raises(ModelError, match=r"position 2: '01.2' is no semantic version"):
        Range.parse("[01.2,)", mode="semver")


def test_a_range_takes_versions_of_its_own_mode():
    with pytest.raises(ModelError, match=r"read in mode docker and the tag '1.0.0' in mode semver"):
        Range.parse("1.0").contains(parse("1.0.0", "semver"))
    with pytest.raises(ModelError, match="no mode"):
        Range.parse("1.0", mode="x")
