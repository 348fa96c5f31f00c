"""Applying a plan: what is recorded when, what stops what, and what is true of the hosts afterwards."""

from __future__ import annotations

import base64
import pickle
import threading

import attrs
import pytest
from fleet import MOMENT
from worlds import DO, FAILED, KEY, NET, WEB, World, failing, planned, says, states

import octossh as oc


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
