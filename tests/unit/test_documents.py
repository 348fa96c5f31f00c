"""YAML as plain data."""

from __future__ import annotations

import pytest

import octossh as oc
from octossh.documents import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("22:30", "22:30"),
        ("2026-01-02", "2026-01-02"),
        ("0440", 0o440),
        ("0o17", 15),
        ("0x1f", 31),
        ("08", "08"),
        ("-3", -3),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("~", None),
        ("'12'", "12"),
    ],
)
def test_a_value_is_what_yaml_1_2_says_it_is(text, value):
    assert read_yaml(f"a: {text}", "x") == {"a": value}
    assert type(read_yaml(f"a: {text}", "x")["a"]) is type(value)


def test_a_mapping_may_be_taken_over_from_an_anchor():
    assert read_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}", "x")["c"] == {"b": 1, "d": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "the file is not YAML: .*; correct it there"),
        ("a: 1\nb: {c: [{d: 1, d: 2}]}", "the file, line 2: 'd' stands there twice"),
        ("&a [*a]\n---\n", "the file is not YAML"),
    ],
)
def test_what_is_no_yaml_or_says_a_thing_twice_is_refused_with_the_line(text, said):
    with pytest.raises(oc.ModelError, match=said):
        read_yaml(text, "the file")
