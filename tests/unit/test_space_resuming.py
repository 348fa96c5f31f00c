"""Deployments that have lost their process, or a host: what is asked, and what is recorded."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime

import attrs
import pytest

import octossh as oc
from octossh.deploying import settling
from octossh.recording import controller_here

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
TARGETS = [oc.Target(f"h{number}", f"h{number}", environments=["Dev"]) for number in (1, 2)]
STEPS = [oc.RunScript("one", script="true", env={"KEY": oc.secret("KEY")}), oc.RunScript("two", script="true")]


@pytest.fixture(scope="module")
def gone() -> str:
    """A process that has ended, as the record has it."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    machine, _, _ = controller_here().split()
    return f"{machine} {process.pid} 1"


def ended(state="succeeded", why="", action="ran", log="it said geheim\n"):
    secret = base64.b64encode(b"hidden").decode()
    frames = (oc.Frame("begin"), oc.Frame("secret", f"S {secret}"), oc.Frame("end", f"{state} {action} yes {why}"))
    return oc.Result(frames, log, 0 if state == "succeeded" else 1, MOMENT, 1.0)


class Hosts:
    """Answers by the name of the script and the target; for the rest, all goes well."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.replay = oc.Replay(self._answer)

    def _answer(self, target, script):
        answer = self.answers.get(f"{script.name} {target.name}", self.answers.get(script.name, ended()))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def asked(self):
        calls = [f"{call.script.name} {call.target.name}" for call in self.replay.calls]
        return [call for call in calls if not call.startswith("unclaim")]

    @property
    def freed(self):
        return sorted(call.target.name for call in self.replay.calls if call.script.name.startswith("unclaim"))


def space(hosts, process=STEPS, **more):
    project = oc.Project("shop", process=process, lifecycle=oc.Lifecycle("Dev"))
    given = {"targets": TARGETS, "secrets": {"KEY": "geheim"}, "anchors": False, **more}
    return oc.Space("sqlite://", projects=[project], transport=hosts.replay, **given)


def leave(made, gone, *begun, done=()):
    """A deployment whose process has gone: these steps had begun, and those were known to have ended."""
    release = made.create_release()
    left = oc.Deployment(
        id="d1",
        project="shop",
        release=release.number,
        environment="Dev",
        mode=oc.Mode.DEPLOY,
        state=oc.State.RUNNING,
        started_at=MOMENT,
        controller=gone,
    )
    lease = made.store.lease("shop", "Dev", holder=gone)
    made.store.start(left, lease=lease)
    for place in (*done, *begun):
        step, target = place.split(maxsplit=1)
        made.store.record(oc.Event(type="step_started", at=MOMENT, deployment="d1", step=step, target=target))
        if place in done:
            event = oc.Event(type="step_finished", at=MOMENT, deployment="d1", step=step, target=target)
            made.store.record(event, oc.Outcome(step=step, target=target, state=oc.State.SUCCEEDED, action="ran"))
    return release


def states(deployment):
    return {f"{outcome.step} {outcome.target}": outcome.state.value for outcome in deployment.outcomes}


def test_what_had_begun_is_asked_of_the_hosts_and_recorded_with_masked_logs(gone):
    hosts = Hosts({"attach one h2": ended("failed", "no geheim space")})
    heard = []
    with space(hosts, on_event=heard.append) as made:
        leave(made, gone, "one h2", done=["one h1"])
        assert made.store.deployment("d1").state is oc.State.INTERRUPTED
        found = made.resume()
        assert hosts.asked == ["attach one h2"]
        assert states(found) == {"one h1": "succeeded", "one h2": "failed", "two h1": "skipped", "two h2": "skipped"}
        outcome = found.outcome("one", "h2")
        assert (outcome.log, outcome.why, dict(outcome.outputs)) == ("it said ***\n", "no *** space", {"S": "***"})
        assert (found.state, found.hosts) == (oc.State.FAILED, oc.Hosts.CHANGED)
        assert "step 'one' failed" in found.error
        assert made.store.deployment("d1") == found
        assert made.verify().ok
        assert made.store.leases() == ()
        with pytest.raises(oc.ModelError, match="nothing to resume"):
            made.resume()
        with pytest.raises(oc.ModelError, match="everything is known"):
            made.resume("d1")


def test_a_deployment_that_had_done_everything_has_succeeded(gone):
    hosts = Hosts()
    with space(hosts) as made:
        leave(made, gone, "two h1", "two h2", done=["one h1", "one h2"])
        assert made.resume("d1").state is oc.State.SUCCEEDED
    assert sorted(hosts.asked) == ["attach two h1", "attach two h2"]


@pytest.mark.parametrize(
    ("answer", "asked", "state"),
    [(ended(), ["attach one h1", "attach two h1"], "succeeded"), (ended("failed"), ["attach one h1"], "skipped")],
    ids=["the first one went well", "the first one failed"],
)
def test_what_was_sent_behind_another_step_is_asked_for_where_it_may_have_begun(gone, answer, asked, state):
    hosts = Hosts({"attach one h1": answer})
    with space(hosts) as made:
        leave(made, gone)
        event = oc.Event(
            type="step_started", at=MOMENT, deployment="d1", step="one", target="h1", data={"behind": ["two"]}
        )
        made.store.record(event)
        found = made.resume()
    assert hosts.asked == asked
    assert states(found)["two h1"] == state
    if state == "skipped":
        assert "sent behind step 'one', which did not succeed, so it never began" in found.outcome("two", "h1").why


def test_what_no_host_can_tell_stays_unknown_with_the_reason_and_may_be_found_out_later(gone, monkeypatch):
    monkeypatch.setattr("octossh.deploying.following.RECONNECT_S", 0.0)
    hosts = Hosts(
        {
            "attach one h1": ended("failed", "this host knows nothing of that run", "gone"),
            "attach one h2": oc.ConnectError("h2: refused", "refused"),
        }
    )
    with space(hosts) as made:
        leave(made, gone, "one h1", "one h2")
        found = made.resume()
        assert found.hosts is oc.Hosts.UNKNOWN
        assert "knows nothing" in found.outcome("one", "h1").why
        assert "h2: refused" in found.outcome("one", "h2").why
        del hosts.answers["attach one h2"]
        again = made.resume()
        assert (states(again)["one h1"], states(again)["one h2"]) == ("unknown", "succeeded")
        assert made.store.deployment("d1") == again
        assert made.verify().ok
        changed = attrs.evolve(again.outcomes[1], state=oc.State.FAILED)
        other = attrs.evolve(again, outcomes=(again.outcomes[0], changed, *again.outcomes[2:]))
        with pytest.raises(oc.RecordError, match="has ended already"):
            made.store.finish(other)


def test_the_next_deployment_there_asks_first_and_goes_on_then(gone):
    hosts = Hosts()
    with space(hosts) as made:
        release = leave(made, gone, "one h1")
        assert made.deploy(release, "Dev").ok
        assert hosts.asked[0] == "attach one h1"
        assert [name.split()[0] for name in hosts.asked[1:]] == ["run_script"] * 4
        assert states(made.store.deployment("d1"))["one h1"] == "succeeded"


def test_what_was_known_of_an_end_that_stays_unknown_is_kept():
    half = oc.Result((oc.Frame("begin"),), "half of it\n", 255, MOMENT, 1.0)
    knows_nothing = ended("failed", "this host knows nothing of that run", "gone")
    hosts = Hosts({"run_script one h1": half, "attach one h1": knows_nothing})
    with space(hosts) as made:
        left = made.deploy(made.create_release(), "Dev", check=False)
        for _ in range(2):
            outcome = made.resume(left.id).outcome("one", "h1")
            assert (outcome.state, outcome.exit_code, outcome.log) == (oc.State.UNKNOWN, 255, "half of it\n")
            assert outcome.why.endswith("half of it; this host knows nothing of that run")


def test_hosts_that_do_not_answer_are_waited_for_by_nobody_once_it_is_interrupted(gone, monkeypatch):
    waited = []
    find_again = settling.find_again

    def interrupt(*args):
        waited.append(args[-1])
        return find_again(*args)

    monkeypatch.setattr(settling, "find_again", interrupt)
    monkeypatch.setattr(settling, "on_each", lambda hosts, do: [do(host) for host in hosts] and 1 / 0)
    with space(Hosts()) as made:
        leave(made, gone, "one h1")
        with pytest.raises(ZeroDivisionError):
            made.resume()
    assert waited[0].is_set()


def test_hosts_that_answer_are_free_again_afterwards_also_where_nothing_was_open(gone, monkeypatch):
    monkeypatch.setattr("octossh.deploying.following.RECONNECT_S", 0.0)
    hosts = Hosts({"attach one h1": oc.ConnectError("h1: refused", "refused")})
    with space(hosts) as made:
        leave(made, gone, "one h1", done=["one h2"])
        made.resume()
    assert hosts.freed == ["h2"]


def test_whoever_resumes_holds_the_hosts_for_the_deployment_meanwhile(gone):
    hosts = Hosts()
    with space(hosts) as made:
        leave(made, gone, "one h1")
        made.resume()
        assert hosts.replay.calls[0].script.ahead.startswith(
            f"octossh_claim=octossh-shop-dev.claim.{made.store.mark}.d1\n"
        )
    assert hosts.freed == ["h1"]


def test_a_deployment_that_runs_is_left_alone(gone):
    with space(Hosts()) as made:
        leave(made, controller_here(), "one h1")
        with pytest.raises(oc.Refused, match="d1 is running"):
            made.resume("d1")


def test_where_the_secrets_are_not_known_any_more_what_hosts_say_is_not_kept(gone):
    heard = []
    with space(Hosts(), secrets={}, on_event=heard.append) as made:
        leave(made, gone, "one h1")
        outcome = made.resume().outcome("one", "h1")
    assert (outcome.state, outcome.changed, dict(outcome.outputs)) == (oc.State.SUCCEEDED, True, {})
    assert "geheim" not in outcome.log
    assert heard == []


def test_where_a_step_gave_out_a_secret_what_hosts_say_behind_it_is_not_kept(gone):
    heard = []
    with space(Hosts(), on_event=heard.append) as made:
        leave(made, gone, "two h1")
        event = oc.Event(type="step_finished", at=MOMENT, deployment="d1", step="one", target="h1")
        outputs = {"token": "***"}
        told = oc.Outcome(step="one", target="h1", state=oc.State.SUCCEEDED, action="ran", outputs=outputs)
        made.store.record(event, told)
        outcome = made.resume().outcome("two", "h1")
    assert (outcome.state, dict(outcome.outputs), outcome.log) == (
        oc.State.SUCCEEDED,
        {},
        "what it said may hold secrets, and was not kept\n",
    )
    assert heard == []


@pytest.mark.parametrize("settle", ["resume", "deploy"])
def test_what_ran_on_the_machine_that_deployed_or_on_a_host_that_has_gone_hinders_nobody(gone, settle):
    hosts = Hosts()
    with space(hosts) as made:
        leave(made, gone, "one (controller)", "one an old host", "one h1")
        if settle == "deploy":
            assert made.deploy("0.0.1", "Dev").ok
        else:
            made.resume("d1")
        outcomes = {outcome.target: outcome for outcome in made.deployment("d1").outcomes if outcome.step == "one"}
    assert outcomes["(controller)"].why == "it ran on the machine that deployed, which cannot be asked any more"
    assert "is not among those that are known here any more" in outcomes["an old host"].why
    assert outcomes["h1"].state is oc.State.SUCCEEDED


@pytest.mark.parametrize(
    ("told", "state", "why"),
    [
        ([{"answer": "approved", "by": "anna", "notes": "go"}], "succeeded", "by anna: go"),
        ([{"answer": "refused", "by": "anna", "notes": ""}], "failed", "not approved by anna"),
        ([{"answer": "failed", "by": "", "notes": ""}], "failed", "asking for an approval failed"),
        ([{"answer": "failed", "by": "", "notes": ""}, None], "skipped", "nobody had answered"),
        ([], "skipped", "nobody had answered"),
    ],
)
def test_an_approval_that_was_recorded_is_told_though_the_process_went_before_its_step_ended(gone, told, state, why):
    process = [oc.Approve("go"), *STEPS]
    with space(Hosts(), process=process) as made:
        leave(made, gone, "go (controller)")
        for number, answer in enumerate([{}, *told]):
            data = {"about": "approval", **(answer or {})}
            kind = "answered" if number and answer else "asked"
            event = oc.Event(type=kind, at=MOMENT, deployment="d1", step="go", target="(controller)", data=data)
            made.store.record(event)
        outcome = made.resume().outcome("go", "(controller)")
        assert made.verify().ok
    assert outcome.state.value == state
    assert why in outcome.why
    assert dict(outcome.outputs).get("by") == (told[0]["by"] if told and told[0]["by"] else None)
