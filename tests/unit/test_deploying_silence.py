"""Scripts that say nothing for too long are ended on their host."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import attrs
import pytest
from worlds import DO, GONE, NET, Journal, World, failing, planned, says, states

import octossh as oc
from octossh.deploying import apply
from octossh.deploying.following import Told, find_again
from octossh.deploying.silence import Silence
from octossh.shell import Frame, Script


def test_a_script_that_is_silent_for_too_long_is_ended_on_its_host_and_says_why_it_failed():
    ended = threading.Event()

    def end():
        ended.set()
        return says(action="stopped")

    def silent():
        assert ended.wait(30)
        return says("failed", "ran", "yes", "it said nothing for 0.05 s, and was ended")

    world = World({"do": [silent, end]})
    error = failing(world, planned(attrs.evolve(DO, idle_timeout_s=0.05)))
    first, second = world.transport.calls
    assert {first.script.name, second.script.name} == {"run_script do", "end do"}
    assert any("it said nothing for 0.05 s, and was ended" in call.script.body for call in (first, second))
    assert (states(error.deployment), error.hosts) == ({"do h1": "failed"}, oc.Hosts.CHANGED)


def test_where_its_host_has_room_for_one_session_it_is_ended_over_another_connection():
    closed, ended = threading.Event(), threading.Event()
    sent = []

    def full():
        sent.append("end")
        raise oc.ConnectError("h1: it did not open one more session", "sessions")

    def end():
        sent.append("end again")
        ended.set()
        return says(action="stopped")

    def lost():
        assert closed.wait(30)
        return oc.ConnectionLost("h1: its connection was closed")

    def found():
        sent.append("attach")
        assert ended.is_set(), "it took the only session of what ends it"
        return says("failed", "ran", "yes", "it said nothing for 0.05 s, and was ended")

    world = World()
    ends = iter((full, end))

    def answer(_target, script):
        made = {"run_script do": lost, "attach do": found}.get(script.name) or next(ends)
        if isinstance(told := made(), BaseException):
            raise told
        return told

    def hang_up(target, running):
        assert (target.name, running) == ("h1", 1)
        closed.set()
        time.sleep(0.2)  # whoever has lost the connection may be quicker
        return True

    world.transport = oc.Replay(answer)
    world.transport.hang_up = hang_up
    error = failing(world, planned(attrs.evolve(DO, idle_timeout_s=0.05)))
    assert sent == ["end", "end again", "attach"]
    assert states(error.deployment) == {"do h1": "failed"}


def test_on_a_host_it_is_ended_with_what_it_has_started(tmp_path):
    step = oc.RunScript("do", script=f"echo begin; sleep 60; echo x >{tmp_path}/late", idle_timeout_s=0.5)
    deployment = oc.Deployment(
        id=f"silence-{time.time_ns()}", project="shop", release="0.0.1", environment="Dev", mode=oc.Mode.DEPLOY,
        state=oc.State.RUNNING, started_at=datetime.now(UTC),
    )  # fmt: skip
    with oc.Local() as here, pytest.raises(oc.DeployFailed, match=r"it said nothing for 0\.5 s, and was ended"):
        apply(planned(step), here, Journal([]), deployment)
    assert not (tmp_path / "late").exists()


def ends(ended):
    """What ends a run, and says so."""
    return lambda: ended.set() or True


def test_whoever_speaks_is_not_silent_and_a_question_for_the_link_is_no_speech():
    ended = threading.Event()
    with Silence(1.0, ends(ended)) as silence:
        line, frame = silence.line(lambda _: None), silence.frame(lambda _: None)
        spoken = 0
        while spoken < 10:
            line("x")
            spoken += 1
            frame(Frame("output", "A eA=="))
            assert not ended.is_set()
        while not ended.is_set():
            frame(Frame("tick"))
    assert ended.is_set()


def test_ending_is_tried_again_where_it_fails(monkeypatch):
    monkeypatch.setattr("octossh.deploying.silence._AGAIN_S", 0.01)
    tries = [oc.ConnectionLost("h1: gone"), None]
    ended = threading.Event()

    def end():
        if error := tries.pop(0):
            raise error
        ended.set()
        return True

    with Silence(0.01, end):
        assert ended.wait(30)


def test_while_the_link_is_lost_nobody_knows_whether_it_is_silent():
    ended = threading.Event()
    with Silence(0.2, ends(ended)) as silence:
        line, frame = silence.line(lambda _: None), silence.frame(lambda _: None)
        silence.lost()
        line("octossh: the link was lost")
        assert not ended.wait(0.4)
        frame(Frame("tick"))
        assert ended.wait(30), "once the link is back, it may be silent for as long as before"


def test_a_link_that_is_lost_while_it_is_being_ended_makes_it_deaf(monkeypatch):
    monkeypatch.setattr("octossh.deploying.silence._AGAIN_S", 0.01)
    tried, again = threading.Event(), threading.Event()

    def end():
        if tried.is_set():
            again.set()
            return True
        silence.lost()
        tried.set()
        raise oc.ConnectionLost("h1: gone")

    silence = Silence(0.01, end)
    with silence:
        assert tried.wait(30)
        assert not again.wait(0.3)


def test_a_script_is_not_ended_for_what_it_could_not_say_while_the_link_was_lost():
    connects = []

    def on_connect(target):
        connects.append(target.name)
        if len(connects) > 1:
            threading.Event().wait(0.5)

    def lost():
        return oc.ConnectionLost("h1: gone")

    world = World({"do": [lost, lost, says(action="ran")]}, on_connect=on_connect)
    assert world.apply(planned(attrs.evolve(DO, idle_timeout_s=0.3))).ok
    assert {call.script.name for call in world.transport.calls} == {"run_script do", "attach do"}


def test_a_script_is_not_ended_for_what_it_could_not_say_while_its_host_was_connected_again():
    connects, sent = [], []

    def on_connect(target):
        connects.append(target.name)
        if len(connects) > 1:
            threading.Event().wait(0.5)
            sent.extend(call.script.name for call in world.transport.calls)

    world = World({"do": says(action="ran")}, on_connect=on_connect)
    world.transport.reaches = lambda target: target.name in world.transport.connected
    world.answers["net"] = lambda: (world.transport.connected.clear(), says())[1]
    assert world.apply(planned(NET, attrs.evolve(DO, idle_timeout_s=0.2))).ok
    assert sent == ["create_network net"]


def test_a_script_that_its_host_did_not_know_yet_is_listened_to_further(monkeypatch):
    monkeypatch.setattr("octossh.deploying.silence._AGAIN_S", 0.01)
    ended, asked = threading.Event(), []

    def answer(_, script):
        if script.name == "run_script do":
            assert ended.wait(30)
            return says("failed", "ran", "yes", "it said nothing for 0.05 s, and was ended")
        asked.append(script.name)
        if len(asked) == 1:
            return GONE
        ended.set()
        return says(action="stopped")

    world = World()
    world.transport = oc.Replay(answer)
    error = failing(world, planned(attrs.evolve(DO, idle_timeout_s=0.05)))
    assert states(error.deployment) == {"do h1": "failed"}
    assert asked == ["end do", "end do"]


def test_a_link_that_is_lost_again_after_the_run_was_found_makes_it_deaf_again():
    ended, left = threading.Event(), threading.Event()
    target = planned(DO).targets[0]

    def answer(*_):
        return says(action="ran") if len(transport.calls) > 1 else lost_again()

    def lost_again():
        told.frame(Frame("log"))
        transport.connected.clear()
        raise oc.ConnectionLost("h1: gone")

    def on_connect(_):
        assert not ended.wait(0.4)

    transport = oc.Replay(answer, on_connect)
    with Silence(0.2, ends(ended)) as silence:
        told = Told(silence.line(lambda _: None), silence.frame(lambda _: None), silence.lost)
        told.lost()
        find_again(transport, target, Script("attach do", "true"), told, 30, left)


def test_who_comes_after_it_meets_no_end_that_is_still_under_way():
    begun, done = threading.Event(), threading.Event()

    def end():
        begun.set()
        threading.Event().wait(0.2)
        done.set()
        return True

    with Silence(0.01, end):
        assert begun.wait(30)
    assert done.is_set()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"idle_timeout_s": 0}, "idle_timeout_s is 0; give seconds, or None"),
        ({"idle_timeout_s": "5"}, "idle_timeout_s is '5'; give seconds"),
        ({"idle_timeout_s": 5, "where": "controller"}, "idle_timeout_s is for scripts on targets"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, words):
    with pytest.raises(oc.ModelError, match=words):
        oc.RunScript("do", script="true", **fields)


def test_that_a_silent_script_cannot_be_ended_is_told_once_and_tried_again(monkeypatch, caplog):
    monkeypatch.setattr("octossh.deploying.silence._AGAIN_S", 0.01)
    tries, ended = [], threading.Event()

    def end():
        tries.append(time.monotonic())
        if len(tries) < 4:
            raise oc.ConnectError("h1: it did not open one more session")
        ended.set()
        return True

    with Silence(0.01, end):
        assert ended.wait(30)
    assert caplog.text.count("could not be ended: h1: it did not open one more session") == 1
