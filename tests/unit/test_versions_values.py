"""Versions as values: equality, order, copies: octossh.versions.tags."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from octossh.versions import parse


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
