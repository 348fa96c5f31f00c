"""Histories and what they allow: who may enter, what is promoted, where a rollback goes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import octossh as oc
from octossh.planning import check_may_enter, current, mode_of, to_follow, to_promote, to_roll_back

STEP = oc.RunScript("do", script="true")
ENDS = {
    "+": oc.State.SUCCEEDED,
    "-": oc.State.FAILED,
    "?": oc.State.UNKNOWN,
    "!": oc.State.INTERRUPTED,
    ".": oc.State.RUNNING,
}
MODES = {"<": oc.Mode.ROLLBACK, ">": oc.Mode.PROMOTE}


def project(*phases):
    return oc.Project("shop", process=[STEP], lifecycle=oc.Lifecycle(*phases) if phases else None)


def history(text):
    """``1+ 2- <1+ Test:1+``, oldest first, is release 1, a failed 2, a rollback to 1, and 1 to Test."""
    made = []
    for number, word in enumerate(text.split()):
        place, _, rest = word.rpartition(":")
        mode = MODES.get(rest[0], oc.Mode.DEPLOY)
        made.append(
            oc.Deployment(
                id=str(number),
                project="shop",
                release=rest.lstrip("<>")[:-1],
                environment=place or "Dev",
                mode=mode,
                state=ENDS[rest[-1]],
                started_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    return made[::-1]


def succeeded(past, release):
    return {d.environment for d in past if d.release == release and d.state is oc.State.SUCCEEDED}


def reached(text, release="1"):
    """Where *release* has succeeded."""
    return succeeded(history(text), release)


def standing(text):
    """By environment what succeeded there last."""
    return {d.environment: d.release for d in reversed(history(text)) if d.state is oc.State.SUCCEEDED}


THREE = ("Dev", "Test", "Production")
SPREAD = ("Dev", ("Berlin", "Oslo"), "Production")
SOME = ("Dev", oc.Phase("Sites", ["Berlin", "Oslo", "Rome"], minimum=2), "Production")
SKIPPED = ("Dev", oc.Phase("Test", optional=True), "Production")
ENTRIES = [
    (THREE, "", "Dev", ""),
    (THREE, "", "Test", "has not succeeded in 'Dev'"),
    (THREE, "1-", "Test", "has not succeeded in 'Dev'"),
    (THREE, "1?", "Test", "has not succeeded in 'Dev'"),
    (THREE, "2+", "Test", "has not succeeded in 'Dev'"),
    (THREE, "1+", "Test", ""),
    (THREE, "1+ 1-", "Test", ""),
    (THREE, "1+", "Production", "has not succeeded in 'Test'"),
    (THREE, "Test:1+", "Production", "has not succeeded in 'Dev'"),
    # Where it has been, it may go again, whatever has changed before it.
    (THREE, "Test:1+", "Test", ""),
    (THREE, "Test:1+ Test:1-", "Test", ""),
    (THREE, "Test:1-", "Test", "has not succeeded in 'Dev'"),
    (THREE, "1+ Test:1+ 2+", "Production", ""),
    (SPREAD, "1+", "Oslo", ""),
    (SPREAD, "1+ Berlin:1+", "Oslo", ""),
    (SPREAD, "1+ Berlin:1+", "Production", "has not succeeded in 'Oslo'"),
    (SPREAD, "1+ Berlin:1+ Oslo:1+", "Production", ""),
    ((), "", "Anywhere", ""),
    (SOME, "1+", "Production", "it has succeeded in 0 of the 2 environments that phase 'Sites' wants"),
    (SOME, "1+ Berlin:1+", "Production", "Deploy it to one more of 'Oslo', 'Rome' first"),
    (SOME, "1+ Berlin:1+ Rome:1-", "Production", "one more of 'Oslo', 'Rome'"),
    (SOME, "1+ Berlin:1+ Rome:1+", "Production", ""),
    (SKIPPED, "1+", "Production", ""),
    (SKIPPED, "1+ Test:1-", "Production", ""),
    (SKIPPED, "", "Production", "has not succeeded in 'Dev'"),
    (SKIPPED, "", "Test", "has not succeeded in 'Dev'"),
]


@pytest.mark.parametrize(("phases", "past", "environment", "refusal"), ENTRIES)
def test_a_release_enters_an_environment_when_it_has_passed_those_before(phases, past, environment, refusal):
    if not refusal:
        check_may_enter(project(*phases), "1", environment, reached(past))
        return
    with pytest.raises(oc.Refused) as caught:
        check_may_enter(project(*phases), "1", environment, reached(past))
    message = str(caught.value)
    assert refusal in message
    assert message.startswith(f"shop 1 may not go to '{environment}' yet")
    assert "Deploy it to " in message
    assert (caught.value.exit_code, caught.value.hosts) == (4, oc.Hosts.UNTOUCHED)


def test_an_environment_that_the_lifecycle_lacks_is_asked_back():
    with pytest.raises(oc.ModelError, match="'Tset' is not in the lifecycle; did you mean 'Test'"):
        check_may_enter(project(*THREE), "1", "Tset", set())


PROMOTIONS = [
    (THREE, "1+", "Test", "1"),
    (THREE, "1+ 2+", "Test", "2"),
    (THREE, "1+ 2-", "Test", "1"),
    (THREE, "1+ 2+ <1+", "Test", "1"),
    (THREE, "1+ Test:1+ 2+", "Production", "1"),
    (SPREAD, "1+ Berlin:1+ Oslo:1+", "Production", "1"),
    (SOME, "1+ Berlin:1+ Rome:1+", "Production", "1"),
    # What stands in an optional phase is promoted; where nothing does, what stands before it.
    (SKIPPED, "1+", "Production", "1"),
    (SKIPPED, "1+ Test:1+ 2+", "Production", "1"),
]
NO_PROMOTIONS = [
    (THREE, "", "Test", oc.Refused, ["nothing has succeeded in 'Dev'", "'Test'"]),
    (THREE, "1-", "Test", oc.Refused, ["nothing has succeeded in 'Dev'"]),
    (THREE, "1+", "Dev", oc.PlanError, ["'Dev' is the first environment of 'shop'", "by number"]),
    (THREE, "1+", "Tset", oc.ModelError, ["'Tset'", "did you mean 'Test'?"]),
    (SPREAD, "Berlin:1+", "Production", oc.Refused, ["nothing has succeeded in 'Oslo'"]),
    (SPREAD, "Berlin:1+ Oslo:2+", "Production", oc.Refused, ["1 in 'Berlin', 2 in 'Oslo'", "by number"]),
    (SOME, "1+", "Production", oc.Refused, ["nothing has succeeded in 'Berlin' yet"]),
    (
        SOME,
        "1+ Berlin:1+",
        "Production",
        oc.Refused,
        ["1 cannot be promoted", "1 of the 2 environments", "'Oslo', 'Rome'"],
    ),
    (SOME, "Berlin:1+ Oslo:2+ Rome:2+", "Production", oc.Refused, ["1 in 'Berlin', 2 in 'Oslo'"]),
    (SKIPPED, "", "Production", oc.Refused, ["nothing has succeeded in 'Dev'"]),
    ((), "1+", "Test", oc.PlanError, ["'shop' has no lifecycle", "by number"]),
]


@pytest.mark.parametrize(("phases", "past", "environment", "number"), PROMOTIONS)
def test_what_stands_in_the_environment_before_is_promoted(phases, past, environment, number):
    assert to_promote(project(*phases), environment, standing(past)) == number


@pytest.mark.parametrize(("phases", "past", "environment", "kind", "words"), NO_PROMOTIONS)
def test_where_nothing_can_be_promoted_the_reason_is_told(phases, past, environment, kind, words):
    with pytest.raises(kind) as caught:
        to_promote(project(*phases), environment, standing(past))
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words)


ROLLBACKS = [
    ("1+ 2+", "1"),
    ("1+ 2+ 3+", "2"),
    ("1+ 2+ 2+", "1"),
    ("1+ 2-", "1"),
    ("1+ 2?", "1"),
    ("1+ 2!", "1"),
    ("1+ 2+ 2-", "1"),
    ("1+ 2+ 3-", "2"),
    ("1+ 2- 3-", "1"),
    ("1+ 2+ 3+ <2+", "1"),
    ("1+ 2+ 3+ <2+ 4+", "2"),
    ("1+ 2+ 3+ <1+ 3+", "1"),
    ("1+ 2+ 1+", "2"),
    ("1+ 2+ 1+ <2+", "1"),
    ("1+ Test:2+ 3+", "1"),
    ("1+ 2+ Test:3-", "1"),
]


@pytest.mark.parametrize(("past", "number"), ROLLBACKS)
def test_a_rollback_goes_to_what_stood_there_before(past, number):
    assert to_roll_back("shop", "Dev", history(past)) == number


@pytest.mark.parametrize("past", ["", "1+", "1-", "1+ 1+", "1+ 1-", "Test:1+ Test:2+", "1+ 2+ <1+", "1- 2- 3."])
def test_with_nothing_before_there_is_no_rollback(past):
    with pytest.raises(
        oc.PlanError, match=r"no earlier release of 'shop' in 'Dev'.*see octossh history --in Dev, or deploy"
    ):
        to_roll_back("shop", "Dev", history(past))


def test_the_last_success_stands_whatever_came_after_it():
    past = history("1+ 2+ Test:1+ 3- 2!")
    assert current(past, "Dev").release == "2"
    assert current(past, "Production") is None


@pytest.mark.parametrize(
    ("past", "mode"), [("", "deploy"), ("1+", "redeploy"), ("1-", "deploy"), ("1+ 2+", "deploy"), ("1+ 2-", "redeploy")]
)
def test_the_mode_says_whether_the_release_stands_there_already(past, mode):
    assert mode_of("1", "Dev", standing(past)).value == mode


def test_an_environment_that_joined_later_counts_for_what_is_still_to_come():
    joined = project("Dev", ("Berlin", "Oslo"), "Production")  # Oslo is new
    past = "1+ Berlin:1+ Production:1+ 2+ Berlin:2+"
    check_may_enter(joined, "1", "Production", reached(past))
    with pytest.raises(oc.Refused, match="has not succeeded in 'Oslo'"):
        check_may_enter(joined, "2", "Production", reached(past, "2"))


HOTFIX = oc.Project(
    "shop",
    process=[STEP],
    lifecycle=oc.Lifecycle(*THREE),
    channels=[oc.Channel("stable"), oc.Channel("hotfix", lifecycle=oc.Lifecycle("Staging", "Production"))],
)


def test_a_channel_has_its_own_lifecycle():
    assert HOTFIX.environments == ("Dev", "Test", "Production", "Staging")
    check_may_enter(HOTFIX, "1", "Staging", set(), channel="hotfix")
    check_may_enter(HOTFIX, "1", "Production", reached("Staging:1+"), channel="hotfix")
    with pytest.raises(oc.Refused, match="has not succeeded in 'Staging'"):
        check_may_enter(HOTFIX, "1", "Production", reached("1+ Test:1+"), channel="hotfix")
    with pytest.raises(oc.Refused, match="channel 'hotfix', whose lifecycle is Staging > Production"):
        check_may_enter(HOTFIX, "1", "Dev", set(), channel="hotfix")
    with pytest.raises(oc.Refused, match="channel 'stable', whose lifecycle is Dev > Test > Production"):
        check_may_enter(HOTFIX, "1", "Staging", set(), channel="stable")
    assert to_promote(HOTFIX, "Production", standing("Staging:2+ 1+ Test:1+"), channel="hotfix") == "2"
    assert to_promote(HOTFIX, "Production", standing("Staging:2+ 1+ Test:1+")) == "1"


HELD = oc.Prevention(
    project="shop", release="1", why="it loses orders", by="ann@pc", at=datetime(2026, 1, 2, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("phases", "past", "environment", "held"),
    [
        (THREE, "", "Dev", False),
        (THREE, "1+", "Test", True),
        (THREE, "1+ Test:1+", "Test", False),
        (THREE, "1+ Test:1+", "Production", True),
        (SPREAD, "1+", "Oslo", True),
        (SPREAD, "1+ Berlin:1+", "Oslo", False),
        (SKIPPED, "1+", "Production", True),
        ((), "", "Anywhere", True),
        ((), "Anywhere:1+", "Anywhere", False),
    ],
)
def test_a_release_that_is_held_back_keeps_the_phases_that_it_has_reached(phases, past, environment, held):
    if not held:
        check_may_enter(project(*phases), "1", environment, reached(past), prevented=HELD)
        return
    with pytest.raises(oc.Refused, match=r"ann@pc holds it back, since it loses orders.*octossh release allow 1"):
        check_may_enter(project(*phases), "1", environment, reached(past), prevented=HELD)


BY_ITSELF = (
    "Dev",
    oc.Phase("Sites", ["Berlin", "Oslo"], automatic=True),
    oc.Phase("Live", ["EU", "US"], automatic="EU"),
)
AFTER_SKIPPED = ("Dev", oc.Phase("Test", optional=True), oc.Phase("Live", automatic=True))
FOLLOWS = [
    (BY_ITSELF, "1+", ("Berlin", "Oslo")),
    (BY_ITSELF, "1-", ()),
    (BY_ITSELF, "1+ 1+", ()),  # it was through already
    (BY_ITSELF, "1- 1+", ("Berlin", "Oslo")),
    (BY_ITSELF, "1+ 2+ <1+", ()),
    (BY_ITSELF, "1+ Berlin:1+", ()),
    (BY_ITSELF, "1+ Berlin:1+ Oslo:1+", ("EU",)),
    (BY_ITSELF, "1+ Berlin:1+ EU:1+ Oslo:1+", ()),
    (AFTER_SKIPPED, "1+", ()),  # it never skips a phase by itself
    (AFTER_SKIPPED, "1+ Test:1+", ("Live",)),
    (THREE, "1+", ()),
    ((), "1+", ()),
]


@pytest.mark.parametrize(("phases", "past", "environments"), FOLLOWS)
def test_an_automatic_phase_follows_the_success_that_ends_the_one_before(phases, past, environments):
    ended, *before = history(past)
    assert to_follow(project(*phases), ended, succeeded(before, "1")) == environments
