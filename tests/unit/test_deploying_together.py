"""Steps that are sent to a host together: which, and what happens when something goes wrong in the middle."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import attrs
import pytest
from worlds import DO, FAILED, GONE, NET, WEB, World, failing, hub, planned, says, states

import octossh as oc
from octossh.planning import together

VOLUME = oc.CreateVolume("data")
PULL = oc.PullImage("ahead", image=hub.image("acme/web"))
OTHER = oc.RunContainer("other", image=hub.image("acme/web"))


def parts_of(script):
    return 1 + script.body.count("\noctossh_part ")


class Streaming(oc.Replay):
    """Plays several steps in one script as a host does it: part after part, until one does not succeed."""

    streams = True

    def __init__(self, answer, on_connect=None):
        super().__init__(answer, on_connect)
        self.plays = {}

    def run(self, target, script, *, on_frame=None, on_line=None, **more):
        self.connect(target)
        count = parts_of(script)
        if count == 1:
            return super().run(target, script, on_frame=on_frame, on_line=on_line, **more)
        self.calls.append(script)
        frames = []
        for number in range(1, count + 1):
            if number > 1:
                for stream in ("out", "err"):
                    on_frame(oc.Frame("part", f"{number} {stream}"))
            answer = self.plays[target.name].pop(0)
            answer = answer() if callable(answer) else answer
            if isinstance(answer, BaseException):
                self.connected.discard(target.name)
                raise answer
            on_line(f"part {number}")
            for frame in answer:
                on_frame(frame)
            frames += answer
            if answer[-1].text.split()[0] != "succeeded":
                return oc.Result(tuple(frames), "", 1, datetime.now(UTC), 0.0)
        return oc.Result(tuple(frames), "", 0, datetime.now(UTC), 0.0)


class Together(World):
    def __init__(self, plays, answers=None, **more):
        super().__init__(answers, **more)
        self.transport = Streaming(self._answer, more.get("on_connect"))
        self.transport.plays = plays

    @property
    def names(self):
        """The scripts that were sent, with the number of their parts where there are several."""
        scripts = [getattr(call, "script", call) for call in self.transport.calls]
        return [(script.name, parts_of(script)) for script in scripts]

    def recorded(self, step, target="h1"):
        return [call.split()[0] for call in self.calls if call.endswith(f" {step} {target}")]


def lost():
    return oc.ConnectionLost("h1: the link is gone")


@pytest.mark.parametrize(
    ("steps", "hosts", "behind"),
    [
        ((NET, VOLUME, WEB), 1, ["data", "web"]),
        ((NET, VOLUME, WEB), 3, ["data", "web"]),
        ((NET, VOLUME, WEB, OTHER), 1, ["data", "web", "other"]),
        ((NET, VOLUME, WEB, OTHER), 3, ["data", "web"]),
        ((PULL, WEB), 3, ["web"]),
        ((attrs.evolve(NET, replace=True), WEB), 3, None),
        ((attrs.evolve(NET, required=True), WEB), 3, None),
        ((NET, attrs.evolve(WEB, rolling=oc.Rolling("100%"))), 3, None),
        ((NET, attrs.evolve(WEB, when="always")), 1, None),
        ((NET, attrs.evolve(WEB, start="with_previous")), 1, None),
        ((NET, DO, WEB), 1, None),
        ((NET, oc.Approve("ask"), WEB), 1, None),
    ],
)
def test_which_steps_go_together(steps, hosts, behind):
    found = together(planned(*steps, hosts=hosts))
    first = steps[0].name
    made = found.get((first, "h1"))
    assert (made and [task.step.name for task in made]) == behind


@pytest.mark.parametrize("rollout", [oc.Rollout(parallel=2), oc.Rollout(per_gateway=2)])
def test_where_few_hosts_may_be_in_work_at_once_each_step_goes_alone(rollout):
    assert together(planned(NET, WEB, hosts=3, rollout=rollout)) == {}


def test_the_record_tells_before_they_are_sent_what_goes_together():
    world = Together({"h1": [says(), says(), says()]})
    ended = world.apply(planned(NET, VOLUME, WEB))
    assert ended.ok
    assert world.names == [("create_network net", 3)]
    steps = [(event.type, event.step, dict(event.data).get("behind")) for event in world.journal.events]
    assert steps == [
        ("step_started", "net", ["data", "web"]), ("step_finished", "net", None),
        ("step_started", "data", None), ("step_finished", "data", None),
        ("step_started", "web", None), ("step_finished", "web", None),
    ]  # fmt: skip
    lines = [(event.step, event.data["line"]) for event in world.events if event.type == "output"]
    assert lines == [("net", "part 1"), ("data", "part 2"), ("web", "part 3")]
    assert [outcome.log for outcome in ended.outcomes] == ["part 1\n", "part 2\n", "part 3\n"]


def test_what_goes_together_waits_for_a_host_whose_link_was_lost_before():
    world = Together({"h1": [lambda: oc.ConnectError("h1: refused", "refused"), says(), says()]})
    world.transport.reaches = lambda target: target.name in world.transport.connected
    ended = world.apply(planned(NET, WEB))
    assert ended.ok
    assert world.names == [("create_network net", 2)] * 2
    lines = [(event.step, event.data["line"]) for event in world.events if event.type == "output"]
    assert [step for step, line in lines if "the link was lost before the step began" in line] == ["net"]


def test_what_cannot_be_recorded_is_not_sent():
    world = Together({"h1": []}, refuse=lambda what: what == "step_started net h1")
    with pytest.raises(oc.RecordError) as caught:
        world.apply(planned(NET, WEB))
    assert (caught.value.hosts, world.names) == (oc.Hosts.UNTOUCHED, [])


def test_what_stands_behind_a_step_that_fails_is_left_out():
    world = Together({"h1": [says(), FAILED]})
    error = failing(world, planned(NET, VOLUME, WEB))
    assert states(error.deployment) == {"net h1": "succeeded", "data h1": "failed", "web h1": "skipped"}
    assert world.recorded("web") == []


def test_what_stands_behind_a_step_that_somebody_lets_pass_is_sent_by_itself():
    world = Together({"h1": [FAILED]})
    ended = world.apply(planned(NET, WEB), decider=lambda _request: oc.Decision("ignore", by="ada"))
    assert world.names == [("create_network net", 2), ("run_container web", 1)]
    assert states(ended) == {"net h1": "failed", "web h1": "succeeded"}


def test_a_step_that_is_tried_again_and_those_behind_it_go_alone():
    world = Together({"h1": [FAILED]})
    ended = world.apply(planned(attrs.evolve(NET, retry=oc.Retry(1, delay_s=0)), WEB))
    assert ended.ok
    assert world.names == [("create_network net", 2), ("create_network net", 1), ("run_container web", 1)]


def test_what_a_host_has_begun_is_recorded_when_another_one_has_failed_meanwhile():
    at_web, failed = threading.Event(), threading.Event()

    def first():
        assert at_web.wait(10)
        return FAILED

    def second():
        at_web.set()
        assert failed.wait(10)
        return says()

    world = Together({"h1": [first], "h2": [says(), second]})
    seen = world.events.append

    def on_event(event):
        seen(event)
        if (event.type, event.step, event.target) == ("step_finished", "net", "h1"):
            failed.set()

    world.on_event = on_event
    error = failing(world, planned(NET, WEB, hosts=2))
    assert states(error.deployment) == {
        "net h1": "failed", "web h1": "skipped", "net h2": "succeeded", "web h2": "succeeded",
    }  # fmt: skip
    assert world.recorded("web", "h2") == ["step_started", "step_finished"]


def test_after_a_lost_link_each_step_is_asked_for_by_itself():
    answers = {"data": says(action="unchanged", changed="no"), "web": [GONE, says()]}
    world = Together({"h1": [says(), lost]}, answers)
    ended = world.apply(planned(NET, VOLUME, WEB))
    assert ended.ok
    assert world.names == [
        ("create_network net", 3), ("attach data", 1), ("attach web", 1), ("run_container web", 1),
    ]  # fmt: skip
    assert ended.outcome("data", "h1").action == "unchanged"


def test_a_host_that_runs_out_of_time_is_unknown_where_it_was_and_has_begun_nothing_else():
    world = Together({"h1": [says(), lambda: oc.TimedOut("h1: 1800 s")]})
    error = failing(world, planned(NET, VOLUME, WEB))
    assert error.hosts is not oc.Hosts.UNTOUCHED
    assert world.names == [("create_network net", 3)]
    assert states(error.deployment) == {"net h1": "succeeded", "data h1": "unknown", "web h1": "skipped"}


def test_what_is_left_in_the_middle_is_unknown():
    left = threading.Event()

    def hangs():
        raise AssertionError(left.wait(30))

    world = Together({"h1": [says(), hangs]})
    cancelled = oc.Cancellation(by="ada", now=True)

    def asked():
        begun = any((event.type, event.step) == ("step_started", "data") for event in world.journal.events)
        return cancelled if begun else None

    try:
        error = failing(world, planned(NET, VOLUME, WEB), cancelled=asked)
    finally:
        left.set()
    assert states(error.deployment) == {"net h1": "succeeded", "data h1": "unknown", "web h1": "unknown"}
    assert "sent behind another step" in error.deployment.outcome("web", "h1").why


class Ahead(Together):
    """Notes for which hosts a session was begun ahead."""

    def __init__(self, plays, answers=None):
        super().__init__(plays, answers)
        self.journal.comes_back = False
        self.transport.ahead = self._noted

    def _noted(self, target, *, now=False):
        self.calls.append(f"{'first' if now else 'ahead'} {target.name}")

    @property
    def order(self):
        return [call for call in self.calls if call.startswith(("ahead", "sent"))]


def test_hosts_make_ready_once_the_beginning_is_recorded():
    world = Ahead({}, {})
    world.apply(planned(WEB, hosts=3))
    assert world.calls[:4] == ["start", "first h1", "first h2", "first h3"]
    few = Ahead({}, {})
    few.apply(planned(WEB, hosts=3, rollout=oc.Rollout(parallel=2)))
    assert [call for call in few.calls if call.startswith("first")] == ["first h1", "first h2"]


def test_a_session_is_begun_ahead_for_what_follows_and_for_nothing_else():
    world = Ahead({}, {})
    world.apply(planned(WEB, DO, hosts=2))
    assert sorted(world.order[:4]) == ["ahead h1", "ahead h2", "sent web h1", "sent web h2"]
    assert sorted(world.order[4:]) == ["sent do h1", "sent do h2"]


def test_a_host_that_says_something_is_asked_once_more_where_it_is_to_tell_how_it_ended():
    world = Ahead({"h1": [says(), says()]})
    world.journal.comes_back = True
    world.apply(planned(NET, WEB))
    assert world.order == ["ahead h1"]
    quiet = Ahead({"h1": [says(), says()]})
    quiet.apply(planned(NET, WEB))
    assert quiet.order == []


def test_where_there_is_no_thread_to_send_them_they_are_sent_all_the_same(few):
    few["octossh h1 net"] = 0
    world = Together({"h1": [says(), says()]})
    ended = world.apply(planned(NET, WEB))
    assert ended.ok
    assert [parts for _, parts in world.names] == [2]
