"""Whatever the waves, the hosts and their failures: enough hosts stay out of a step at each moment."""

from __future__ import annotations

import attrs
import pytest
from fleet import MOMENT
from hypothesis import given
from hypothesis import strategies as st
from step_strategies import ROLLINGS, SIZES

import octossh as oc
from octossh.model import share
from octossh.planning import plan, without

RACKS = st.sampled_from(["r1", "r2", "r3"])
ROLES = st.sampled_from([("web",), ("web", "db"), ("db",)])


@st.composite
def fleets(draw):
    count = draw(st.integers(1, 40))
    return tuple(
        oc.Target(f"h{number}", f"h{number}", environments=["Dev"], roles=draw(ROLES), labels={"rack": draw(RACKS)})
        for number in range(count)
    )


def planned(targets, **more):
    step = oc.RunScript("do", script="true", **more)
    release = oc.Release(
        project="shop", number="1", channel="stable", process=oc.Process([step]), pins=(), created_at=MOMENT
    )
    return plan(release, "Dev", targets)


def made_or_refused(targets, rolling):
    try:
        return planned(targets, rolling=rolling)
    except oc.PlanError:
        return None


@given(fleets(), ROLLINGS, st.data())
def test_enough_hosts_are_out_of_a_step_at_each_moment_whichever_fail(targets, rolling, data):
    made = made_or_refused(targets, rolling)
    least = share(rolling.healthy, len(targets), up=True)
    if made is None:
        assert least >= len(targets)
        return
    gone = data.draw(st.sets(st.sampled_from([target.name for target in targets]), max_size=len(targets) - 1))
    try:
        made = without(made, dict.fromkeys(gone, "offline"))
        (stage,) = made.stages
    except oc.PlanError:
        assert len(targets) - len(gone) - least < 1
        return
    down, done = set(), set()
    for wave in stage.waves:
        due = list(wave)
        while due and (pieces := list(stage.pieces(due, len(down)))):
            work = {task.target.name for task in pieces[0]}
            assert len(targets) - len(gone) - len(down) - len(work) >= least
            down |= data.draw(st.sets(st.sampled_from(sorted(work))))
            done |= work
            due = due[len(work) :]
    if not down:
        assert done == {target.name for target in targets} - gone


@given(fleets(), ROLLINGS)
def test_each_host_is_in_one_wave_and_those_of_one_kind_come_together(targets, rolling):
    made = made_or_refused(targets, rolling)
    if made is None:
        return
    (stage,) = made.stages
    order = [task.target for wave in stage.waves for task in wave]
    assert sorted(target.name for target in order) == sorted(target.name for target in targets)
    if rolling.by == "rack":
        racks = [target.labels["rack"] for target in order]
        assert [rack for place, rack in enumerate(racks) if place == 0 or racks[place - 1] != rack] == list(
            dict.fromkeys(target.labels["rack"] for target in targets)
        )
        assert all(len({task.target.labels["rack"] for task in wave}) == 1 for wave in stage.waves)


@given(fleets(), SIZES, st.data())
def test_the_primary_host_comes_first_and_the_others_keep_their_order(targets, size, data):
    first = data.draw(st.sampled_from(targets))
    named = data.draw(st.booleans())
    primary = first.name if named else f"rack={first.labels['rack']}"
    (stage,) = planned(targets, rolling=size, primary=primary).stages
    order = [task.target for wave in stage.waves for task in wave]
    chosen = [target for target in targets if target == first or (not named and target.labels == first.labels)]
    assert order == [*chosen, *(target for target in targets if target not in chosen)]


def test_a_primary_that_is_not_there_is_told():
    made = planned((oc.Target("h1", "h1", environments=["Dev"]),), primary="h9")
    assert made.notes == ("step 'do': no target here is h9, so h1 comes first",)


def test_a_plan_says_its_order_in_words():
    targets = tuple(
        oc.Target(f"h{n}", f"h{n}", environments=["Dev"], labels={"rack": "a" if n < 4 else "b"}) for n in range(6)
    )
    rolling = oc.Rolling([1, "100%"], by="rack", pause_s=30, approve=True, healthy="50%", parallel=2)
    made = planned(targets, rolling=rolling, when="always")
    made = attrs.evolve(
        made, rollout=oc.Rollout(max_failures="20%", on_failure="rollback", offline="skip", timeout_s=60)
    )
    assert str(made).splitlines()[-4:] == [
        "  order: do: one rack after the other, in waves of 1, 3, 1 and 1 hosts, 30 s between them, each but the first approved by somebody, 3 of 6 stay out of it at each moment, at most 2 at once",
        "  order: when more than 1 of 6 hosts have failed, nothing more is started, and the changed hosts get back what stood there before",
        "  order: hosts that are offline are left out",
        "  order: nothing is started later than 60 s after the start",
    ]
    assert made.to_dict()["waves"] == {"do": [["h0"], ["h1", "h2", "h3"], ["h4"], ["h5"]]}


@pytest.mark.parametrize("healthy", [3, "100%", "70%"])
def test_a_step_that_could_never_begin_is_refused_in_the_plan(healthy):
    targets = tuple(oc.Target(f"h{n}", f"h{n}", environments=["Dev"]) for n in range(3))
    with pytest.raises(oc.PlanError, match="step 'do' could never begin: of its 3 hosts 0 are left out, and 3 shall"):
        planned(targets, rolling=oc.Rolling(1, healthy=healthy))


def test_what_is_the_same_on_all_targets_is_worked_out_once():
    hub = oc.Registry("hub", "https://registry.example.com")
    web = oc.RunContainer("web", image=hub.image("acme/web"), env={"A": "{{ environment }}", "B": "{{ V }}"})
    targets = tuple(oc.Target(f"h{n}", f"h{n}", environments=["Dev"], roles=["odd"] if n % 2 else []) for n in range(6))
    release = oc.Release(
        project="shop",
        number="1",
        channel="stable",
        process=oc.Process([web]),
        pins=(oc.Pin(image=web.image, tag="1", digest="sha256:" + "a" * 64),),
        variables=(oc.Variable("V", 1), oc.Variable("V", 2, role="odd")),
        created_at=MOMENT,
    )
    made = plan(release, "Dev", targets)
    assert [task.step.env["B"] for task in made.tasks] == ["1", "2"] * 3
    assert len({id(task.step) for task in made.tasks}) == len({id(task.wanted) for task in made.tasks}) == 2
