"""One deployment of a project to an environment at a time, also when whoever held the right to it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

import octossh as oc
from octossh.space import leasing

OCTOFILE = """
import sys
import octossh as oc

def slow(target, script):
    print("at work", flush=True)
    if sys.argv[1:] == ["hold"]:
        sys.stdin.read()
    return [oc.Frame("end", "succeeded ran yes ")]

target = oc.Target("h01", "h01", environments=["Dev", "Test"])
project = oc.Project("shop", process=[oc.RunScript("tell", script="true")])
space = oc.Space("sqlite:///octossh.db", projects=[project], targets=[target], transport=oc.Replay(slow))
if sys.argv[1:]:
    space.deploy(space.create_release(), "Dev")
"""


def space(handler, url="sqlite:///octossh.db", **more):
    target = oc.Target("h01", "h01", environments=["Dev", "Test"])
    project = oc.Project("shop", process=[oc.RunScript("tell", script="true")])
    return oc.Space(url, projects=[project], targets=[target], transport=oc.Replay(handler), anchors=False, **more)


def done(target, script):
    return [oc.Frame("end", "succeeded ran yes ")]


@pytest.fixture
def holder(in_tmp):
    """A process that has begun to deploy to Dev, and goes on only when its input ends."""
    (in_tmp / "holder.py").write_text(OCTOFILE)
    with subprocess.Popen(
        [sys.executable, "holder.py", "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "at work\n"
        yield process
        process.stdin.close()
        process.wait(30)


@pytest.mark.slow
def test_a_second_one_is_refused_with_who_holds_it_and_since_when(holder):
    with space(done) as made:
        with pytest.raises(
            oc.Refused, match=r"@.* is deploying 'shop' to 'Dev', since 20.*Z; .*--wait SECONDS"
        ) as caught:
            made.deploy("latest", "Dev")
        assert caught.value.exit_code == 4
        assert made._transport.calls == []
        assert made.deploy("latest", "Test").ok


@pytest.mark.slow
def test_who_waits_gets_its_turn(holder):
    with space(done) as made:
        threading.Timer(0.2, holder.stdin.close).start()
        ended = made.deploy("latest", "Dev", wait_s=30)
        assert ended.ok
        # What it was planned as before has changed by the end of the other one.
        assert [(d.mode.value, d.state.value) for d in made.history()] == [
            ("redeploy", "succeeded"),
            ("deploy", "succeeded"),
        ]


@pytest.mark.slow
def test_who_waits_in_vain_is_refused(holder):
    with space(done) as made:
        with pytest.raises(oc.Refused, match="is deploying 'shop' to 'Dev'"):
            made.deploy("latest", "Dev", wait_s=0.1)


@pytest.mark.slow
def test_the_lease_of_one_that_was_killed_is_taken_over_and_that_is_said(holder, caplog):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with space(done) as made:
        assert made.deploy("latest", "Dev").ok
        assert "taken over from" in caplog.text
        assert "may have left things half done" in caplog.text
        taken = [event.data for event in made.store.events() if event.type == "lease_taken_over"]
        assert [data["was"]["holder"].split()[1] for data in taken] == [str(holder.pid)]
        assert [d.mode.value for d in made.history()] == ["deploy", "deploy"]
        assert made.store.deployments(state=oc.State.RUNNING) == ()
        assert made.verify().ok
        assert made.store.leases() == ()


def test_in_one_process_too_only_one_deploys_at_a_time():
    inside, go = threading.Event(), threading.Event()

    def slow(target, script):
        inside.set()
        go.wait(30)
        return done(target, script)

    with space(slow, "sqlite://") as made:
        release = made.create_release()
        thread = threading.Thread(target=made.deploy, args=(release, "Dev"))
        thread.start()
        assert inside.wait(30)
        with pytest.raises(oc.Refused, match="is deploying"):
            made.deploy(release, "Dev")
        go.set()
        thread.join()
        assert made.deploy(release, "Dev").ok


def test_a_holder_that_was_asleep_records_nothing_more_once_another_one_has_taken_over(monkeypatch):
    monkeypatch.setattr(leasing, "TTL_S", 0.001)
    monkeypatch.setattr(leasing, "_beat", lambda *_: None)
    steps = [oc.RunScript(name, script="true") for name in ("one", "two")]
    project = oc.Project("shop", process=steps)
    target = oc.Target("h01", "h01", environments=["Dev"])

    def asleep(target, script):
        if script.name.endswith("one"):
            # Meanwhile another process, on another machine, finds the lease expired.
            made.store.lease("shop", "Dev", holder="elsewhere 1 1", ttl_s=60)
        return done(target, script)

    with oc.Space(
        "sqlite://", projects=[project], targets=[target], transport=oc.Replay(asleep), anchors=False
    ) as made:
        with pytest.raises(oc.RecordError, match="was taken over by"):
            made.deploy(made.create_release(), "Dev")
        assert [call.script.name for call in made._transport.calls] == ["run_script one"]
        assert [lease.holder for lease in made.store.leases()] == ["elsewhere 1 1"]


def test_while_it_runs_its_lease_is_renewed(monkeypatch):
    monkeypatch.setattr(leasing, "TTL_S", 8.0)
    renewed = threading.Event()

    def renewing(lease, **more):
        before = made.store.leases()[0].expires_at
        renew(lease, **more)
        if made.store.leases()[0].expires_at > before:
            renewed.set()

    def wait(target, script):
        assert renewed.wait(30)
        return done(target, script)

    with space(wait, "sqlite://") as made:
        renew = made.store.renew
        monkeypatch.setattr(made.store, "renew", renewing)
        assert made.deploy(made.create_release(), "Dev").ok
    assert renewed.is_set()


@pytest.mark.parametrize(("fails", "held"), [(1, 0), (2, 1)])
def test_a_lease_is_given_back_also_where_the_store_fails_once_and_a_deployment_ends_well_where_it_is_not(
    monkeypatch, fails, held
):
    with space(done, "sqlite://") as made:
        give_back, left = made.store.give_back, [None] * fails

        def failing(lease):
            if left:
                left.pop()
                raise oc.RecordError("the server was started anew")
            give_back(lease)

        monkeypatch.setattr(made.store, "give_back", failing)
        assert made.deploy(made.create_release(), "Dev").ok
        assert len(made.store.leases()) == held


def test_a_lease_that_no_thread_could_keep_is_given_back(in_tmp, few):
    few["octossh-lease"] = 0
    with space(done) as made:
        release = made.create_release()
        with pytest.raises(oc.OctosshError, match="cannot be kept: this process can have no more threads"):
            made.deploy(release, "Dev")
        assert not made.history().deployments
        few.clear()
        assert made.deploy(release, "Dev").ok
