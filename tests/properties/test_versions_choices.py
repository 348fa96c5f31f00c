"""Laws of choosing, for lists of tags that nobody has thought of."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from octossh.errors import ModelError
from octossh.versions import choose, explain, parse

numbers = st.integers(0, 12).map(str)
releases = st.lists(numbers, min_size=1, max_size=3).map(".".join)
tails = st.sampled_from(["", "", "", "-alpine", "-slim", "-rc.1", "rc2-alpine", "-r3", "_7", ".post1", "-3-gabcdef1"])
tags = st.tuples(st.sampled_from(["", "", "v", "release-"]), releases, tails).map("".join)
some = st.lists(tags | st.sampled_from(["latest", "sha-0a1b2c3", "20240115"]), max_size=12)


@given(some, tags, st.none() | st.integers(0, 3))
def test_what_is_chosen_is_of_the_line_of_what_runs_and_neither_older_nor_too_far(found, current, jump):
    running = parse(current)
    with contextlib.suppress(ModelError):
        chosen = choose(found, current=current, max_major_jump=jump, prerelease=".*", scheme="dotted")
        if chosen is not None:
            assert chosen.line[:2] == running.line[:2]
            if running.scheme == "dotted":
                assert chosen.key[:4] >= running.key[:4]
                assert jump is None or chosen.release[0] <= running.release[0] + jump


@given(some, tags)
def test_a_guard_takes_away_and_never_adds(found, current):
    with contextlib.suppress(ModelError):
        rules = {"variant": "", "prefix": "", "scheme": "dotted"}
        free = {v.tag for v in explain(found, **rules).verdicts if v.accepted}
        guarded = {v.tag for v in explain(found, current=current, max_major_jump=0, **rules).verdicts if v.accepted}
        assert guarded <= free


@given(some)
def test_what_was_chosen_is_chosen_again_when_it_runs(found):
    with contextlib.suppress(ModelError):
        chosen = choose(found)
        if chosen is not None:
            assert choose(found, current=chosen.tag, max_major_jump=0) == chosen


@given(some, st.sampled_from(["", "alpine", "*"]))
def test_a_table_counts_every_tag_once(found, variant):
    with contextlib.suppress(ModelError):
        explanation = explain(found, variant=variant)
        assert sum(explanation.counts.values()) == len(set(found))
        assert explanation._repr_html_().count("<tr>") == 1 + len(set(found))
