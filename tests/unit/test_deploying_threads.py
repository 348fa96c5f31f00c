"""Threads of a deployment: it ends as it should where there are too few, and where a listener ends one by force."""

from __future__ import annotations

import sys
import threading

import attrs
import pytest
from worlds import DO, WEB, World, planned, says, states

import octossh as oc

BESIDE = oc.RunScript("beside", script="true", start="with_previous")


@pytest.fixture
def few(monkeypatch):
    """Lets only so many threads live at one time whose name begins so."""
    begin, most = threading.Thread.start, {}

    def start(thread):
        for name, count in most.items():
            alike = [one for one in threading.enumerate() if one.name.startswith(name)]
            if thread.name.startswith(name) and len(alike) >= count:
                raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return most


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


def test_where_no_thread_is_to_be_had_at_all_a_deployment_has_its_end_in_the_record(few):
    few["octossh h"] = 0
    world = World()
    with pytest.raises(oc.DeployFailed, match="can't start new thread") as caught:
        world.apply(planned(DO, hosts=2))
    assert world.journal.finished == caught.value.deployment
    assert caught.value.hosts is oc.Hosts.UNTOUCHED


def test_where_no_thread_is_to_be_had_to_free_hosts_that_waits_for_the_end_of_the_connection(few):
    few["octossh-unclaim"] = 0
    claims = [oc.Frame("claimed"), *says()]
    world = World({"do": claims, "web": claims})
    assert world.apply(planned(DO, attrs.evolve(WEB, when="always"))).ok
    assert world.journal.finished.ok


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
