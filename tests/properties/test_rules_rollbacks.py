"""Whatever was deployed: a rollback goes back, and rollbacks come to an end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import octossh as oc
from octossh.planning import current, rules, to_roll_back

STATES = [oc.State.SUCCEEDED, oc.State.SUCCEEDED, oc.State.FAILED, oc.State.UNKNOWN, oc.State.INTERRUPTED]


def deployment(release, environment="Dev", state=oc.State.SUCCEEDED, mode=oc.Mode.DEPLOY):
    return oc.Deployment(
        id="",
        project="shop",
        release=release,
        environment=environment,
        mode=mode,
        state=state,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


HISTORIES = st.lists(
    st.builds(
        deployment,
        st.sampled_from("1234"),
        st.sampled_from(["Dev", "Dev", "Test"]),
        st.sampled_from(STATES),
        st.sampled_from([oc.Mode.DEPLOY, oc.Mode.DEPLOY, oc.Mode.PROMOTE, oc.Mode.ROLLBACK]),
    ),
    max_size=10,
)
LONG = st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from("++++-"), st.sampled_from(" <")), max_size=60)


def back(history):
    try:
        return to_roll_back("shop", "Dev", history)
    except oc.PlanError:
        return None


@given(HISTORIES)
def test_a_rollback_goes_only_to_a_release_that_succeeded_there(history):
    number = back(history)
    event("there is one" if number else "there is none")
    if number:
        assert any(d.release == number and d.environment == "Dev" and d.ok for d in history)


@given(HISTORIES)
def test_after_a_success_a_rollback_changes_the_release(history):
    number = back([deployment("9"), *history])
    assert number != "9"
    stood = current(history, "Dev")
    assert number == (stood.release if stood else None)


@given(HISTORIES)
def test_rollbacks_in_a_row_go_further_back_until_nothing_is_left(history):
    most = sum(d.ok and d.environment == "Dev" for d in history)
    steps = 0
    while number := back(history):
        assert steps == 0 or number != history[0].release
        history = [deployment(number, mode=oc.Mode.ROLLBACK), *history]
        steps += 1
        assert steps <= most
    event(f"{steps} rollbacks")


@given(HISTORIES, HISTORIES)
def test_what_happens_elsewhere_does_not_matter(history, other):
    elsewhere = [deployment(d.release, "Test", d.state, d.mode) for d in other]
    assert back([*elsewhere, *history]) == back(history)


@given(LONG, st.integers(1, 8))
def test_a_rollback_that_looks_back_step_by_step_goes_where_all_that_was_says(words, first_look):
    ends, modes = {"+": oc.State.SUCCEEDED, "-": oc.State.FAILED}, {" ": oc.Mode.DEPLOY, "<": oc.Mode.ROLLBACK}
    past = [deployment(number, state=ends[end], mode=modes[mode]) for number, end, mode in words]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rules, "_FIRST_LOOK", len(past) + 1)
        whole = back(past)
        patched.setattr(rules, "_FIRST_LOOK", first_look)
        taken: list[oc.Deployment] = []
        assert back(made for made in past if not taken.append(made)) == whole
    event("not all of it was read" if len(taken) < len(past) else "all of it was read")
