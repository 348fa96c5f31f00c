"""Applying a plan that is interrupted: what runs is seen to its end, or left, and the record has an end."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from worlds import NET, WEB, Journal, World, planned, says, states

import octossh as oc
from octossh.deploying.asking import Interrupted
from octossh.deploying.control import Control, Watch
from octossh.deploying.journal import Journal as _Journal


def interrupting(monkeypatch, times, *, apart=False, into=lambda: threading.main_thread().ident):
    """A world whose first step waits until Ctrl-C was pressed so many times, which comes *into* a thread."""
    stopped, go_on = threading.Event(), threading.Event()
    stop = Control.stop

    def stopping(self, *args, **more):
        stop(self, *args, **more)
        stopped.set()

    def slow():
        for number in range(times):
            signal.pthread_kill(into(), signal.SIGINT)
            if apart or number == times - 1:
                assert stopped.wait(10)
        assert not apart or go_on.wait(10)
        return says()

    monkeypatch.setattr(Control, "stop", stopping)
    return World({"net h1": slow}), go_on


@pytest.mark.parametrize("times", [1, 2, 3], ids=["once", "twice at one moment", "thrice at one moment"])
def test_an_interruption_waits_for_what_runs_and_starts_nothing_more(monkeypatch, times):
    world, _ = interrupting(monkeypatch, times)
    with pytest.raises(KeyboardInterrupt):
        world.apply(planned(NET, WEB, hosts=2))
    ended = world.journal.finished
    assert (ended.state, ended.error) == (oc.State.INTERRUPTED, "interrupted by the user")
    assert states(ended) == {"net h1": "succeeded", "net h2": "succeeded", "web h1": "skipped", "web h2": "skipped"}
    assert ended.outcome("web", "h1").why == "the deployment was interrupted"


def test_an_interruption_is_seen_also_where_its_signal_wakes_nobody(monkeypatch):
    def into():
        main = threading.main_thread().ident
        while not sys._current_frames()[main].f_code.co_filename.endswith("asking.py"):
            time.sleep(0.01)  # until it waits for questions
        time.sleep(0.1)
        return threading.get_ident()

    world, _ = interrupting(monkeypatch, 1, into=into)
    with pytest.raises(KeyboardInterrupt):
        world.apply(planned(NET, WEB))
    assert states(world.journal.finished) == {"net h1": "succeeded", "web h1": "skipped"}


def test_a_second_interruption_leaves_at_once_and_says_what_is_unknown(monkeypatch):
    monkeypatch.setattr("octossh.deploying.control._ONE_INTERRUPT_S", -1.0)
    world, go_on = interrupting(monkeypatch, 2, apart=True)
    with pytest.raises(KeyboardInterrupt):
        world.apply(planned(NET))
    ended = world.journal.finished
    recorded = list(world.calls)
    go_on.set()
    assert ended.state is oc.State.INTERRUPTED
    assert states(ended) == {"net h1": "unknown"}
    assert "it ran when the deployment was left" in ended.error
    assert recorded[-1] == "finish"


def test_a_host_that_hangs_is_left_when_its_time_is_over_after_one_interruption(monkeypatch):
    world, go_on = interrupting(monkeypatch, 1, apart=True)
    with pytest.raises(KeyboardInterrupt):
        world.apply(planned(NET, hosts=2, rollout=oc.Rollout(grace_s=0.1)))
    ended = world.journal.finished
    go_on.set()
    assert states(ended) == {"net h1": "unknown", "net h2": "succeeded"}
    assert ended.hosts is oc.Hosts.UNKNOWN


def test_a_step_that_is_left_while_its_start_is_recorded_does_not_begin_and_is_unknown():
    record = Journal([])
    journal = _Journal(record, SimpleNamespace(id="d1"), None, Control())
    record.record = lambda event, outcome: journal.close()
    with pytest.raises(Interrupted):
        journal.begin("web", "h1")
    with pytest.raises(Interrupted):
        journal.begin("web", "h2")
    assert list(journal.begun) == [("web", "h1")]


def test_a_question_whether_to_stop_that_breaks_does_not_stop_the_clock(monkeypatch, caplog):
    monkeypatch.setattr("octossh.deploying.control._POLL_S", 0.05)
    go_on = threading.Event()

    def slow():
        assert go_on.wait(10)
        return says()

    world = World({"net h1": slow})
    made = planned(NET, rollout=oc.Rollout(timeout_s=0.2, grace_s=0.1))
    ended = world.apply(made, cancelled=lambda: 1 / 0, check=False)
    go_on.set()
    assert (ended.state, states(ended)) == (oc.State.FAILED, {"net h1": "unknown"})
    assert "whether somebody wants the deployment to stop cannot be seen" in caplog.text


def test_whoever_went_on_after_a_wait_is_told_the_limit_and_not_what_was_left_of_it():
    control = Control(60)
    with Watch(control, 0.0, 600, None), control.bell:
        assert control.bell.wait_for(lambda: control.stopping, 10)
    assert control.why == "it did not end within 600 s"


def test_an_interruption_at_any_other_moment_leaves_an_end_in_the_record_too():
    def on_event(event):
        if event.type == "deployment_started":
            raise KeyboardInterrupt

    world = World(on_event=on_event)
    with pytest.raises(KeyboardInterrupt):
        world.apply(planned(NET))
    assert world.journal.finished.state is oc.State.INTERRUPTED
