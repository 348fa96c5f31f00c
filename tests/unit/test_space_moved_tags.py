"""Tags that have moved since a release was made: told, or in the way; and registries that are asked meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest
from phases import STEP, deaf, done, space

import octossh as oc
from octossh.releasing import MovedTag
from octossh.space.promotions import Promotions
from octossh.testing.registry import FakeRegistry, error


@pytest.fixture
def fake():
    with FakeRegistry() as fake:
        fake.push_image("acme/web", "1.0", annotations={"of": "first"})
        yield fake


def pulling(fake, **more):
    image = oc.Registry("fake", fake.url).image("acme/web")
    more.setdefault("steps", [oc.PullImage("web", image=image)])
    return space("Dev", "Berlin", **more)


def test_tokens_for_hosts_are_got_while_these_are_being_connected(fake):
    fake.login, fake.bearer = ("ci", "hunter2"), True
    asked = threading.Event()
    connected = []
    replay = oc.Replay(done, on_connect=lambda target: connected.append(asked.wait(30)))
    registry = oc.Registry("fake", fake.url, auth=oc.Basic("ci", oc.secret("PW")))
    steps = [
        oc.PullImage("web", image=registry.image("acme/web")),
        oc.PullImage("again", image=registry.image("acme/web")),
    ]
    more = {"transport": replay, "secrets": {"PW": "hunter2"}, "on_moved_tag": "ignore"}
    with space("Dev", steps=steps, **more) as made:
        release = made.create_release()
        fake.script("GET /token", lambda seen: asked.set() or fake._answer(seen), forever=True)
        before = len(fake.asked("/token"))
        made.deploy(release, "Dev")
        assert connected == [True]
        assert len(fake.asked("/token")) == before + 1
        assert [call.secrets for call in replay.calls if call.script.name.startswith("pull")] == [
            ("registry:fake",)
        ] * 2


def test_a_tag_that_has_moved_is_told_and_the_pinned_image_is_deployed(fake):
    events = []
    replay = oc.Replay(done)
    with pulling(fake, transport=replay, on_event=events.append) as made:
        release = made.create_release()
        assert made.deploy(release, "Dev").ok
        assert not [e for e in events if e.type == "tag_moved"]
        moved = fake.push_image("acme/web", "1.0", annotations={"of": "second"})
        ended = made.deploy(release, "Dev")
        told = next(e for e in events if e.type == "tag_moved")
        assert told.deployment == ended.id
        assert "tag_moved" in {event.type for event in made.store.events(ended.id)}
        assert (told.data["pinned"], told.data["now"]) == (release.pins[0].digest, moved)
        assert "has moved to" in told.data["text"]
        sent = [call.script.body for call in replay.calls if call.script.name.startswith("pull_image")]
        assert len(sent) == 2
        assert all(release.pins[0].digest in body and moved not in body for body in sent)
        assert made.verify().ok


def test_a_tag_that_is_gone_is_told(fake):
    with pulling(fake) as made:
        release = made.create_release()
        del fake.repositories["acme/web"]["1.0"]
        notes = made.plan(release, "Dev").notes
    assert [note for note in notes if "acme/web:1.0 is gone from the registry; the release pins sha256:" in note]


def test_a_registry_that_cannot_be_asked_stops_no_deployment(fake, monkeypatch):
    monkeypatch.setattr("octossh.space.promotions._ASKING_S", 0.2)
    events = []
    with pulling(fake, on_event=events.append) as made:
        release = made.create_release()
        fake.script("HEAD /v2/", error(503, "UNAVAILABLE"), forever=True)
        assert made.deploy(release, "Dev").ok
    assert "could not be asked" in next(e for e in events if e.type == "tag_moved").data["text"]


def test_where_a_moved_tag_shall_stop_a_deployment_only_a_rollback_goes(fake):
    with pulling(fake, on_moved_tag="fail") as made:
        made.create_release()
        made.create_release()
        made.deploy("0.0.1", "Dev")
        made.deploy("0.0.2", "Dev")
        fake.push_image("acme/web", "1.0", annotations={"of": "second"})
        with pytest.raises(oc.Refused, match=r"shop 0\.0\.2 is not deployed: the tag .* has moved to"):
            made.deploy("0.0.2", "Dev")
        assert made.rollback(environment="Dev").ok
        assert len(made.history()) == 3


def test_registries_are_asked_while_hosts_are_connected(fake, monkeypatch):
    class Connecting(oc.Replay):
        def connect(self, target):
            assert asking.wait(10)
            connected.set()

    asking, connected = threading.Event(), threading.Event()
    with pulling(fake, transport=Connecting(done)) as made:
        release = made.create_release()
        meaning = made._access.meaning

        def slow(pin, *, within_s):
            asking.set()
            assert connected.wait(10)
            return meaning(pin, within_s=within_s)

        monkeypatch.setattr(made._access, "meaning", slow)
        assert made.deploy(release, "Dev").ok


@pytest.fixture
def slow(fake, monkeypatch):
    """A registry that tells what a tag means when a deployment has come so far; and who may say so."""

    class Slow:
        def __init__(self):
            self.answers, self.events = threading.Event(), []

        def space(self, **more):
            made = pulling(fake, on_event=self.heard, **more)
            meaning = made._access.meaning

            def ask(pin, *, within_s):
                assert self.answers.wait(30)
                return meaning(pin, within_s=within_s)

            monkeypatch.setattr(made._access, "meaning", ask)
            return made

        def heard(self, event):
            self.events.append(event.type)
            if event.type in {"step_finished", "asked"}:
                self.answers.set()

    return Slow()


def test_a_registry_that_is_slow_holds_no_deployment_up_and_is_heard_before_its_end(fake, slow):
    with slow.space() as made:
        release = made.create_release()
        fake.push_image("acme/web", "1.0", annotations={"of": "second"})
        assert made.deploy(release, "Dev").ok
        assert slow.events[-2:] == ["tag_moved", "deployment_finished"]
        assert [e.type for e in made.store.events(made.deployment().id)][-2:] == ["tag_moved", "deployment_finished"]


def test_a_registry_that_is_slow_is_heard_of_before_a_deployment_waits(fake, slow):
    image = oc.Registry("fake", fake.url).image("acme/web")
    steps = [oc.Approve("go"), oc.PullImage("web", image=image)]
    with slow.space(steps=steps) as made:
        release = made.create_release()
        fake.push_image("acme/web", "1.0", annotations={"of": "second"})
        with pytest.raises(oc.DeployWaits):
            made.deploy(release, "Dev")
        assert "tag_moved" in slow.events


def test_where_a_moved_tag_shall_stop_a_deployment_its_registry_is_waited_for(fake, slow):
    with slow.space(on_moved_tag="fail") as made:
        release = made.create_release()
        threading.Timer(0.2, slow.answers.set).start()
        assert made.deploy(release, "Dev").ok


MOVED = MovedTag(image="acme/web", tag="1.0", pinned="sha256:" + "a" * 64, now="sha256:" + "b" * 64)


@pytest.fixture
def asked(monkeypatch):
    """What the registries are going to say of the tags of whatever is deployed."""
    answer = Future()
    monkeypatch.setattr(Promotions, "_asking", lambda *_: answer)
    return answer


@pytest.mark.parametrize("when", ["deployment_started", "step_finished"])
def test_a_deployment_ends_also_where_it_cannot_be_recorded_that_a_tag_has_moved(when, asked, monkeypatch, caplog):
    def heard(event):
        if event.type == when:
            asked.set_result((MOVED,))

    if when == "deployment_started":
        asked.set_result((MOVED,))
        heard = None
    with space("Dev", on_event=heard) as made:
        deaf(made, monkeypatch)
        assert made.deploy(made.create_release(), "Dev").ok
        assert made.deployment().state is oc.State.SUCCEEDED
    assert "the tag acme/web:1.0 has moved to" in caplog.text
    assert "could not be recorded" in caplog.text
    assert "the disk is full" in caplog.text


def test_a_deployment_waits_also_where_it_cannot_be_recorded_that_a_tag_has_moved(asked, monkeypatch):
    with space("Dev", steps=[oc.Approve("go"), STEP]) as made:
        deaf(made, monkeypatch)
        threading.Timer(0.2, asked.set_result, [(MOVED,)]).start()
        with pytest.raises(oc.DeployWaits):
            made.deploy(made.create_release(), "Dev")
        assert made.deployment().state is oc.State.WAITING


def test_a_deployment_that_is_interrupted_while_a_registry_is_waited_for_has_ended_in_the_record(asked, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    with space("Dev") as made:
        monkeypatch.setattr(asked, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.deploy(made.create_release(), "Dev")
        assert made.deployment().state is oc.State.SUCCEEDED


def test_whoever_leaves_a_deployment_waits_for_no_registry(asked, monkeypatch):
    def leave(_):
        raise KeyboardInterrupt

    waited = []
    monkeypatch.setattr(asked, "result", lambda: waited.append("for a registry") or ())
    with space("Dev", steps=[oc.Approve("go"), STEP], approve=leave) as made:
        with pytest.raises(KeyboardInterrupt):
            made.deploy(made.create_release(), "Dev")
        assert made.deployment().state is oc.State.INTERRUPTED
    assert waited == []


LEAVES = """
import sys
import octossh as oc
from octossh.registry import RegistryClient
from octossh.space import promotions

# No time of ours ends the question.
promotions._ASKING_S = 600.0
RegistryClient.__init__.__kwdefaults__.update(timeout_s=600.0, total_s=600.0)

def leave(_):
    sys.stdin.readline()
    raise KeyboardInterrupt

image = oc.Registry("fake", sys.argv[1]).image("acme/web")
project = oc.Project("shop", process=[oc.Approve("go"), oc.PullImage("web", image=image)])
target = oc.Target("h01", "h01", environments=["Dev"])
hosts = oc.Replay(lambda target, script: [oc.Frame("docker", "27.0"), oc.Frame("end", "succeeded ran yes ")])
with oc.Space("sqlite://", projects=[project], targets=[target], transport=hosts, approve=leave) as space:
    release = space.create_release()
    print("made", flush=True)
    sys.stdin.readline()
    try:
        space.deploy(release, "Dev")
    except KeyboardInterrupt:
        print("left", flush=True)
"""


@pytest.mark.slow
def test_a_process_that_leaves_a_deployment_ends_though_a_registry_never_answers(fake):
    asked, over = threading.Event(), threading.Event()

    def hang(seen):
        asked.set()
        over.wait()
        return fake._answer(seen)

    fake.push_image("acme/web", "1.0")
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES, fake.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            assert process.stdout.readline() == "made\n"
            for method in ("HEAD", "GET"):
                fake.script(f"{method} /v2/acme/web/manifests", hang, forever=True)
            process.stdin.write("deploy\n")
            assert asked.wait(60)
            process.stdin.write("leave\n")
            assert process.stdout.readline() == "left\n"
            assert process.wait(60) == 0
        finally:
            process.kill()
            over.set()


@pytest.mark.parametrize("quick", [True, False])
def test_what_cannot_be_asked_is_a_warning_however_quickly_that_is_known(quick, asked, caplog):
    error = oc.ModelError("the secret PW has no value")
    if quick:
        asked.set_exception(error)
    else:
        threading.Timer(0.2, asked.set_exception, [error]).start()
    with space("Dev") as made:
        assert made.deploy(made.create_release(), "Dev").ok
    assert "whether tags of shop 0.0.1 have moved cannot be seen: the secret PW has no value" in caplog.text


def test_where_a_moved_tag_shall_stop_a_deployment_so_does_what_cannot_be_asked(asked):
    asked.set_exception(oc.ModelError("the secret PW has no value"))
    with space("Dev", on_moved_tag="fail") as made:
        with pytest.raises(oc.ModelError, match="the secret PW has no value"):
            made.deploy(made.create_release(), "Dev")
        assert not list(made.history())


def test_nobody_asks_where_tags_do_not_matter(fake):
    with pulling(fake, on_moved_tag="ignore") as made:
        release = made.create_release()
        asked = len(fake.asked())
        made.deploy(release, "Dev")
        assert len(fake.asked()) == asked


def test_what_is_done_about_moved_tags_is_one_of_three():
    with pytest.raises(oc.ModelError, match="on_moved_tag is 'stop'; it is 'warn', 'fail' or 'ignore'"):
        space("Dev", on_moved_tag="stop")


def test_events_of_tags_and_promotions_are_json(fake):
    events = []
    with pulling(fake, on_event=events.append) as made:
        release = made.create_release()
        fake.push_image("acme/web", "1.0", annotations={"of": "second"})
        made.deploy(release, "Dev")
    assert "tag_moved" in {event["type"] for event in json.loads(json.dumps([e.to_dict() for e in events]))}
