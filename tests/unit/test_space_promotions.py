"""What moves releases on: holding them back, automatic phases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from phases import deaf, done, space

import octossh as oc


def gone_to(made):
    return [(d.release, d.environment, d.mode.value, d.state.value) for d in reversed(made.history())]


AUTOMATIC = (
    "Dev",
    oc.Phase("Sites", ["Berlin", "Oslo"], automatic=True),
    oc.Phase("Production", automatic=True),
)


def test_what_is_held_back_goes_no_further_until_it_is_allowed():
    with space("Dev", "Berlin", "Production") as made:
        made.create_release()
        made.deploy("0.0.1", "Dev")
        held = made.prevent("shop", "0.0.1", why="it loses orders")
        assert made.preventions() == made.preventions("shop") == (held,)
        with pytest.raises(oc.Refused, match="holds it back, since it loses orders"):
            made.promote(to="Berlin")
        with pytest.raises(oc.Refused, match="holds it back"):
            made.plan("0.0.1", "Berlin")
        assert made.deploy("0.0.1", "Dev").ok  # where it has been it may stay
        made.allow("shop", "0.0.1", why="it does not")
        assert made.preventions() == ()
        assert made.promote(to="Berlin").ok
        told = [event.data for event in made.store.events() if event.type.startswith("fact_")]
        assert [data["why"] for data in told] == ["it loses orders", "it does not"]
        assert made.verify().ok


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda s: s.prevent("shop", "0.0.1", why=" "), "without a reason; say why"),
        (lambda s: s.prevent("shop", "0.0.9", why="x"), r"no release '0\.0\.9'"),
        (lambda s: s.allow("shop", "0.0.1"), "nothing holds release '0.0.1' of 'shop' back"),
    ],
)
def test_who_holds_a_release_back_says_which_and_why(do, words):
    with space("Dev") as made:
        made.create_release()
        with pytest.raises(oc.ModelError, match=words):
            do(made)


def test_an_automatic_phase_is_deployed_to_right_after_the_one_before():
    events = []
    with space(*AUTOMATIC, on_event=events.append) as made:
        ended = made.deploy(made.create_release(), "Dev")
        assert (ended.environment, ended.mode.value) == ("Dev", "deploy")
        assert gone_to(made) == [
            ("0.0.1", "Dev", "deploy", "succeeded"),
            ("0.0.1", "Berlin", "promote", "succeeded"),
            ("0.0.1", "Oslo", "promote", "succeeded"),
            ("0.0.1", "Production", "promote", "succeeded"),
        ]
        made.deploy("0.0.1", "Dev")
        assert len(made.history()) == 5  # a redeployment goes nowhere by itself
        assert made.verify().ok
    assert [e.data["environment"] for e in events if e.type == "promotion_started"] == ["Berlin", "Oslo", "Production"]


def failing(*hosts):
    def answer(target, script):
        if target.name in hosts:
            frames = (oc.Frame("docker", "27.0"), oc.Frame("end", "failed - no broken"))
            return oc.Result(frames, "", 1, datetime(2026, 1, 1, tzinfo=UTC), 0.0)
        return done(target, script)

    return oc.Replay(answer)


def test_the_failure_of_an_automatic_phase_changes_nothing_for_the_one_before():
    with space(*AUTOMATIC, transport=failing("berlin")) as made:
        assert made.deploy(made.create_release(), "Dev").ok
        assert gone_to(made) == [
            ("0.0.1", "Dev", "deploy", "succeeded"),
            ("0.0.1", "Berlin", "promote", "failed"),
            ("0.0.1", "Oslo", "promote", "succeeded"),
        ]


def test_nothing_is_promoted_by_itself_after_a_failure():
    with space(*AUTOMATIC, transport=failing("dev")) as made:
        assert not made.deploy(made.create_release(), "Dev", check=False).ok
        assert gone_to(made) == [("0.0.1", "Dev", "deploy", "failed")]


def test_what_is_refused_by_itself_is_told_and_recorded():
    def unreachable(target):
        if target.name == "berlin":
            raise oc.ConnectError("berlin: connection refused", "refused")

    events = []
    made = space(
        "Dev", oc.Phase("Berlin", automatic=True), transport=oc.Replay(done, unreachable), on_event=events.append
    )
    with made:
        ended = made.deploy(made.create_release(), "Dev")
        assert ended.ok
        recorded = [e for e in made.store.events(ended.id) if e.type == "promotion_refused"]
    said = {"environment": "Berlin", "release": "0.0.1", "why": "berlin: connection refused"}
    assert [e.data for e in events if e.type == "promotion_refused"] == [said]
    assert [e.data.items() >= said.items() for e in recorded] == [True]


@pytest.mark.parametrize("kinds", [{"promotion_refused"}, {"promotion_started", "promotion_refused"}])
def test_a_deployment_has_ended_well_also_where_it_cannot_be_recorded_that_it_goes_no_further(
    kinds, monkeypatch, caplog
):
    def unreachable(target):
        if target.name == "berlin":
            raise oc.ConnectError("berlin: connection refused", "refused")

    phases = "Dev", oc.Phase("Sites", ["Berlin", "Oslo"], automatic=True)
    with space(*phases, transport=oc.Replay(done, unreachable)) as made:
        deaf(made, monkeypatch, kinds)
        ended = made.deploy(made.create_release(), "Dev")
        assert (ended.state, made.deployment(ended.id).state) == (oc.State.SUCCEEDED, oc.State.SUCCEEDED)
        # What is to go on elsewhere is tried all the same, if its beginning can be recorded.
        assert ("0.0.1", "Oslo", "promote", "succeeded") in gone_to(made) or "promotion_started" in kinds
    why = "the disk is full" if "promotion_started" in kinds else "berlin: connection refused"
    assert f"shop 0.0.1 did not go on to 'Berlin' by itself: {why}; it could not be recorded: the disk" in caplog.text


def test_what_is_held_back_is_not_promoted_by_itself_either():
    with space("Dev", oc.Phase("Berlin", automatic=True)) as made:
        made.create_release()
        made.prevent("shop", "0.0.1", why="a test runs")
        assert made.deploy("0.0.1", "Dev").ok
        assert len(made.history()) == 1


def test_an_older_release_does_not_push_a_newer_one_out_by_itself():
    with space("Dev", oc.Phase("Berlin", automatic=True)) as made:
        made.create_release()
        made.create_release()
        made.deploy("0.0.2", "Dev")
        ended = made.deploy("0.0.1", "Dev")
        assert [d.release for d in made.history(environment="Berlin")] == ["0.0.2"]
        assert any("0.0.2 stands there, which is newer" in e.data.get("why", "") for e in made.store.events(ended.id))
