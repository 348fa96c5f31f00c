"""Hooks: what is called before, during and after deployments, and what it can stop."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import os
import signal
import sys
import threading

import pytest

import octossh as oc
from octossh.testing import Hosts, release_of

PROJECT = oc.Project("shop", process=[oc.RunScript("first", script="true"), oc.RunScript("second", script="true")])
TARGETS = [oc.Target("h01", "h01", environments=["Test"])]


@pytest.fixture
def deploy():
    hosts = Hosts()

    def run(*hooks, **given):
        with oc.Space("sqlite://", projects=[PROJECT], targets=TARGETS, transport=hosts, hooks=hooks, **given) as space:
            return space.deploy(release_of(PROJECT), "Test", check=False)

    run.hosts = hosts
    return run


def test_a_function_is_called_at_each_moment_in_order_and_what_it_hears_is_heard_by_on_event_too(deploy):
    calls, events = [], []
    deploy(calls.append, on_event=lambda event: events.append(event.type))
    told = [(call.moment.value, call.step, call.target) for call in calls]
    assert told == [
        ("before_deploy", "", ""),
        ("before_step", "first", "h01"),
        ("after_step", "first", "h01"),
        ("before_step", "second", "h01"),
        ("after_step", "second", "h01"),
        ("after_deploy", "", ""),
    ]
    assert {(call.project, call.release, call.environment, call.mode) for call in calls} == {
        ("shop", "1", "Test", "deploy")
    }
    assert calls[-1].data["state"] == "succeeded"
    assert events[-1] == "deployment_finished"


def test_a_step_that_fails_is_a_moment_of_its_own(deploy):
    calls = []
    deploy.hosts.fail("second", why="no space")
    deploy(calls.append)
    (failure,) = [call for call in calls if call.moment is oc.Moment.FAILURE]
    assert (failure.step, failure.target, failure.data["why"]) == ("second", "h01", "no space")
    assert calls[-1].data["state"] == "failed"


def test_one_that_fails_before_a_deployment_stops_it_and_nothing_is_sent_or_recorded():
    hosts = Hosts()
    hook = oc.CommandHook(["sh", "-c", "cat >&2; echo; echo there is a meeting; exit 3"])
    with oc.Space("sqlite://", projects=[PROJECT], targets=TARGETS, transport=hosts, hooks=[hook]) as space:
        with pytest.raises(oc.Refused, match=r"says no: it ended with exit code 3: there is a meeting$") as caught:
            space.deploy(release_of(PROJECT), "Test")
        assert caught.value.hosts is oc.Hosts.UNTOUCHED
        assert len(space.history()) == 0
    assert hosts.calls == []


def test_one_that_fails_later_is_logged_and_the_deployment_goes_on(deploy, caplog):
    def grumpy(call):
        if call.moment is not oc.Moment.BEFORE_DEPLOY:
            raise ValueError("not now")

    assert deploy(grumpy, oc.CommandHook(["/nowhere"], on=["after_deploy"])).ok
    assert "the hook grumpy failed at before_step: not now" in caplog.text
    assert "the hook /nowhere failed at after_deploy: it cannot be run: No such file or directory" in caplog.text


def test_a_command_gets_what_happened_on_its_standard_input_at_the_moments_it_asked_for(deploy, tmp_path):
    words = ["sh", "-c", f"cat >>{tmp_path}/told; echo >>{tmp_path}/told"]
    ended = deploy(oc.CommandHook(words, on=["after_step", oc.Moment.AFTER_DEPLOY]))
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [call["moment"] for call in told] == ["after_step", "after_step", "after_deploy"]
    assert {(call["deployment"], call["version"]) for call in told} == {(ended.id, 1)}


def test_a_command_that_does_not_end_is_killed(deploy):
    with pytest.raises(oc.Refused, match=r"it did not end within 0\.2 s"):
        deploy(oc.CommandHook(["sleep", "600"], timeout_s=0.2))


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path, deploy):
    said = tmp_path / "pid"
    hook = oc.CommandHook(["sh", "-c", f"sleep 600 & echo $! >{said}; echo it went well"], on=["before_deploy"])
    try:
        assert deploy(hook).ok
    finally:
        os.kill(int(said.read_text()), signal.SIGKILL)


def test_what_a_command_has_started_is_killed_with_it(tmp_path, deploy):
    os.mkfifo(tmp_path / "pipe")
    words = ["sh", "-c", f"(echo begun; exec sleep 600) >{tmp_path}/pipe & wait"]
    heard = []
    # The end of a pipe is seen when nobody holds it any more.
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    with pytest.raises(oc.Refused, match=r"it did not end within 1 s"):
        deploy(oc.CommandHook(words, timeout_s=1))
    reader.join(10)
    assert heard == ["begun\n"]


def test_no_step_waits_for_a_hook_and_the_deployment_ends_when_all_have_been_called(deploy):
    gate, seen = threading.Event(), []

    def slow(call):
        if call.moment is oc.Moment.BEFORE_STEP:
            gate.wait()  # until all steps have gone on
        seen.append(call.moment.value)

    deploy(slow, on_event=lambda event: gate.set() if event.type == "deployment_finished" else None)
    assert seen[-1] == "after_deploy"


def test_a_webhook_is_signed(deploy):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        deploy(oc.Webhook(f"http://127.0.0.1:{server.server_address[1]}/hook", key="geheim"))
        server.shutdown()
    assert [json.loads(body)["moment"] for _, body in seen] == ["before_deploy", "after_deploy"]
    for headers, body in seen:
        signed = hmac.new(b"geheim", headers["Octossh-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["Octossh-Signature"] == f"sha256={signed}"


def test_a_webhook_that_says_no_stops_a_deployment(deploy):
    with pytest.raises(oc.Refused, match="it cannot be reached"):
        deploy(oc.Webhook("http://127.0.0.1:1/", timeout_s=1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: oc.CommandHook("./notify.sh now"), "no list of words"),
        (lambda: oc.CommandHook([]), "no list of words"),
        (lambda: oc.CommandHook(5), "no list of words"),
        (lambda: oc.CommandHook(["x", 5]), "no list of words"),
        (lambda: oc.CommandHook(["x", "a\0b"]), "no list of words"),
        (lambda: oc.CommandHook(["x"], on=5), "at no moment '5'"),
        (lambda: oc.CommandHook(["x"], timeout_s=0), "timeout_s of this CommandHook is 0; give seconds, above 0"),
        (lambda: oc.CommandHook(["x"], timeout_s="5"), "timeout_s of this CommandHook is '5'"),
        (lambda: oc.Webhook("https://ci.example.com/", timeout_s=-1), "timeout_s of this Webhook is -1"),
        (lambda: oc.HttpSink("https://ci.example.com/", timeout_s=float("nan")), "timeout_s of this HttpSink is nan"),
        (lambda: oc.CommandHook(["x"], on=["before_deply"]), "did you mean 'before_deploy'"),
        (
            lambda: oc.Webhook("http://ci.example.com/"),
            "the Webhook to ci.example.com would send what it sends readable",
        ),
        (lambda: oc.Space(projects=[], hooks=[7]), "7 is no hook"),
    ],
)
def test_what_is_no_hook_is_refused(make, said):
    with pytest.raises(oc.ModelError, match=said):
        make()


def test_a_rehearsal_calls_no_hooks():
    with oc.Space("sqlite://", projects=[PROJECT], targets=TARGETS, hooks=[oc.CommandHook(["false"])]) as space:
        with space.rehearsal(Hosts()) as rehearsal:
            assert rehearsal.deploy(release_of(PROJECT), "Test").ok


@pytest.mark.parametrize("threads", [1, 0])
def test_a_function_that_ends_the_process_silences_no_other_hook_and_stops_no_deployment(deploy, few, caplog, threads):
    calls, few["octossh-hooks"] = [], threads

    def leave(call):
        if call.moment is not oc.Moment.BEFORE_DEPLOY:
            sys.exit("enough")

    assert deploy(leave, calls.append).ok
    assert [call.moment.value for call in calls] == [
        "before_deploy", "before_step", "after_step", "before_step", "after_step", "after_deploy",
    ]  # fmt: skip
    assert caplog.text.count("the hook leave failed at") == 5
