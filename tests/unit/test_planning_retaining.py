"""What a store need not keep: which releases, and the details of which deployments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

import octossh as oc
from octossh.planning import needed_by_drift, to_tidy

STEP = oc.RunScript("do", script="true")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ENDS = {"+": oc.State.SUCCEEDED, "-": oc.State.FAILED, ".": oc.State.RUNNING, "~": oc.State.INTERRUPTED}
MODES = {"<": oc.Mode.ROLLBACK}


def project(*phases, **more):
    return oc.Project("shop", process=[STEP], lifecycle=oc.Lifecycle(*phases, **more) if phases else None)


def releases(count, channel="default"):
    """Releases 1 to *count*, one a day up to today; the newest first."""
    made = [
        oc.Release(
            project="shop",
            number=str(number),
            channel=channel,
            process=oc.Process([STEP]),
            created_at=NOW - timedelta(days=count - number),
        )
        for number in range(1, count + 1)
    ]
    return made[::-1]


def history(text):
    """``1+ 2- Test:1+``, oldest first, one a day up to today; the newest first."""
    words = text.split()
    made = []
    for number, word in enumerate(words):
        place, _, rest = word.rpartition(":")
        at = NOW - timedelta(days=len(words) - 1 - number)
        made.append(
            oc.Deployment(
                id=str(number),
                project="shop",
                release=rest.lstrip("<")[:-1],
                environment=place or "Dev",
                mode=MODES.get(rest[0], oc.Mode.DEPLOY),
                state=ENDS[rest[-1]],
                started_at=at,
                finished_at=None if rest[-1] in ".~" else at,
            )
        )
    return made[::-1]


def gone(made, count, past, needed=()):
    return sorted(int(t.name) for t in to_tidy(made, releases(count), history(past), set(needed), {}, NOW))


TWO = ("Dev", "Test")
EIGHT = " ".join(f"{n}+" for n in range(1, 9))
CASES = {
    "nothing said, nothing goes": (project(*TWO), 8, EIGHT, []),
    "no lifecycle, nothing goes": (project(), 8, EIGHT, []),
    "beyond the count": (project(*TWO, keep=3), 8, EIGHT, [1, 2, 3, 4, 5]),
    "a phase of its own": (project(oc.Phase("Dev", keep=2), "Test"), 8, EIGHT, [1, 2, 3, 4, 5, 6]),
    "a phase before the lifecycle": (project(oc.Phase("Dev", keep=4), "Test", keep=2), 8, EIGHT, [1, 2, 3, 4]),
    "what lost its process is kept until its end is known": (project(*TWO, keep=2), 4, "1+ 1~ 2+ 3+ 4+", [2]),
    # What one environment keeps stays, whatever another one says.
    "kept by the other phase": (project(oc.Phase("Dev", keep=2), "Test"), 8, f"{EIGHT} Test:2+", [1, 3, 4, 5, 6]),
    "beyond both": (project(*TWO, keep=2), 8, f"{EIGHT} Test:1+ Test:2+ Test:3+ Test:4+", [1, 2, 5, 6]),
    "what stands is kept, and what a rollback goes to": (project(*TWO, keep=1), 8, EIGHT, [1, 2, 3, 4, 5, 6]),
    "where a rollback has come from and goes to": (project(*TWO, keep=1), 4, "1+ 2+ 3+ 4+ <3+", [1]),
    "what failed last": (project(*TWO, keep=1), 5, "1+ 2+ 3+ 4-", [1, 2]),
    "what runs now": (project(*TWO, keep=1), 5, "4+ 2. 3+ 1+ 5+", [3, 4]),
    "a failed one counts for itself": (project(*TWO, keep=2), 5, "1- 2+ 3+ 4+ 5+", [1, 2, 3]),
    "never deployed": (project(*TWO, keep=2), 6, "1+ 2+", [3, 4]),
    "never deployed without a word of the lifecycle": (project(oc.Phase("Dev", keep=1), "Test"), 6, "1+ 2+", []),
    "days": (project(*TWO, keep=oc.Keep(days=2)), 8, EIGHT, [1, 2, 3, 4, 5]),
    "days or a count, whichever keeps more": (project(*TWO, keep=oc.Keep(releases=4, days=2)), 8, EIGHT, [1, 2, 3, 4]),
    "an environment that is in no lifecycle": (project(*TWO, keep=1), 8, f"Lab:1+ {EIGHT}", [2, 3, 4, 5, 6]),
}


@pytest.mark.parametrize(("made", "count", "past", "numbers"), CASES.values(), ids=CASES)
def test_releases_go_that_no_environment_keeps(made, count, past, numbers):
    assert gone(made, count, past) == numbers


def test_each_release_that_goes_says_why():
    (why,) = {t.why for t in to_tidy(project(*TWO, keep=3), releases(5), history("1+ Test:1+ 2+ 3+ 4+ 5+ Test:3+ Test:4+ Test:5+"), set(), {}, NOW) if t.name == "1"}  # fmt: skip
    assert why == "beyond 3 releases in Dev, 3 releases in Test"


def test_the_newest_of_a_channel_stays_since_the_next_one_is_chosen_by_it():
    made = [attrs.evolve(r, channel="old" if r.number in {"1", "2"} else "default") for r in releases(8)]
    found = to_tidy(project(*TWO, keep=1), made, history(EIGHT), set(), {}, NOW)
    assert [t.name for t in found] == ["6", "5", "4", "3", "1"]


def test_what_made_something_that_still_stands_stays():
    assert gone(project(*TWO, keep=1), 8, EIGHT, needed={"1"}) == [1, 3, 4, 5, 6]  # deployment 1 was of release 2


def test_details_of_old_deployments_go_and_not_of_what_stands():
    past = history("1+ 2+ Test:1+ 3+ 4-")  # it ended 4, 3, 2, 1 and 0 days ago; 2 and 3 stand, 4 was the last

    def going(needed=(), details=None, **days):
        details = dict.fromkeys("01234", True) if details is None else details
        found = to_tidy(project(*TWO), [], past, set(needed), details, NOW, **days)
        return [(t.what, t.name, t.why) for t in found]

    old = "it ended more than {} days ago".format
    assert going() == []
    assert going(logs_days=0) == [("logs", "1", old(0)), ("logs", "0", old(0))]
    assert going("0", logs_days=0) == [("logs", "1", old(0))]
    assert going(logs_days=3) == [("logs", "0", old(3))]
    assert going(logs_days=2, steps_days=3) == [("logs", "1", old(2)), ("steps", "0", old(3))]
    assert going(details={"0": False}, logs_days=0) == []
    assert going(details={"0": False}, steps_days=0) == [("steps", "0", old(0))]


@pytest.mark.parametrize("days", [-1, True, "3", float("nan")])
def test_days_are_a_number(days):
    with pytest.raises(oc.PlanError, match="cannot be kept; write a number from 0 on"):
        to_tidy(project(), [], [], set(), {}, NOW, logs_days=days)


def outcomes(**actions):
    return tuple(
        oc.Outcome(step=name, target="h", state=oc.State.SUCCEEDED, action=did) for name, did in actions.items()
    )


def test_a_deployment_is_needed_as_long_as_something_that_it_made_stands():
    past = [
        attrs.evolve(deployment, outcomes=did)
        for deployment, did in zip(
            history("1+ 2+ 3+ 4+ 5+")[::-1],
            [
                outcomes(net="created", web="created"),
                outcomes(net="unchanged", web="replaced", old="created"),
                outcomes(net="unchanged", web="replaced"),
                outcomes(net="unchanged", web="unchanged"),
                outcomes(net="unchanged", web="unchanged"),
            ],
            strict=True,
        )
    ][::-1]
    assert list(needed_by_drift(past)) == ["4", "3", "2", "1", "0"]
    assert list(needed_by_drift([attrs.evolve(past[0], outcomes=outcomes(net="created"))])) == ["4"]
    assert list(needed_by_drift([attrs.evolve(past[0], outcomes=outcomes(net="created")), *past[1:]])) == ["4"]
    assert list(needed_by_drift([])) == []
