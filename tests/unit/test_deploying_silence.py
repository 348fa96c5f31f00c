"""Scripts that say nothing for too long are ended on their host."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import attrs
import pytest
from worlds import DO, Journal, World, failing, planned, says, states

import octossh as oc
from octossh.deploying import apply
from octossh.deploying.silence import Silence
from octossh.shell import Frame


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


def test_on_a_host_it_is_ended_with_what_it_has_started(tmp_path):
    step = oc.RunScript("do", script=f"echo begin; sleep 60; echo x >{tmp_path}/late", idle_timeout_s=0.5)
    deployment = oc.Deployment(
        id=f"silence-{time.time_ns()}", project="shop", release="0.0.1", environment="Dev", mode=oc.Mode.DEPLOY,
        state=oc.State.RUNNING, started_at=datetime.now(UTC),
    )  # fmt: skip
    with oc.Local() as here, pytest.raises(oc.DeployFailed, match=r"it said nothing for 0\.5 s, and was ended"):
        apply(planned(step), here, Journal([]), deployment)
    assert not (tmp_path / "late").exists()


def test_whoever_speaks_is_not_silent_and_a_question_for_the_link_is_no_speech():
    ended = threading.Event()
    with Silence(1.0, ended.set) as silence:
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

    with Silence(0.01, end):
        assert ended.wait(30)


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
