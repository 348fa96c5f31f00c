from __future__ import annotations

import copy
import itertools
import pickle
import re
import time

import pytest

from octossh.errors import ModelError
from octossh.versions import parse, tags
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


def test_metadata_takes_no_part_in_the_order_of_semver():
    assert parse("1.2.3_a", "semver") == parse("1.2.3_b", "semver")
    assert parse("1.0.0-rc10", "semver") < parse("1.0.0-rc9", "semver")


def test_versions_are_equal_by_what_they_mean():
    for one, other in [("v1.0", "1.0"), ("1.2.3-rc1", "1.2.3-RC.1"), ("1.0.0.Final", "1.0.0"), ("18.04", "18.4")]:
        assert parse(one) == parse(other)
        assert hash(parse(one)) == hash(parse(other))
        assert parse(one).tag != parse(other).tag
        assert not parse(one) < parse(other)
        assert parse(one) <= parse(other)


def test_versions_are_not_equal_if_anything_counts_for_one_of_them():
    texts = ["1.0", "1.0.0", "1.0-alpine", "release-1.0", "1.0-1", "1.0-1-gabcdef1", "1.0-dev", "1.0-nightly", "latest"]
    versions = [parse(text) for text in texts] + [parse("1.0.0", "semver"), parse("latest", "semver")]
    assert len(set(versions)) == len(versions)
    assert parse("1.0") != "1.0"


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.2-alpine", "1.2-slim"), ("1.2", "release-1.2"), ("10.1", "2021.12"), ("1.2", "20240115")],
)
def test_versions_of_two_lines_have_no_order_and_the_error_says_which_lines(one, other):
    line = r"prefix '.*', variant '.*', scheme \w+"
    with pytest.raises(TypeError, match=f"{re.escape(one)}.*{re.escape(other)}.*{line}.* against {line}"):
        _ = parse(one) < parse(other)
    for compare in ("__le__", "__gt__", "__ge__"):
        with pytest.raises(TypeError):
            getattr(parse(one), compare)(parse(other))
    assert parse(one) != parse(other)


def test_what_is_no_version_has_no_order():
    with pytest.raises(TypeError, match=r"'latest' is no version \(word\)"):
        sorted([parse("1.0"), parse("latest")])
    with pytest.raises(TypeError, match="'<' not supported"):
        _ = parse("1.0") < "1.1"


def test_a_version_shows_its_tag_and_how_to_get_it_back():
    assert str(parse("v1.0")) == "v1.0"
    for version in (parse("v1.0-rc1"), parse("v1.0.0-rc1", "semver")):
        assert eval(repr(version)) == version


def test_a_version_can_be_copied_pickled_and_not_changed():
    version = parse("1.2.3-rc.1-alpine")
    assert pickle.loads(pickle.dumps(version)) == copy.deepcopy(version) == version
    with pytest.raises(AttributeError):
        version.tag = "2"


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
    seeds = ("1.", "a-", "a.", "a1.", "1a", "v1-", "-", ".", "_", "0", "f", "rc1.", "20240115-", "sha-", "a1-1.")
    nasty = [(seed * 128)[:127] + end for seed in seeds for end in ("!", "x", "1", "-", ".")]
    start = time.perf_counter()
    for tag in nasty:
        for mode in MODES:
            MODES[mode].read(tag)
        tags.kind_of_name(tag)
    assert time.perf_counter() - start < 0.5
