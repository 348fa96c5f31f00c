"""Freezes of a space: kept, told of in plans, and in the way of everything that changes hosts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import octossh as oc

STEP = oc.RunScript("tell", script="true")
TARGETS = [oc.Target("h01", "h01", environments=["Dev"]), oc.Target("h02", "h02", environments=["Production"])]
HOUR = timedelta(hours=1)
CHRISTMAS = oc.Freeze("Christmas", environments=["Production"])


def done(target, script):
    return [oc.Frame("docker", "27.0"), oc.Frame("end", "succeeded ran yes ")]


@pytest.fixture
def space():
    project = oc.Project("shop", process=[STEP])
    with oc.Space("sqlite://", projects=[project], targets=TARGETS, transport=oc.Replay(done), anchors=False) as made:
        yield made


def sent(space):
    return [call.script.name for call in space._transport.calls if call.script.name != "observe"]


def test_nothing_that_changes_hosts_is_done_during_a_freeze_and_a_plan_tells_of_it(space):
    first, second = space.create_release(), space.create_release()
    space.deploy(first, "Production")
    space.deploy(second, "Production")
    space._transport.calls.clear()
    plan = space.plan(first, "Production")
    prune = space.plan_prune("Production")
    space.freezes.add(CHRISTMAS, why="the shop is full")
    assert "freeze 'Christmas' holds until it is removed" in str(space.plan(second, "Production"))
    assert "Christmas" not in str(space.plan(second, "Dev"))
    for act in (
        lambda: space.deploy(first, "Production"),
        lambda: space.deploy(plan),
        lambda: space.deploy(prune),
        lambda: space.rollback(environment="Production"),
    ):
        with pytest.raises(
            oc.Refused, match=r"shop may not be deployed to 'Production' now: freeze 'Christmas'.* say why"
        ):
            act()
    assert sent(space) == []
    assert len(space.history()) == 2
    assert space.deploy(first, "Dev").ok


def test_a_reason_goes_through_a_freeze_and_is_recorded(space):
    release = space.create_release()
    plan = space.plan(release, "Production")
    space.freezes.add(CHRISTMAS, why="the shop is full")
    space.deploy(release, "Production", override_freeze="the shop is down")
    space.deploy(plan, override_freeze="once more")
    assert [d.options.override_freeze for d in space.history()] == ["once more", "the shop is down"]
    assert "in spite of a freeze: once more" in str(space.store.deployment(space.history()[0].id))
    assert space.verify().ok


@pytest.mark.parametrize("times", [{"ends_at": -HOUR}, {"starts_at": HOUR}, {"starts_at": -2 * HOUR, "ends_at": -HOUR}])
def test_before_its_start_and_after_its_end_a_freeze_is_in_nobodys_way(space, times):
    now = datetime.now(UTC)
    space.freezes.add(oc.Freeze("x", **{name: now + shift for name, shift in times.items()}), why="tests")
    assert space.deploy(space.create_release(), "Production").ok
    assert [freeze.name for freeze in space.freezes.list()] == ["x"]


def test_a_freeze_that_is_removed_holds_no_longer_and_the_record_says_who_did_it_and_why(space):
    space.freezes.add(CHRISTMAS, why="the shop is full")
    assert space.freezes.to_dict()["freezes"][0]["holds"] is True
    assert "Christmas  all       Production    always  yes" in str(space.freezes)
    space.freezes.remove("Christmas", why="it is over")
    assert space.freezes.list() == ()
    assert str(space.freezes) == "there is no freeze"
    space.deploy(space.create_release(), "Production")
    kept, dropped = (e.data for e in space.store.events() if e.type in {"fact_kept", "fact_dropped"})
    assert (kept["why"], dropped["why"]) == ("the shop is full", "it is over")
    assert kept["after"]["name"] == dropped["before"]["name"] == "Christmas"
    assert space.verify().ok


WRONG = {
    "no reason": (lambda s: s.freezes.add(oc.Freeze("x"), why=" "), oc.ModelError, ["'x' needs a reason"]),
    "no reason to remove": (lambda s: s.freezes.remove("Christmas", why=""), oc.ModelError, ["needs a reason"]),
    "no such environment": (lambda s: s.freezes.add(oc.Freeze("x", environments=["Porduction"]), why="w"), oc.ModelError, ["'Porduction'", "did you mean 'Production'?"]),
    "no such project": (lambda s: s.freezes.add(oc.Freeze("x", projects=["shpo"]), why="w"), oc.ModelError, ["did you mean 'shop'?"]),
    "a name that is taken": (lambda s: s.freezes.add(oc.Freeze("Christmas"), why="w"), oc.Refused, ["'Christmas' is there already"]),
    "none of that name": (lambda s: s.freezes.remove("Chrismas", why="w"), oc.ModelError, ["'Chrismas'", "did you mean 'Christmas'?"]),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_told(space, what):
    space.freezes.add(CHRISTMAS, why="the shop is full")
    act, kind, words = WRONG[what]
    with pytest.raises(kind) as caught:
        act(space)
    assert [word for word in words if word not in str(caught.value)] == [], caught.value
    assert space.freezes.list() == (CHRISTMAS,)
