"""Freezes: when they hold, where, until when, by the clock of their zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octossh as oc

BERLIN = "Europe/Berlin"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def until(freeze, text):
    end = freeze.until(at(text))
    return None if end is None else f"{end:%a %H:%M}" if end.year < 9999 else "for ever"


def test_times_without_a_zone_are_in_that_of_the_freeze():
    freeze = oc.Freeze("Christmas", starts_at="2026-12-24 18:00", ends_at="2026-12-27T08:00", zone=BERLIN)
    assert (freeze.starts_at, freeze.ends_at) == (at("2026-12-24 17:00"), at("2026-12-27 07:00"))
    assert [until(freeze, text) for text in ("2026-12-24 16:59", "2026-12-24 17:00", "2026-12-27 06:59", "2026-12-27 07:00")] == [
        None, "Sun 07:00", "Sun 07:00", None,
    ]  # fmt: skip
    assert str(freeze) == (
        "Christmas: all projects in all environments, from 2026-12-24 18:00 until 2026-12-27 08:00 Europe/Berlin"
    )
    same = oc.Freeze("Christmas", starts_at=at("2026-12-24 17:00"), ends_at="2026-12-27T08:00+01:00", zone=BERLIN)
    assert same == freeze


def test_without_times_it_holds_until_it_is_removed():
    assert until(oc.Freeze("Now"), "2026-01-01") == "for ever"
    assert until(oc.Freeze("Later", starts_at="2026-02-01"), "2026-01-01") is None


def test_it_is_for_the_projects_and_environments_that_it_names():
    freeze = oc.Freeze("Sales", projects=["shop"], environments=["Production"])
    assert freeze.concerns("shop", "Production")
    assert not freeze.concerns("shop", "Dev")
    assert not freeze.concerns("blog", "Production")
    assert oc.Freeze("All").concerns("blog", "Dev")


# Thursday 2026-01-01; the 2nd is a Friday. Berlin is one hour ahead in winter, two in summer.
WEEKEND = oc.Freeze("Weekend", weekly=["Fri 16:00 - Mon 08:00"], zone=BERLIN)
WEEKS = [
    (WEEKEND, "2026-01-02 14:59", None),
    (WEEKEND, "2026-01-02 15:00", "Mon 07:00"),
    (WEEKEND, "2026-01-04 12:00", "Mon 07:00"),
    (WEEKEND, "2026-01-05 06:59", "Mon 07:00"),
    (WEEKEND, "2026-01-05 07:00", None),
    (WEEKEND, "2026-07-03 13:59", None),
    (WEEKEND, "2026-07-03 14:00", "Mon 06:00"),
    # The clock goes forward on Sunday, 2026-03-29, and back on 2026-10-25.
    (WEEKEND, "2026-03-27 15:00", "Mon 06:00"),
    (WEEKEND, "2026-10-23 14:00", "Mon 07:00"),
    # 02:30 comes twice on 2026-10-25: the first one counts.
    (oc.Freeze("x", weekly=["Sun 02:30 - Sun 02:45"], zone=BERLIN), "2026-10-25 00:40", "Sun 00:45"),
    (oc.Freeze("x", weekly=["Sun 02:30 - Sun 02:45"], zone=BERLIN), "2026-10-25 01:40", None),
    (oc.Freeze("x", weekly=["Sun 02:30 - Sun 04:00"], zone=BERLIN), "2026-10-25 01:10", "Sun 03:00"),
    # Two parts that touch are one.
    (oc.Freeze("x", weekly=["Fri 16:00 - Sat 00:00", "Sat 00:00 - Sun 12:00"]), "2026-01-02 20:00", "Sun 12:00"),
    (oc.Freeze("x", weekly=["Mon 00:00 - Thu 00:00", "Thu 00:00 - Mon 00:00"]), "2026-01-02 20:00", "for ever"),
    (oc.Freeze("x", weekly=["Fri 16:00 - Mon 08:00"], ends_at="2026-01-03"), "2026-01-02 20:00", "Sat 00:00"),
    (oc.Freeze("x", weekly=["Fri 16:00 - Mon 08:00"], starts_at="2026-01-03"), "2026-01-02 20:00", None),
]  # fmt: skip


@pytest.mark.parametrize(("freeze", "text", "end"), WEEKS)
def test_parts_of_a_week_are_by_the_clocks_of_the_zone(freeze, text, end):
    assert until(freeze, text) == end


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([BERLIN, "America/New_York", "Asia/Kathmandu", "UTC"]),
    st.lists(
        st.sampled_from(
            ["Fri 16:00 - Mon 08:00", "Sun 01:30 - Sun 03:30", "Mon 08:00 - Mon 09:00", "Wed 00:00 - Wed 12:00"]
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_it_holds_up_to_its_end_and_not_from_there_on(moment, zone, weekly):
    freeze = oc.Freeze("x", weekly=weekly, zone=zone)
    end = freeze.until(moment)
    if end is not None:
        assert freeze.until(end) is None
        assert freeze.until(end - timedelta(microseconds=1)) == end
        assert timedelta(0) < end - moment < timedelta(days=4)


WRONG = {
    "no name": (lambda: oc.Freeze(""), ["freeze"]),
    "no such zone": (lambda: oc.Freeze("x", zone="Europe/Berln"), ["'Europe/Berln'", "IANA"]),
    "a path as a zone": (lambda: oc.Freeze("x", zone="../etc/passwd"), ["IANA"]),
    "no time": (lambda: oc.Freeze("x", ends_at="tomorrow"), ["freeze 'x', ends_at", "'tomorrow'", "2026-12-24 18:00"]),
    "a number": (lambda: oc.Freeze("x", starts_at=5), ["'x'", "starts_at", "5 is no time"]),
    "an end before the start": (
        lambda: oc.Freeze("x", starts_at="2026-01-02", ends_at="2026-01-01"),
        ["'x' ends before"],
    ),
    "no part of a week": (lambda: oc.Freeze("x", weekly=["Friday"]), ["'x'", "weekly", "Fri 16:00 - Mon 08:00"]),
    "nothing of a week": (lambda: oc.Freeze("x", weekly=["Fri 16:00 - Fri 16:00"]), ["no part of a week"]),
    "one text": (lambda: oc.Freeze("x", weekly="Fri 16:00 - Mon 08:00"), ["['Fri 16:00 - Mon 08:00']"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_freeze_is_told_when_it_is_made(what):
    make, said = WRONG[what]
    with pytest.raises(oc.ModelError) as caught:
        make()
    assert [word for word in said if word not in str(caught.value)] == [], caught.value
