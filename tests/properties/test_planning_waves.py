"""Waves, whatever the sizes: all hosts, each once, and never an empty wave."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from step_strategies import ROLLINGS

import octossh as oc

COUNTS = st.integers(1, 500)


@given(ROLLINGS, COUNTS)
def test_waves_add_up_and_none_is_empty(rolling, count):
    waves = rolling.waves(count)
    assert sum(waves) == count
    assert all(wave > 0 for wave in waves)


@given(ROLLINGS, COUNTS)
def test_no_wave_is_larger_than_its_size_says(rolling, count):
    for number, wave in enumerate(rolling.waves(count)):
        size = rolling.sizes[min(number, len(rolling.sizes) - 1)]
        assert wave <= (size if isinstance(size, int) else math.ceil(count * int(size[:-1]) / 100))


@given(st.integers(1, 100), COUNTS)
def test_a_percentage_is_rounded_up_and_never_takes_more_waves_than_it_says(percent, count):
    waves = oc.Rolling(f"{percent}%").waves(count)
    assert waves[0] == -(-count * percent // 100)
    assert len(waves) <= math.ceil(100 / percent)


@pytest.mark.parametrize(
    ("sizes", "count", "waves"),
    [
        ([1, "100%"], 1, (1,)),
        ([1, "100%"], 4, (1, 3)),
        ([1, "25%", "100%"], 10, (1, 3, 6)),
        (["25%"], 10, (3, 3, 3, 1)),
        (["33%"], 3, (1, 1, 1)),
        (["1%"], 3, (1, 1, 1)),
        (2, 5, (2, 2, 1)),
        ([9], 0, ()),
    ],
)
def test_typical_waves(sizes, count, waves):
    assert oc.Rolling(sizes).waves(count) == waves
