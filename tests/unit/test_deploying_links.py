"""Applying a plan over links that are lost: runs are found again, and what is not known is said."""

from __future__ import annotations

import inspect
import re
import threading

import attrs
import pytest
from worlds import DO, FAILED, GONE, NET, WEB, World, failing, planned, says, states

import octossh as oc
from octossh.deploying import following
from octossh.deploying.observing import connect, offline
from octossh.rendering.surviving import KEPT_S


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


def refused():
    return oc.ConnectError("h1: nothing listens there", "refused")


def reaching(*args, **more):
    """A world whose transport knows which hosts are connected, and so waits for those that are not."""
    world = World(*args, **more)
    world.transport.reaches = lambda target: target.name in world.transport.connected
    return world


@pytest.mark.parametrize("kind", ["dns", "kex", "not_ssh", "refused", "timeout", "unreachable"])
def test_a_transport_that_does_not_tell_whether_it_reaches_a_host_is_not_waited_for(kind):
    world = World({"web": [oc.ConnectError("h1: away on purpose", kind), says()]})
    error = failing(world, planned(NET, WEB))
    assert error.deployment.outcome("web", "h1").why == "h1: away on purpose"
    assert world.sent == ["net h1", "web h1"]


def test_a_step_whose_link_was_lost_before_it_waits_for_its_host_and_then_begins_once():
    world = reaching({"web": [refused, refused, says()]})
    ended = world.apply(planned(NET, WEB))
    assert ended.ok
    assert world.sent == ["net h1", "web h1", "web h1", "web h1"]
    assert world.calls.count("step_started web h1") == 1
    said = [event.data["line"] for event in world.events if event.type == "output"]
    assert said == ["octossh: the link was lost before the step began; connecting again to begin it"]


def test_a_step_whose_host_does_not_come_back_has_not_begun(at_once):
    error = failing(reaching({"web": refused}), planned(NET, WEB, DO))
    assert states(error.deployment) == {"net h1": "succeeded", "web h1": "failed", "do h1": "skipped"}
    outcome = error.deployment.outcome("web", "h1")
    assert not outcome.changed
    assert "h1: nothing listens there; it was not there again in 0 s, so the step has not begun" in outcome.why


@pytest.mark.parametrize("error", [oc.HostKeyError("h1: another key"), oc.AuthError("h1: no"), oc.ConnectError("h1")])
def test_a_host_that_says_no_is_not_asked_again(error):
    world = reaching({"web": error})
    assert states(failing(world, planned(WEB)).deployment) == {"web h1": "failed"}
    assert world.sent == ["web h1"]


def test_a_deployment_that_is_stopped_waits_for_no_host_that_is_away():
    hangs, stop, cancelled = threading.Event(), threading.Event(), oc.Cancellation("bob@desk")

    def on_connect(target):
        if world.sent:
            stop.set()
            assert hangs.wait(60)

    world = reaching({"web": refused}, on_connect=on_connect)
    try:
        error = failing(world, planned(NET, WEB), cancelled=lambda: cancelled if stop.is_set() else None)
    finally:
        hangs.set()
    assert (error.deployment.state, error.hosts) == (oc.State.INTERRUPTED, oc.Hosts.CHANGED)
    outcome = error.deployment.outcome("web", "h1")
    assert (outcome.state, outcome.changed) == (oc.State.FAILED, False)
    assert "the deployment was stopped while it connected again, so the step has not begun" in outcome.why


def test_a_link_that_is_known_to_be_gone_is_opened_before_the_step_and_nothing_is_said():
    connects = []
    world = reaching(on_connect=lambda target: connects.append(target.name))
    world.answers["net"] = lambda: (world.transport.connected.clear(), says())[1]
    assert world.apply(planned(NET, WEB)).ok
    assert connects == ["h1", "h1"]
    assert not [event for event in world.events if event.type == "output"]


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


def test_a_script_is_ended_over_another_connection_where_its_own_has_no_room():
    full = oc.ConnectError("h1: it did not open one more session", "sessions")
    ends = says(action="stopped"), says("failed", "ran", "yes", "it was ended")
    closed = []
    for hangs_up, answers, state in ((True, ends, "failed"), (False, (), "unknown"), (None, (), "unknown")):
        world = World({"do": [oc.TimedOut("h1: 900 s"), full, *answers]})
        if hangs_up is not None:
            world.transport.hang_up = lambda *given, hangs_up=hangs_up, **more: closed.append((given, more)) or hangs_up
        assert states(failing(world, planned(DO)).deployment) == {"do h1": state}
        assert hangs_up is None or closed.pop() == (planned(DO).targets, {"running": 0})
        first, *then = [call.script.ahead for call in world.transport.calls if call.script.name == "end do"]
        assert "octossh_claim=" not in first
        # What was claimed was bound to the connection that was closed.
        assert ["octossh_claim=octossh-shop-dev.claim." in ahead for ahead in then] == [True] * len(answers[:1])


def test_the_connection_of_a_script_stays_where_it_cannot_be_ended_for_another_reason():
    world = World({"do": [oc.TimedOut("h1: 900 s"), oc.ConnectError("h1: can't start new thread")]})
    world.transport.hang_up = lambda *_, **__: pytest.fail("the connection was closed")
    assert states(failing(world, planned(DO)).deployment) == {"do h1": "unknown"}


def test_the_container_of_a_script_that_is_ended_is_removed():
    world = World({"do": [oc.TimedOut("h1: 900 s"), says(action="stopped"), says(), FAILED]})
    failing(world, planned(attrs.evolve(DO, image=WEB.image, on_lost_link="abort")))
    first, *others = (call.script for call in world.transport.calls)
    assert [script.name for script in others] == ["end do", "forget do", "attach do"]
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
    [[oc.ConnectError("h1: refused", "refused")], [GONE, GONE], [says(action="stopped"), oc.TimedOut("h1: 30 s")]],
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
    assert first.name == second.name
    waits = "until docker version"  # a host that starts again lets us in before its docker answers
    assert (waits in first.body, waits in second.body) == (False, True)
    runs = [script.ahead.partition("\n")[0] for script in (first, second)]
    assert [run.rpartition(".")[2] for run in runs] == ["01", "02"]
    assert len({run.rpartition(".")[0] for run in runs}) == 1


CLAIMED, UNCLAIMED = oc.Frame("claimed"), oc.Frame("unclaimed")


def lets_go(call):
    return "octossh_lets_go=" in call.script.ahead


def test_each_step_claims_its_host_and_the_last_one_lets_it_go_without_one_more_question():
    world = World({"net": [CLAIMED, *says()], "web": [CLAIMED, UNCLAIMED, *says()]})
    world.apply(planned(NET, WEB))
    calls = world.transport.calls
    assert [call.script.name for call in calls] == ["create_network net", "run_container web"]
    assert all("octossh_claim=octossh-shop-dev.claim.d1.d1\n" in call.script.ahead for call in calls)
    assert [lets_go(call) for call in calls] == [False, True]


def test_a_claim_says_after_what_silence_nobody_is_there_and_whether_it_was_made_before():
    world = World({"net": [CLAIMED, *says()], "web": [CLAIMED, UNCLAIMED, *says()]})
    world.transport.silence_s = 25
    world.apply(planned(NET, WEB))
    first, second = (call.script.ahead for call in world.transport.calls)
    assert "\noctossh_silence=25\noctossh_held=no\n" in first
    assert "\noctossh_silence=25\noctossh_held=yes\n" in second


def test_a_claim_over_what_asks_nobody_holds_for_as_long_as_the_host_takes_it_for_open():
    world = World()
    world.apply(planned(NET))
    assert "\noctossh_silence=0\n" in world.transport.calls[0].script.ahead


@pytest.mark.parametrize("transport", [oc.SSH, oc.OpenSSH])
@pytest.mark.parametrize(("keepalive_s", "silence_s"), [(1, 15), (10, 25), (60, 150)])
def test_a_host_hears_several_times_of_whoever_lives_before_it_takes_it_for_gone(transport, keepalive_s, silence_s):
    with transport(keepalive_s=keepalive_s) as made:
        assert made.silence_s == silence_s


def test_a_silence_that_is_no_whole_number_of_seconds_is_a_little_longer_for_a_host():
    world = World()
    world.transport.silence_s = 12.5
    world.apply(planned(NET))
    assert "\noctossh_silence=13\n" in world.transport.calls[0].script.ahead


def test_a_host_whose_last_step_had_no_turn_is_let_go_at_the_end():
    world = World({"net h1": [CLAIMED, *FAILED], "net h2": [CLAIMED, UNCLAIMED, *says()], "net h3": [CLAIMED, *says()]})
    failing(world, planned(NET, WEB, hosts=3))
    freed = [call for call in world.transport.calls if call.script.name.startswith("unclaim")]
    assert sorted(call.target.name for call in freed) == ["h1", "h3"]
    assert "/dev/shm/octossh-shop-dev.claim.d1.d1" in freed[0].script.body
    assert world.calls[-1] == "finish"


def test_a_host_that_cannot_be_let_go_changes_nothing_in_how_a_deployment_ended():
    world = World({"net h1": [CLAIMED, *FAILED]})
    run = world.transport.run
    world.transport.run = lambda target, script, **more: (
        (_ for _ in ()).throw(lost()) if script.name.startswith("unclaim") else run(target, script, **more)
    )
    error = failing(world, planned(NET))
    assert states(error.deployment) == {"net h1": "failed"}


@pytest.mark.parametrize("transport", [oc.SSH, oc.OpenSSH])
def test_a_host_keeps_a_run_for_longer_than_it_is_looked_for_after_a_silence(transport):
    silence_s = 2.5 * inspect.signature(transport).parameters["keepalive_s"].default
    assert silence_s + following.RECONNECT_S + 30 < KEPT_S


@pytest.mark.parametrize("go", [connect, offline])
def test_hosts_to_which_a_connection_is_open_are_not_connected_to_again(go):
    asked = []
    transport = oc.Replay(lambda _target, _script: [], on_connect=lambda target: asked.append(target.name))
    transport.reaches = lambda target: target.name != "h3"
    assert not go([oc.Target(f"h{number}", "192.0.2.1", sudo=number == 2) for number in (1, 2, 3)], transport)
    assert sorted(asked) == ["h2", "h3"]  # whether sudo lets the user is still to be seen
