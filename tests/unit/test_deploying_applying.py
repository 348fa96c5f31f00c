"""Applying a plan: what is recorded when, what stops what, and what is true of the hosts afterwards."""

from __future__ import annotations

import base64
import json
import pickle
import re
import signal
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import attrs
import pytest
from fleet import MOMENT

import octossh as oc
from octossh.deploying import apply
from octossh.deploying.asking import Interrupted
from octossh.deploying.control import Control
from octossh.deploying.journal import Journal as _Journal
from octossh.planning import plan

hub = oc.Registry("hub", "https://registry.example.com")
NET = oc.CreateNetwork("net")
WEB = oc.RunContainer("web", image=hub.image("acme/web"))
DO = oc.RunScript("do", script="true")
KEY = "geheim/& value"


def targets(count):
    return tuple(oc.Target(f"h{number}", f"h{number}", environments=["Dev"]) for number in range(1, count + 1))


def planned(*steps, hosts=1, secrets=None, **more):
    process = oc.Process(steps)
    release = oc.Release(
        project="shop",
        number="0.0.1",
        channel="stable",
        process=process,
        pins=tuple(oc.Pin(image=image, tag="1", digest="sha256:" + "a" * 64) for image in process.images),
        created_at=MOMENT,
    )
    return plan(release, "Dev", targets(hosts), secrets=secrets, **more)


def says(state="succeeded", action="created", changed="yes", why="", *, inspect=None, outputs=None):
    """The frames of a script that came to its end."""
    made = [oc.Frame("begin")]
    if inspect is not None:
        made.append(oc.Frame("inspect", json.dumps(inspect)))
    made += [oc.Frame("output", f"{n} {base64.b64encode(v.encode()).decode()}") for n, v in (outputs or {}).items()]
    return [*made, oc.Frame("end", f"{state} {action} {changed} {why}")]


FAILED = says("failed", "none", "no", "no space left")
GONE = says("failed", "gone", "no", "this host knows nothing of that run")


class Journal:
    """Remembers what was recorded, and refuses when it is told to."""

    def __init__(self, calls, refuse=lambda what: False):
        self.calls, self.refuse = calls, refuse
        self.finished = None
        self.events = []

    def _note(self, what):
        if self.refuse(what):
            raise oc.RecordError("the disk is full")
        self.calls.append(what)

    def start(self, deployment):
        assert deployment.state is oc.State.RUNNING
        self._note("start")

    def record(self, event, outcome=None):
        assert (outcome is not None) == (event.type == "step_finished")
        self.events.append(event)
        self._note(f"{event.type} {event.step} {event.target}".strip())

    def finish(self, deployment):
        self._note("finish")
        self.finished = deployment


class World:
    """A plan's surroundings: a transport that answers by step and target, a journal, and one list of all calls."""

    def __init__(self, answers=None, *, refuse=lambda what: False, on_connect=None, on_event=None):
        self.calls, self.events = [], []
        self.answers = answers or {}
        self.transport = oc.Replay(self._answer, on_connect)
        self.journal = Journal(self.calls, refuse)
        self.on_event = on_event or self.events.append

    def _answer(self, target, script):
        name = script.name.split(" ", 1)[1]
        self.calls.append(f"sent {name} {target.name}")
        answer = self.answers.get(f"{name} {target.name}", self.answers.get(name, says()))
        if isinstance(answer, list) and answer and not isinstance(answer[0], oc.Frame):
            answer = answer.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, BaseException):
            self.transport.connected.discard(target.name)
            raise answer
        return answer

    def apply(self, made, **more):
        deployment = oc.Deployment(
            id="d1",
            project="shop",
            release="0.0.1",
            environment="Dev",
            mode=oc.Mode.DEPLOY,
            state=oc.State.RUNNING,
            started_at=datetime.now(UTC),
        )
        return apply(made, self.transport, self.journal, deployment, on_event=self.on_event, **more)

    @property
    def sent(self):
        return [call.removeprefix("sent ") for call in self.calls if call.startswith("sent ")]


def states(deployment):
    return {f"{outcome.step} {outcome.target}": outcome.state.value for outcome in deployment.outcomes}


def failing(world, made, **more):
    with pytest.raises(oc.DeployFailed) as caught:
        world.apply(made, **more)
    assert caught.value.deployment == world.journal.finished
    return caught.value


def test_intent_is_recorded_before_the_act_and_the_outcome_after_it():
    world = World()
    ended = world.apply(planned(NET, WEB))
    assert world.calls == [
        "start",
        "step_started net h1", "sent net h1", "step_finished net h1",
        "step_started web h1", "sent web h1", "step_finished web h1",
        "finish",
    ]  # fmt: skip
    assert ended == world.journal.finished
    assert (ended.state, ended.hosts, ended.error) == (oc.State.SUCCEEDED, oc.Hosts.CHANGED, "")
    assert [event.type for event in world.events] == [
        "deployment_started", "step_started", "step_finished", "step_started", "step_finished", "deployment_finished",
    ]  # fmt: skip


def test_outcomes_stand_in_the_order_of_the_plan_and_hold_what_came_back():
    world = World({"net": says(inspect={"Name": "shop-dev-net"}), "do": says(action="ran", outputs={"A": "x\ny"})})
    ended = world.apply(planned(NET, DO, hosts=3))
    assert list(states(ended)) == ["net h1", "net h2", "net h3", "do h1", "do h2", "do h3"]
    net, do = ended.outcome("net", "h2"), ended.outcome("do", "h2")
    assert (net.action, net.changed, net.exit_code, net.inspect) == ("created", True, 0, {"Name": "shop-dev-net"})
    assert dict(do.outputs) == {"A": "x\ny"}
    assert net.script.startswith("sha256:")
    assert net.started_at <= net.finished_at <= ended.finished_at


def test_after_a_failure_nothing_more_is_started_and_the_rest_is_skipped():
    world = World({"net h2": FAILED})
    error = failing(world, planned(NET, WEB, DO, hosts=3))
    assert sorted(world.sent) == ["net h1", "net h2", "net h3"]
    assert states(error.deployment) == {
        "net h1": "succeeded", "net h2": "failed", "net h3": "succeeded",
        "web h1": "skipped", "web h2": "skipped", "web h3": "skipped",
        "do h1": "skipped", "do h2": "skipped", "do h3": "skipped",
    }  # fmt: skip
    assert error.deployment.error == "h2: step 'net' failed: no space left"
    assert "no space left" in str(error)
    assert "an earlier step did not succeed" in error.deployment.outcome("do", "h1").why


def test_a_wave_starts_when_the_one_before_it_has_succeeded():
    world = World()
    world.apply(planned(attrs.evolve(WEB, rolling=oc.Rolling([1, "100%"])), hosts=3))
    assert world.calls.index("step_finished web h1") < min(world.calls.index(f"step_started web h{n}") for n in (2, 3))
    assert len(world.sent) == 3


def test_a_wave_that_fails_keeps_the_next_one_from_starting():
    world = World({"web h1": FAILED})
    error = failing(world, planned(attrs.evolve(WEB, rolling=oc.Rolling([1, "100%"])), DO, hosts=3))
    assert world.sent == ["web h1"]
    assert list(states(error.deployment).values()) == ["failed"] + ["skipped"] * 5
    assert error.hosts is oc.Hosts.UNTOUCHED


def test_the_hosts_of_a_wave_run_beside_each_other():
    together = threading.Barrier(3, timeout=10)

    def wait():
        together.wait()
        return says()

    assert World({"web": wait}).apply(planned(WEB, hosts=3)).ok


def test_a_deferred_step_gets_what_the_earlier_one_left_on_its_host():
    world = World({"net": says(inspect={"Name": "the-net"})})
    step = oc.RunScript("do", script="echo {{ steps.net.inspect.Name }} {{ steps.net.on['h1'].inspect.Name }}")
    made = planned(NET, step)
    assert [task.after for task in made.tasks] == ["", "net"]
    assert world.apply(made).ok
    assert "echo the-net the-net" in world.transport.calls[-1].script.body


def test_an_expression_that_fails_late_is_a_failed_step_and_nothing_is_sent_for_it():
    world = World({"net": says(inspect={})})
    error = failing(world, planned(NET, oc.RunScript("do", script="echo {{ steps.net.inspect.Name }}")))
    assert world.sent == ["net h1"]
    assert "'Name'" in error.deployment.outcome("do", "h1").why
    assert error.hosts is oc.Hosts.CHANGED


def lost():
    return oc.ConnectionLost("h1: the link is gone")


@pytest.fixture
def at_once(monkeypatch):
    """A host that is not reached again is given up at once."""
    monkeypatch.setattr("octossh.deploying.following.RECONNECT_S", 0.0)


def test_after_a_lost_link_the_host_is_asked_once_more():
    connects = []
    world = World(
        {"web": [lost, says(action="unchanged", changed="no")]}, on_connect=lambda target: connects.append(target.name)
    )
    ended = world.apply(planned(NET, WEB))
    assert ended.ok
    assert world.sent == ["net h1", "web h1", "web h1"]
    assert connects == ["h1", "h1"]
    assert world.calls.count("step_started web h1") == 1
    assert any("the link was lost" in event.data.get("line", "") for event in world.events)


def test_a_link_that_is_lost_again_and_again_leaves_an_unknown_host(at_once):
    world = World({"web": lost})
    error = failing(world, planned(WEB))
    assert world.sent == ["web h1", "web h1"]
    assert (states(error.deployment), error.hosts) == ({"web h1": "unknown"}, oc.Hosts.UNKNOWN)
    assert "deploy the same release again" in error.deployment.outcome("web", "h1").why


def test_a_host_that_does_not_come_back_is_unknown_not_failed(at_once):
    refused = iter([None, oc.ConnectError("h1: refused", "refused")])

    def on_connect(target):
        if error := next(refused):
            raise error

    error = failing(World({"web": lost}, on_connect=on_connect), planned(WEB))
    assert error.hosts is oc.Hosts.UNKNOWN
    assert "h1: refused" in str(error)


def test_a_script_of_the_user_is_never_sent_twice():
    world = World({"do": [lost, GONE]})
    error = failing(world, planned(DO, WEB))
    assert [call.script.name for call in world.transport.calls] == ["run_script do", "attach do"]
    assert states(error.deployment) == {"do h1": "unknown", "web h1": "skipped"}
    assert "octossh resume d1" in error.deployment.outcome("do", "h1").why


def test_a_script_of_the_user_is_found_again_after_a_lost_link():
    world = World({"do": [lost, lost, says(action="ran", outputs={"A": "x"})]})
    ended = world.apply(planned(DO))
    assert (ended.ok, dict(ended.outcomes[0].outputs)) == (True, {"A": "x"})
    assert [call.script.name for call in world.transport.calls] == ["run_script do", "attach do", "attach do"]


def test_a_script_that_does_not_end_in_time_is_ended_on_its_host():
    answers = [oc.TimedOut("h1: 900 s"), says(action="stopped"), says("failed", "ran", "yes", "it was ended")]
    world = World({"do": answers})
    error = failing(world, planned(DO))
    assert [call.script.name for call in world.transport.calls] == ["run_script do", "end do", "attach do"]
    assert "did not end within 900 s" in world.transport.calls[1].script.body
    assert (states(error.deployment), error.hosts) == ({"do h1": "failed"}, oc.Hosts.CHANGED)


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        ([oc.TimedOut("h1: 900 s"), says(action="stopped"), says(), FAILED], ["end do", "forget do", "attach do"]),
        ([lost, FAILED], ["attach do", "forget do"]),
    ],
    ids=["out of time", "link lost"],
)
def test_the_container_of_a_script_that_is_ended_is_removed(answers, sent):
    world = World({"do": [*answers, says()]})
    failing(world, planned(attrs.evolve(DO, image=WEB.image, on_lost_link="abort")))
    first, *others = (call.script for call in world.transport.calls)
    assert [script.name for script in others] == sent
    removed = re.search(r"docker rm -f -v (\S+)", others[1].body)
    assert removed is not None
    assert f"docker run --rm -i --name {removed[1]} " in first.body


def test_a_script_that_is_found_again_is_ended_in_time_too():
    answers = [lost, oc.TimedOut("h1: 900 s"), says(action="stopped"), says("failed", "ran", "yes", "it was ended")]
    world = World({"do": answers})
    error = failing(world, planned(DO))
    assert [call.script.name for call in world.transport.calls][2:] == ["end do", "attach do"]
    assert states(error.deployment) == {"do h1": "failed"}


@pytest.mark.parametrize(
    "answers",
    [[oc.ConnectError("h1: refused")], [GONE, GONE], [says(action="stopped"), oc.TimedOut("h1: 30 s")]],
    ids=["it is not reached", "it knows nothing of it", "it goes on"],
)
def test_a_script_that_may_still_run_after_its_time_is_unknown_not_failed(answers):
    error = failing(World({"do": [oc.TimedOut("h1: 900 s"), *answers]}), planned(DO))
    assert (states(error.deployment), error.hosts) == ({"do h1": "unknown"}, oc.Hosts.UNKNOWN)
    assert "did not end within 900 s, and it is not known how it ended" in error.deployment.error


def test_a_step_that_its_host_knows_nothing_of_is_sent_once_more_under_another_number():
    world = World({"web": [lost, GONE, says()]})
    assert world.apply(planned(WEB)).ok
    first, _, second = (call.script for call in world.transport.calls)
    assert (first.name, first.body == second.body) == (second.name, False)  # it waits longer for the lock
    runs = [script.ahead.partition("\n")[0] for script in (first, second)]
    assert [run.rpartition(".")[2] for run in runs] == ["01", "02"]
    assert len({run.rpartition(".")[0] for run in runs}) == 1


ENDS = {
    "nothing was done": ([FAILED], "failed", oc.Hosts.UNTOUCHED, 1),
    "half of it was done": ([says("failed", "none", "yes", "x")], "failed", oc.Hosts.CHANGED, 1),
    "the old one was put back": ([says("failed", "put-back", "yes", "x")], "failed", oc.Hosts.CHANGED, 1),
    "somebody else has the lock": ([says("locked", "none", "no", "held by d0")], "failed", oc.Hosts.UNTOUCHED, 4),
    "it did not end in time": ([oc.TimedOut("h1: 900 s")], "unknown", oc.Hosts.UNKNOWN, 1),
    "it ended without a word": ([[oc.Frame("begin")]], "unknown", oc.Hosts.UNKNOWN, 1),
    "it never began": ([127], "unknown", oc.Hosts.UNKNOWN, 1),
    "the link was refused": ([oc.ConnectError("h1: refused")], "failed", oc.Hosts.UNTOUCHED, 1),
    "the answer cannot be read": ([[oc.Frame("inspect", "{")]], "unknown", oc.Hosts.UNKNOWN, 1),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_failure_says_what_is_true_of_the_hosts(what):
    (answer,), state, hosts, code = ENDS[what]
    error = failing(World({"web": [answer]}), planned(WEB))
    assert (states(error.deployment), error.hosts, error.exit_code) == ({"web h1": state}, hosts, code)
    assert error.deployment.outcome("web", "h1").why


def test_a_locked_host_among_changed_ones_is_a_failure_not_a_refusal():
    error = failing(World({"web h1": says("locked", "none", "no", "held")}), planned(WEB, hosts=2))
    assert (error.hosts, error.exit_code) == (oc.Hosts.CHANGED, 1)


def test_without_a_check_the_deployment_comes_back_either_way():
    assert World({"web": FAILED}).apply(planned(WEB), check=False).state is oc.State.FAILED


def test_a_host_that_refuses_keeps_all_hosts_untouched():
    def on_connect(target):
        if target.name != "h1":
            raise oc.ConnectError(f"{target.name}: refused", "refused")

    world = World(on_connect=on_connect)
    with pytest.raises(oc.ConnectError, match="h2: refused") as caught:
        world.apply(planned(WEB, hosts=3))
    assert world.calls == world.transport.calls == []
    assert caught.value.__notes__ == ["2 of 3 hosts failed; this is the first of them"]
    assert caught.value.hosts is oc.Hosts.UNTOUCHED


def test_a_host_that_has_nothing_to_do_need_not_answer():
    asked = []
    made = planned(WEB, hosts=2)
    World(on_connect=lambda target: asked.append(target.name)).apply(attrs.evolve(made, tasks=made.tasks[:1]))
    assert asked == ["h1"]


def test_a_plan_with_a_refusal_is_not_applied():
    world = World()
    made = planned(WEB)
    refusal = attrs.evolve(made.tasks[0], action=oc.Action.REFUSE, why="the container web is not ours")
    with pytest.raises(oc.PlanError, match="h1: step 'web' cannot be done: the container web is not ours"):
        world.apply(attrs.evolve(made, tasks=(refusal,)))
    assert world.calls == []


@pytest.mark.parametrize(
    ("refused", "sent", "hosts"),
    [
        ("start", [], oc.Hosts.UNTOUCHED),
        ("step_started net h1", [], oc.Hosts.UNTOUCHED),
        ("step_finished net h1", ["net h1"], oc.Hosts.CHANGED),
        ("step_started web h1", ["net h1"], oc.Hosts.CHANGED),
        ("finish", ["net h1", "web h1"], oc.Hosts.CHANGED),
    ],
)
def test_when_the_record_cannot_be_written_the_next_step_is_not_sent(refused, sent, hosts):
    world = World(refuse=lambda what: what == refused)
    with pytest.raises(oc.RecordError, match="the disk is full") as caught:
        world.apply(planned(NET, WEB))
    assert world.sent == sent
    assert caught.value.hosts is hosts


def test_a_callback_that_raises_does_no_harm(caplog):
    def on_event(event):
        raise RuntimeError("no terminal")

    assert World(on_event=on_event).apply(planned(NET, WEB)).ok
    assert "the callback for events failed" in caplog.text


def interrupting(monkeypatch, times, *, apart=False):
    """A world whose first step waits until Ctrl-C was pressed so many times."""
    stopped, go_on = threading.Event(), threading.Event()
    stop = Control.stop

    def stopping(self, *args, **more):
        stop(self, *args, **more)
        stopped.set()

    def slow():
        for number in range(times):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
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
    journal = _Journal(record, SimpleNamespace(id="d1"), None, lambda: None)
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


def test_a_host_for_which_there_is_no_thread_holds_up_nothing(monkeypatch):
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "octossh h1":
            monkeypatch.setattr(threading.Thread, "start", start)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    both = [NET, attrs.evolve(NET, name="beside", start="with_previous")]
    ended = World().apply(planned(*both), check=False)
    assert ended.state is oc.State.FAILED
    assert "can't start new thread" in ended.error


def test_an_interruption_at_any_other_moment_leaves_an_end_in_the_record_too():
    def on_event(event):
        if event.type == "deployment_started":
            raise KeyboardInterrupt

    world = World(on_event=on_event)
    with pytest.raises(KeyboardInterrupt):
        world.apply(planned(NET))
    assert world.journal.finished.state is oc.State.INTERRUPTED


def test_a_secret_stands_nowhere_but_in_what_goes_to_the_host():
    secrets = {"KEY": oc.Secret(KEY)}
    result = oc.Result(
        frames=tuple(
            says("failed", "none", "yes", f"bad {KEY}", inspect={"Config": {"Cmd": [KEY]}}, outputs={"A": KEY})
        ),
        log=f"key={KEY}\nb64={base64.b64encode(KEY.encode()).decode()}\n",
        exit_code=1,
        started_at=MOMENT,
        duration_s=0.0,
    )
    world = World({"web": result})
    step = attrs.evolve(WEB, env={"KEY": oc.secret("KEY")})
    made = planned(step, secrets=secrets)
    error = failing(world, made, secrets=secrets)
    (call,) = world.transport.calls
    assert call.secrets == call.script.secrets == ("KEY",)
    shown = [
        repr(call.script.body),
        repr(made),
        str(made),
        repr(made.to_dict()),
        str(error),
        repr(error.deployment.to_dict()),
    ]
    shown += [repr(event) for event in world.events]
    assert [text for text in shown if "geheim" in text or "Z2VoZWlt" in text] == []
    outcome = error.deployment.outcome("web", "h1")
    assert (outcome.why, outcome.inspect, dict(outcome.outputs)) == (
        "bad ***",
        {"Config": {"Cmd": ["***"]}},
        {"A": "***"},
    )
    assert outcome.log.startswith("key=***\n")


def test_secrets_that_a_script_does_not_name_are_not_sent():
    world = World()
    secrets = {"KEY": oc.Secret(KEY), "OTHER": oc.Secret("other")}
    world.apply(planned(NET, attrs.evolve(WEB, env={"KEY": oc.secret("KEY")}), secrets=secrets), secrets=secrets)
    assert [call.secrets for call in world.transport.calls] == [(), ("KEY",)]


def test_the_login_for_a_pull_is_got_when_its_step_is_sent_and_stands_nowhere_else():
    tokens = iter(["token-for-h1", "token-for-h2"])
    asked = []

    def login(image):
        asked.append((image.repository, len(world.transport.calls)))
        return oc.Credentials("", next(tokens), "bearer")

    world = World({"web": oc.Result(tuple(says()), "docker pull: token-for-h1 token-for-h2\n", 0, MOMENT, 0.0)})
    step = attrs.evolve(WEB, rolling=oc.Rolling([1, 1]))
    secrets, logins = {"registry:hub": oc.Secret("the password")}, {WEB.image.registry.name: "registry:hub"}
    ended = world.apply(planned(step, hosts=2), secrets=secrets, logins=logins, login=login)
    assert asked == [(WEB.image.repository, 0), (WEB.image.repository, 1)]
    assert [call.secrets for call in world.transport.calls] == [("registry:hub",), ("registry:hub",)]
    logs = [outcome.log for outcome in ended.outcomes]
    assert logs == ["docker pull: *** token-for-h2\n", "docker pull: *** ***\n"]


def test_a_login_that_cannot_be_got_fails_its_step_and_changes_nothing():
    def login(image):
        raise oc.RegistryError("there is no token")

    world = World()
    secrets, logins = {"registry:hub": oc.Secret("the password")}, {WEB.image.registry.name: "registry:hub"}
    error = failing(world, planned(WEB), secrets=secrets, logins=logins, login=login)
    assert (error.hosts, error.deployment.outcomes[0].why) == (oc.Hosts.UNTOUCHED, "there is no token")
    assert world.transport.calls == []


def test_a_failed_deployment_comes_back_from_a_pickle():
    error = failing(World({"web": FAILED}), planned(WEB))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.hosts, again.deployment) == (str(error), error.hosts, error.deployment)
    assert pickle.loads(pickle.dumps(oc.HostKeyError("unknown"))).kind == "host_key"


def test_a_transport_that_breaks_in_an_unheard_of_way_leaves_an_end_in_the_record():
    world = World({"web": RuntimeError("a bug")})
    with pytest.raises((oc.DeployFailed, RuntimeError)):
        world.apply(planned(WEB))
    assert world.journal.finished is not None
