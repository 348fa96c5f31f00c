"""Threads of a deployment: it ends as it should where there are too few, and where a listener ends one by force."""

from __future__ import annotations

import sys
import threading

import attrs
import pytest
from worlds import DO, NET, WEB, World, failing, planned, says, states

import octossh as oc
from octossh.testing import release_of

BESIDE = oc.RunScript("beside", script="true", start="with_previous")


def test_where_there_are_few_threads_fewer_hosts_are_in_work_at_once_and_all_have_their_turn(few):
    few["octossh h"] = 2
    together = threading.Barrier(2, timeout=30)
    world = World({"do": lambda: [together.wait(), says()][1]})
    ended = world.apply(planned(DO, hosts=6))
    assert ended.ok
    assert states(ended) == {f"do h{number}": "succeeded" for number in range(1, 7)}


def test_where_there_is_no_thread_for_a_step_beside_another_it_comes_after_it(few):
    few["octossh beside"] = 0
    world = World()
    assert world.apply(planned(DO, BESIDE)).ok
    assert world.sent == ["do h1", "beside h1"]


def test_where_no_thread_is_to_be_had_for_hosts_they_have_their_turn_one_after_the_other(few):
    few["octossh h"] = 0
    world = World()
    assert world.apply(planned(DO, NET, hosts=2)).ok
    assert world.sent == ["do h1", "do h2", "net h1", "net h2"]


@pytest.mark.parametrize("most", [0, 1])
def test_a_step_whose_neighbour_has_all_threads_waits_for_one_of_them(few, most):
    few["octossh h"] = most
    assert World().apply(planned(DO, BESIDE, hosts=2)).ok


def test_where_there_are_more_threads_again_more_hosts_are_in_work_at_once(few):
    few["octossh h"] = 1
    together = threading.Barrier(2, timeout=5)

    def do():
        assert few.refused.wait(30)
        few["octossh h"] = 2
        return says()

    waits = lambda: [together.wait(), says()][1]  # noqa: E731
    assert World({"do h1": do, "do h2": waits, "do h3": waits}).apply(planned(DO, hosts=3)).ok


def test_where_no_thread_is_to_be_had_to_free_hosts_they_are_freed_one_after_the_other(few):
    few["octossh-unclaim"] = 0
    claims = [oc.Frame("claimed"), *says()]
    world = World({"do": claims, "web": claims})
    assert world.apply(planned(DO, attrs.evolve(WEB, when="failure"), hosts=2)).ok
    assert len([name for name in world.sent if "claim" in name]) == 2


def test_a_script_is_not_sent_where_nobody_could_see_that_it_is_silent(few):
    few["octossh-silence"] = 0
    world = World()
    error = failing(world, planned(attrs.evolve(DO, idle_timeout_s=5)))
    assert (states(error.deployment), error.hosts, world.sent) == ({"do h1": "failed"}, oc.Hosts.UNTOUCHED, [])
    assert "no more threads" in str(error)


@pytest.mark.parametrize("name", ["octossh-watch", "octossh-deployment"])
def test_a_deployment_for_which_there_is_no_thread_does_not_begin(few, name):
    few[name] = 0
    world = World()
    with pytest.raises(oc.OctosshError, match="has not begun: this process can have no more threads"):
        world.apply(planned(DO))
    assert world.calls == []


@pytest.mark.parametrize("most", range(9))
def test_however_few_threads_there_are_a_deployment_ends_or_does_not_begin(few, most):
    def answer(target, _script):
        seen.append(target.name)
        return says()

    few["octossh"], seen = most, []
    targets = [oc.Target(f"h{number}", f"h{number}", environments=["Dev"]) for number in range(1, 4)]
    project = oc.Project("shop", process=[DO, BESIDE, attrs.evolve(DO, name="quiet", idle_timeout_s=60)])
    given = {"targets": targets, "transport": oc.Replay(answer), "hooks": [lambda call: seen.append(call.moment)]}
    with oc.Space("sqlite://", projects=[project], **given) as space:
        release = release_of(project)
        error, ended = "", None
        try:
            ended = space.deploy(release, "Dev", check=False)
        except oc.OctosshError as none:
            error = str(none)
        if ended is None:
            assert "no more threads" in error
            assert seen in ([], [oc.Moment.BEFORE_DEPLOY])
        else:
            assert set(states(ended).values()) <= {"succeeded", "failed", "skipped"}
            assert all("no more threads" in one.why for one in ended.outcomes if one.state is oc.State.FAILED)
        few.clear()
        assert space.deploy(release, "Dev").ok


def test_templates_are_compiled_when_they_are_wanted_where_there_is_no_thread_to_do_that_ahead(few):
    few["octossh-prepare"] = 0
    assert World().apply(planned(DO)).ok


def test_hosts_are_connected_one_after_the_other_where_there_is_no_thread_for_that(few):
    few["octossh-hosts"] = 0
    assert World().apply(planned(DO, hosts=2)).ok


def test_a_listener_that_ends_the_process_at_each_event_does_so_once(monkeypatch):
    monkeypatch.setattr("octossh.deploying.control._ONE_INTERRUPT_S", -1)

    def heard(_event):
        sys.exit("enough")

    world = World(on_event=heard)
    with pytest.raises(SystemExit, match="enough"):
        world.apply(planned(DO, WEB, hosts=2))
    assert world.journal.finished.error == "ended by a listener"
    assert set(states(world.journal.finished).values()) == {"skipped"}


def test_a_listener_that_ends_the_process_while_hosts_work_leaves_none_of_them(monkeypatch):
    monkeypatch.setattr("octossh.deploying.control._ONE_INTERRUPT_S", -1)

    def heard(event):
        if event.step:
            sys.exit("enough")

    world = World(on_event=heard)
    with pytest.raises(SystemExit, match="enough"):
        world.apply(planned(DO, WEB, hosts=2))
    ended = states(world.journal.finished)
    assert ended["do h1"] == "succeeded"
    assert "unknown" not in ended.values()


def test_whoever_is_asked_and_ends_the_process_while_it_stops_leaves_no_host(monkeypatch):
    monkeypatch.setattr("octossh.deploying.control._ONE_INTERRUPT_S", -1)
    asked, left = threading.Event(), threading.Event()

    def approve(_request):
        asked.set()
        try:
            threading.Event().wait(30)  # ends as the deployment is cancelled
        except KeyboardInterrupt:
            left.set()
            sys.exit("I want no part in this")

    def do():
        assert left.wait(30)
        threading.Event().wait(0.3)  # a host that was left would be so by now
        return says()

    world, anna = World({"do": do}), lambda: oc.Cancellation(by="anna") if asked.is_set() else None
    with pytest.raises(SystemExit, match="no part"):
        world.apply(planned(DO, oc.Approve("ask", start="with_previous")), approver=approve, cancelled=anna)
    assert states(world.journal.finished)["do h1"] == "succeeded"


@pytest.mark.parametrize("who", ["listener", "approver"])
def test_that_the_end_cannot_be_recorded_is_told_also_where_somebody_ends_the_process(who, caplog):
    def leave(told):
        if isinstance(told, oc.ApprovalRequest) or (who == "listener" and told.type == "step_started"):
            sys.exit("enough")

    world = World(on_event=leave, refuse=lambda what: what == "finish")
    with pytest.raises(SystemExit, match="enough") as left:
        world.apply(planned(oc.Approve("ask"), DO), approver=leave)
    assert isinstance(left.value.__cause__, oc.RecordError)
    assert "the disk is full" in caplog.text


def test_what_a_host_needs_of_the_user_may_end_the_process_too(caplog):
    world = World({"do h1": SystemExit("no password")})
    with pytest.raises(SystemExit, match="no password"):
        world.apply(planned(DO, WEB, hosts=2, rollout=oc.Rollout(parallel=1)))
    ended = world.journal.finished
    assert (ended.state, world.sent) == (oc.State.INTERRUPTED, ["do h1"])
    assert "fault of octossh" not in ended.error + caplog.text


@pytest.mark.parametrize("kind", ["deployment_started", "step_started", "step_finished"])
def test_a_listener_that_ends_the_process_stops_a_deployment_as_ctrl_c_does(kind):
    def heard(event):
        if event.type == kind and event.step != "web":
            sys.exit("enough")

    world = World(on_event=heard)
    with pytest.raises(SystemExit, match="enough"):
        world.apply(planned(DO, WEB))
    assert world.journal.finished.state is oc.State.INTERRUPTED
    assert "sent web h1" not in world.calls


def test_whoever_is_asked_may_end_the_process_once_the_deployment_has_its_end():
    def approve(_request):
        sys.exit("I want no part in this")

    world = World()
    with pytest.raises(SystemExit, match="no part"):
        world.apply(planned(oc.Approve("ask"), DO), approver=approve)
    assert world.journal.finished.state is oc.State.INTERRUPTED
    assert world.sent == []
