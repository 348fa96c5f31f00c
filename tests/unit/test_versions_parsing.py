from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from octossh.errors import ModelError
from octossh.versions import Version, parse, patterns, tags
from octossh.versions.modes import MODES


def parts(tag: str, mode: str = "docker") -> dict[str, object]:
    """What is not at its default."""
    version = parse(tag, mode).to_dict()
    return {k: v for k, v in version.items() if v not in ("", []) and k not in ("tag", "mode", "kind", "scheme")}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("1.2.3", {"release": [1, 2, 3]}),
        ("V1.2.3", {"release": [1, 2, 3], "prefix": "V"}),
        ("release-v1.2", {"release": [1, 2], "prefix": "release-v"}),
        ("linux-amd64-2.19.4", {"release": [2, 19, 4], "prefix": "linux-amd64-"}),
        ("ubuntu22.04-1.2.3", {"release": [1, 2, 3], "prefix": "ubuntu22.04-"}),
        ("18.04", {"release": [18, 4]}),
        ("1.2.3rc1-alpine", {"release": [1, 2, 3], "prerelease": "rc.1", "variant": "alpine"}),
        ("1.2.3-RC.1", {"release": [1, 2, 3], "prerelease": "rc.1"}),
        ("2.0.0.CR2", {"release": [2, 0, 0], "prerelease": "rc.2"}),
        ("10.0.0-rc.1.24452.1", {"release": [10, 0, 0], "prerelease": "rc.1.24452.1"}),
        ("3.15.0a2", {"release": [3, 15, 0], "prerelease": "alpha.2"}),
        ("11.0.0-M16", {"release": [11, 0, 0], "prerelease": "milestone.16"}),
        ("1.2.3.b1", {"release": [1, 2, 3], "prerelease": "beta.1"}),
        ("9.0.100-preview.5-alpine3.20", {"release": [9, 0, 100], "prerelease": "preview.5", "variant": "alpine3.20"}),
        ("2.0.0-rc1-SNAPSHOT", {"release": [2, 0, 0], "prerelease": "rc.1", "variant": "snapshot"}),
        ("2.10.0.post1-gpu", {"release": [2, 10, 0], "post": [1], "variant": "gpu"}),
        ("9.8p1", {"release": [9, 8], "post": [1]}),
        ("1.2.3-hotfix.2", {"release": [1, 2, 3], "post": [2]}),
        ("1.2.3-sp-1", {"release": [1, 2, 3], "variant": "sp-1"}),
        ("1.2.3-hotfix", {"release": [1, 2, 3], "variant": "hotfix"}),
        ("8u412-b08-jdk", {"release": [8], "post": [412], "build": [8], "variant": "jdk"}),
        ("12.3-u22.04", {"release": [12, 3], "variant": "u22.04"}),
        ("21.0.4_7-jdk", {"release": [21, 0, 4], "build": [7], "variant": "jdk"}),
        ("1.2.3-eksbuild.4", {"release": [1, 2, 3], "build": [4]}),
        ("v1.29.1-gke.1589017", {"release": [1, 29, 1], "prefix": "v", "build": [1589017]}),
        ("v1.28.5-rc1-rke2r3", {"release": [1, 28, 5], "prefix": "v", "prerelease": "rc.1", "build": [3]}),
        ("16.8.1-ce.0", {"release": [16, 8, 1], "build": [0], "variant": "ce"}),
        ("1.2.3-ce", {"release": [1, 2, 3], "variant": "ce"}),
        ("1.0.0.Final", {"release": [1, 0, 0]}),
        ("3.9.6-eclipse-temurin-21", {"release": [3, 9, 6], "variant": "eclipse-temurin-21"}),
        ("10.11.4ubu2404-ls30", {"release": [10, 11, 4], "build": [30], "variant": "ubu2404"}),
        ("1.1.1w", {"release": [1, 1, 1], "variant": "w"}),
        ("x86_64-v17.1.0", {"release": [17, 1, 0], "prefix": "x86_64-v"}),
        ("linux-arm64-v8-2.3", {"release": [2, 3], "prefix": "linux-arm64-v8-"}),
        ("debian-12-1.2.3", {"release": [1, 2, 3], "prefix": "debian-12-"}),
        ("alpine-3.20-1", {"release": [3, 20], "prefix": "alpine-", "build": [1]}),
        ("12.5.0-cudnn-devel-ubi8", {"release": [12, 5, 0], "variant": "cudnn-devel-ubi8"}),
        ("2.0-devel.3", {"release": [2, 0], "prerelease": "dev.3"}),
        ("2022-CU13-GDR1-ubuntu-22.04", {"release": [2022], "post": [13, 1], "variant": "ubuntu-22.04"}),
        ("1809-KB4577668", {"release": [1809], "build": [4577668]}),
        ("7.4.0-v1", {"release": [7, 4, 0], "build": [1]}),
        ("7.4.0-v1.2", {"release": [7, 4, 0], "variant": "v1.2"}),
        ("1.2.3-arm64-v8", {"release": [1, 2, 3], "variant": "arm64-v8"}),
        ("v1.21.1_vmware.1", {"release": [1, 21, 1], "prefix": "v", "build": [1]}),
        ("1.0.0.Final-redhat-00001", {"release": [1, 0, 0], "build": [1], "variant": "redhat"}),
        ("1.2.3-", {"release": [1, 2, 3], "variant": "-"}),
        ("1.2.3--5", {"release": [1, 2, 3], "variant": "5"}),
        ("1.32.5.7349-8f4248874-ls9", {"release": [1, 32, 5, 7349], "build": [9], "sha": "8f4248874"}),
        (
            "v3.9.0-177-ged5bcde-amd64",
            {
                "release": [3, 9, 0],
                "prefix": "v",
                "prerelease": "git.177",
                "build": [177],
                "sha": "ed5bcde",
                "variant": "amd64",
            },
        ),
        ("1.0.1-64.272fa09", {"release": [1, 0, 1], "prerelease": "dev.64", "sha": "272fa09"}),
        ("20240115", {"release": [2024, 1, 15]}),
        ("202401151200", {"release": [2024, 1, 15, 12, 0]}),
        ("2024-01-15_12-30-59", {"release": [2024, 1, 15, 12, 30, 59]}),
        ("20240115-1230", {"release": [2024, 1, 15, 12, 30]}),
        ("20240115-2", {"release": [2024, 1, 15], "build": [2]}),
        ("20240115-1261", {"release": [2024, 1, 15], "build": [1261]}),
        (
            "RELEASE.2024-01-16T16-07-38Z.fips",
            {"release": [2024, 1, 16, 16, 7, 38], "prefix": "RELEASE.", "variant": "fips"},
        ),
        ("jammy-20231211.1", {"release": [2023, 12, 11], "prefix": "jammy-", "build": [1]}),
    ],
)
def test_a_tag_says_its_parts(tag, expected):
    assert parts(tag) == expected


@pytest.mark.parametrize(
    ("tag", "kind", "scheme"),
    [
        ("1.2.3", "dotted", "dotted"),
        ("9999", "dotted", "dotted"),
        ("10000", "number", "number"),
        ("1234567", "number", "number"),
        ("20241399", "number", "number"),
        ("20240230", "number", "number"),
        ("202413011200", "number", "number"),
        ("19691231", "number", "number"),
        ("19700101", "date", "date"),
        ("21000101", "number", "number"),
        ("20240115", "date", "date"),
        ("2024-02-29", "date", "date"),
        ("2024-02-30", "dotted", "calver"),
        ("2024", "dotted", "calver"),
        ("2024.12.1", "dotted", "calver"),
        ("2024.13", "dotted", "dotted"),
        ("1969.1", "dotted", "dotted"),
        ("latest", "word", ""),
        ("alpine3.20", "word", ""),
        ("latest-python3.11", "word", ""),
        ("_1.2", "word", ""),
        ("0a1b2c3", "sha", ""),
        ("0A1B2C3", "sha", ""),
        ("sha-1234567", "sha", ""),
        ("g5265ccb", "sha", ""),
        ("pr-17", "ci", ""),
        ("feature-login", "ci", ""),
        ("my-branch-12", "ci", ""),
        ("main-0a1b2c3-1700000000", "ci", ""),
        ("0a1b2c3-1700000000", "ci", ""),
        ("1.2.3.sig", "artifact", ""),
        ("sha256-" + "0" * 64, "artifact", ""),
    ],
)
def test_a_tag_has_a_kind_and_a_scheme(tag, kind, scheme):
    version = parse(tag)
    assert (version.kind, version.scheme) == (kind, scheme)
    assert version.is_version == (scheme != "")


@pytest.mark.parametrize("word", sorted(tags._CI_WORDS))
def test_the_words_of_build_servers_make_no_version(word):
    assert parse(f"{word}-12").kind == "ci"
    assert parse(f"my-{word.upper()}-12").kind == "ci"
    assert parse(word).kind == "word"


def test_prerelease_words_have_ranks():
    ranks = [
        "dev devel7 develop snapshot nightly canary next edge unstable",
        "alpha a9",
        "beta",
        "milestone m9",
        "ea preview pre prerelease",
        "rc cr c9",
    ]
    versions = [[parse(f"1.0-{word}") for word in words.split()] for words in ranks]
    for lower, higher in itertools.pairwise([*versions, [parse("1.0")]]):
        assert max(lower) < min(higher)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("v1.2.3-rc.1_7.x", {"release": [1, 2, 3], "prefix": "v", "prerelease": "rc.1", "build": [7, "x"]}),
        ("1.2.3-0a", {"release": [1, 2, 3], "prerelease": "0a"}),
        ("1.2.3-alpine", {"release": [1, 2, 3], "prerelease": "alpine"}),
        ("1.2", {}),
        ("1.02.3", {}),
        ("1.2.3-01", {}),
        ("1.2.3.4", {}),
        ("V1.2.3", {}),
    ],
)
def test_mode_semver_takes_the_standard_and_nothing_else(tag, expected):
    assert parts(tag, "semver") == expected
    assert parse(tag, "semver").is_version == bool(expected)


OCTOPUS = {
    "0.0.4": "0.0.4.0", "1.2.3.4": "1.2.3.4", "V0.0.1": "0.0.1.0", "v0.0.0-foo": "0.0.0.0 foo", "1": "1.0.0.0",
    "01.1.1": "1.1.1.0", "18.04": "18.4.0.0", "1.0.0-alpha.beta1": "1.0.0.0 alpha.beta1", "1.0-SNAPSHOT": "1.0.0.0 SNAPSHOT",
    "19.0.0.Final": "19.0.0.0 Final", "284.0.0-debian_component_based": "284.0.0.0 debian_component_based",
    "latest": "0.0.0.0 latest", "1.0.0-alpha.......1": "1.0.0.0 alpha.......1", "alpha..": "0.0.0.0 alpha..",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12": "1.2.3.0 ---RC-SNAPSHOT.12.9.1--.12", "1.0.0-beta.": "1.0.0.0 beta.",
    "1_0_alpha": "1.0.0.0 0_alpha", "1_0alpha": "1.0.0.0 0alpha", "1.0a1-SNAPSHOT": "1.0.0.0 a1-SNAPSHOT",
    "1.0.2.3-rc1": "1.0.2.3 rc1", "1_2_3": "1.0.0.0 2_3", "1.2.3.4.5": "1.2.3.4 5", "1.0myfeature": "1.0.0.0 myfeature",
    "3.13.0rc2": "3.13.0.0 rc2", "3.7-alpine": "3.7.0.0 alpine", "21.0.4_7-jdk": "21.0.4.0 7-jdk", "v": "0.0.0.0 v",
    "20240115": "20240115.0.0.0", "build-1234": "0.0.0.0 build-1234", "release-1.2.3": "0.0.0.0 release-1.2.3",
    "1a2b3c4": "1.0.0.0 a2b3c4", "a1b2c3d": "0.0.0.0 a1b2c3d", "8u412-b08": "8.0.0.0 u412-b08",
    "1.1.01-9999999999999999999999999": "1.1.1.0 9999999999999999999999999", "99999999.99999999.99999999": "99999999.99999999.99999999.0",
    "RELEASE.2024-01-01T00-00-00Z": "0.0.0.0 RELEASE.2024-01-01T00-00-00Z",
}  # fmt: skip


@pytest.mark.parametrize(("tag", "expected"), OCTOPUS.items())
def test_mode_octopus_takes_up_to_four_numbers_and_a_label(tag, expected):
    version = parse(tag, "octopus")
    assert " ".join(filter(None, [".".join(map(str, version.release)), version.prerelease])) == expected
    assert version.is_version


@pytest.mark.parametrize("tag", ["2147483648.1.1", "1.1.9999999999", "202401151230", "sha256-" + "0" * 64 + ".sig"])
def test_mode_octopus_refuses_large_numbers_and_signatures(tag):
    assert not parse(tag, "octopus").is_version


def test_mode_octopus_has_the_order_of_octopus():
    ascending = [
        "latest", "main", "stable", "1.0.0-2", "1.0.0-10", "1.0-10000000000", "1.0-9999999999", "1.0-alpha", "1.0-alpha.1",
        "1.0-alpha.beta", "1.0-Beta", "1.0-beta.2", "1.0-beta_11", "1.0-rc10", "1.0-rc9", "1.0", "1.0.0.1", "1.0.1-slim",
    ]  # fmt: skip
    versions = [parse(tag, "octopus") for tag in ascending]
    for lower, higher in itertools.pairwise(versions):
        assert lower < higher
    for one, other in [("1.0", "v1.0.0.0"), ("1-RC.1", "1-rc_1"), ("1.0-007", "1.0-7"), ("2024.01.15", "2024.1.15")]:
        assert parse(one, "octopus") == parse(other, "octopus")
        assert hash(parse(one, "octopus")) == hash(parse(other, "octopus"))


def test_in_mode_octopus_latest_alone_is_no_prerelease():
    assert [t for t in ("latest", "main", "1.0-latest", "1.0") if not parse(t, "octopus").is_prerelease] == [
        "latest",
        "1.0",
    ]


@pytest.mark.parametrize(
    ("mode", "tag", "expected"),
    [
        ("pep440", "v1.0", {"release": [1, 0], "prefix": "v"}),
        ("pep440", "1.0c2", {"release": [1, 0], "prerelease": "rc.2"}),
        ("pep440", "1.0a1.dev3", {"release": [1, 0], "prerelease": "alpha.1.dev.3"}),
        ("pep440", "1.0-1", {"release": [1, 0], "post": [1]}),
        ("pep440", "1.0-slim", {}),
        ("date", "2024.1.5", {"release": [2024, 1, 5]}),
        ("date", "2024_01_05", {"release": [2024, 1, 5]}),
        ("date", "jammy-20240627.1", {"release": [2024, 6, 27], "prefix": "jammy-", "build": [1]}),
        ("date", "2024-01-15T12-30Z-arm64", {"release": [2024, 1, 15, 12, 30], "variant": "arm64"}),
        ("date", "20240115-0a1b2c3", {"release": [2024, 1, 15], "sha": "0a1b2c3"}),
        ("date", "20240230", {}),
        ("date", "1.2.3", {}),
        ("numeric", "007", {"release": [7]}),
        ("numeric", "build-123-alpine", {"release": [123], "prefix": "build-", "variant": "alpine"}),
        ("numeric", "r99999999999999999999", {"release": [99999999999999999999], "prefix": "r"}),
        ("numeric", "1.5", {}),
    ],
)  # fmt: skip
def test_every_mode_takes_the_parts_that_it_knows(mode, tag, expected):
    assert parts(tag, mode) == expected
    assert parse(tag, mode).is_version == bool(expected)


@pytest.mark.parametrize("mode", [*MODES, r"regex:(?P<prefix>\D*)(?P<major>\d+).*"])
def test_commits_and_signatures_and_what_moves_are_no_versions(mode):
    words = ["latest", "main", "nightly"] if mode != "octopus" else []
    commits = ["0a1b2c3", "pr-17"] if mode != "octopus" and not mode.startswith("regex") else []
    for tag in [*words, *commits, "sha256-" + "1" * 64, "sha256-" + "1" * 64 + ".att", "1.2.3.sig"]:
        assert not parse(tag, mode).is_version


def test_mode_alphabetical_goes_by_the_text():
    tags = ["3-dev-1.0.9", "1001", "zesty", "3-dev-1.0.63", "999", "bionic", "V"]
    assert [v.tag for v in sorted(parse(t, "alphabetical") for t in tags)] == sorted(tags)


def test_mode_alphabetical_leaves_out_what_moves_and_what_has_no_order():
    tags = [
        "20240115-0a1b2c3",
        "RELEASE.2024-01-16",
        "jammy",
        "latest",
        "latest-cicd",
        "main-0a1b2c3",
        "nightly-20240115",
        "stable-alpine3.19",
    ]
    assert [t for t in tags if parse(t, "alphabetical").is_version] == [*tags[:3], tags[6]]


BUILDS = (
    r"regex:(?P<prefix>[a-z]+-)?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?(?:-(?P<prerelease>(?:rc|nice)\d+))?"
    r"(?:_(?P<build>\d+))?(?:\+?p(?P<post>\d+))?(?:-(?P<compatibility>[A-Z][a-z]*))?"
)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("1.2.3", {"release": [1, 2, 3]}),
        ("b-1.2-rc10", {"release": [1, 2], "prefix": "b-", "prerelease": "rc.10"}),
        ("1-nice12_7p2-Slim", {"release": [1], "prerelease": "nice.12", "build": [7], "post": [2], "variant": "slim"}),
        ("1.2.3-other", {}),
        ("x", {}),
    ],
)
def test_mode_regex_takes_what_the_groups_say(tag, expected):
    assert parts(tag, BUILDS) == expected


def test_mode_regex_has_the_order_of_mode_docker():
    tags = ["1-nice9", "1-nice10", "1-rc9", "1-rc10", "1", "1_2", "1_10", "1p1", "1.0.1", "1.1"]
    versions = [parse(tag, BUILDS) for tag in tags]
    for lower, higher in itertools.pairwise(versions):
        assert lower < higher
    assert parse("1.0", BUILDS) < parse("1.0.0", BUILDS)
    with pytest.raises(TypeError, match="no common order"):
        _ = parse("1-Slim", BUILDS) < parse("1", BUILDS)


def test_a_number_that_a_pattern_leaves_out_is_zero_where_others_follow():
    assert parse("1..3", r"regex:(?P<major>\d+)\.(?P<minor>\d*)\.(?P<patch>\d+)").release == (1, 0, 3)


def test_mode_regex_reads_commits_when_the_pattern_says_so():
    mode = r"regex:main-[0-9a-f]{7}-(?P<release>\d+)"
    assert parse("main-0a1b2c3-1700000001", mode) > parse("main-ffffff0-1700000000", mode)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("regex", "the mode 'regex' has no pattern; write it as 'regex:"),
        ("regex:", "has no pattern"),
        (
            "regex:(?P<major>[0-9]+",
            r"no regular expression at position 1: missing \), unterminated subpattern; mend it",
        ),
        (r"regex:(?P<major>\d+)(a**)", "at position 18: multiple repeat"),
        (r"regex:(?P<major>\d+)(?P<varaint>.*)", "has a group 'varaint'; did you mean 'variant'"),
        (r"regex:(?P<variant>.*)", "no number to order by"),
        (r"regex:(?P<major>(\d+)+)x", "can read one text in too many ways"),
        ("regex:" + "x" * 1001, "is longer than 1000 characters"),
        ("regexp:x", "no mode 'regexp:x'"),
        ("created", "needs the time of each tag"),
    ],
)
def test_a_mode_that_cannot_be_used_says_why(mode, message):
    with pytest.raises(ModelError, match=message):
        parse("1.0", mode)


TOO_MANY_WAYS = (
    r"(a+)+b", r"(\d+\.?)*x", r"(a|b|ab)*c", r"(\w+)*-", r"(?:[.-]?\d+)*z", r".*.*.*.*.*x", r"(?=(a+)+b)a", r"(?>(a+)+b)c",
    r"([a-z]+[0-9]*)*x", r"(\d+)*(\d+)*\.", r"(?:[a-z]{1,40}){1,40}x", r"(?i)(A|a)*(a)*(a)*(a)*(a)*(a)*x",
)  # fmt: skip


@pytest.mark.parametrize("pattern", TOO_MANY_WAYS)
def test_a_pattern_that_could_run_for_hours_is_refused(pattern):
    with pytest.raises(ModelError, match="too many ways"):
        patterns.compiled(pattern, "tag rule")


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d+\.\d+$", "^main-", r"^(|rc.*)$", r"^(?!beta).+", r"(\d+)(\.\d+)*(-.*)?", r"^.*-.*-.*$", r"(\d{4}-?){5}", r"(?>a+b?)+x",
        r"(?:[a-z]+-)*\d+", r"([a-z]++\d*)*x", "", r"(a)?(?(1)b|c)", r"a{0}b", r"(?i)^RC", r"^((dev|rc)[.-]?\d+)*$", "a{40}",
    ],
)  # fmt: skip
def test_a_pattern_that_reads_a_text_in_few_ways_is_taken(pattern):
    assert patterns.compiled(pattern, "tag rule").pattern == pattern


DAY = datetime(2024, 1, 15, 12, tzinfo=UTC)


def test_mode_created_goes_by_the_times_that_are_given():
    created = {
        "feature-a": DAY, "0a1b2c3": DAY + timedelta(seconds=1), "pr-7": DAY.astimezone(timezone(timedelta(hours=5))),
        "latest": DAY, "same-bits-1": datetime(1980, 1, 1, tzinfo=UTC),
    }  # fmt: skip

    def read(tag: str) -> Version:
        return parse(tag, "created", created=created)

    assert read("feature-a") < read("0a1b2c3")
    assert read("feature-a") == read("pr-7")
    assert read("pr-7").release == (2024, 1, 15, 12, 0, 0)
    assert [read(t).kind for t in ("latest", "same-bits-1", "unknown", "1.sig")] == [
        "word",
        "undated",
        "undated",
        "artifact",
    ]


@pytest.mark.parametrize("created", [{"a": datetime(2024, 1, 15)}, {"a": "2024-01-15"}, {"a": None}])  # noqa: DTZ001
def test_mode_created_wants_times_that_name_a_moment(created):
    with pytest.raises(ModelError, match="names no moment; give a datetime with its time zone"):
        parse("a", "created", created=created)


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("", "is empty"),
        (".1", "begins with '.'"),
        ("1.0+k3s1", "holds '+', which no tag may; write '_'"),
        ("1.0\n", r"holds '\\n'"),
        ("1.٢", "holds '٢'"),
        ("x" * 127 + "+", "holds '+'"),
        ("x" * 129, "has 129 characters; a registry takes at most 128"),
        (None, "is not text"),
        (b"1.0", "is not text"),
    ],
)
def test_an_impossible_tag_is_refused_with_a_reason(tag, message):
    with pytest.raises(ModelError, match=message.replace("+", r"\+")):
        parse(tag)


def test_a_tag_of_128_characters_is_read():
    assert parse("1." * 63 + "10").release == (1,) * 63 + (10,)
    assert parse("9" * 128).release == (int("9" * 128),)


def test_an_unknown_mode_is_refused_and_the_nearest_one_is_named():
    with pytest.raises(ModelError, match=r"no mode 'semvar'.*did you mean 'semver'"):
        parse("1.0", "semvar")
    with pytest.raises(ModelError):
        parse("1.0", None)


def test_no_tag_takes_long_to_read():
    seeds = (
        "1.",
        "a-",
        "a.",
        "a1.",
        "1a",
        "v1-",
        "-",
        ".",
        "_",
        "0",
        "f",
        "rc1.",
        "20240115-",
        "sha-",
        "a1-1.",
        "arm-v8-",
        "ubi-1.1-",
    )
    nasty = [(seed * 128)[:127] + end for seed in seeds for end in ("!", "x", "1", "-", ".")]
    start = time.perf_counter()
    for tag in nasty:
        for mode in MODES:
            MODES[mode].read(tag)
        tags.kind_of_name(tag)
    assert time.perf_counter() - start < 0.5
