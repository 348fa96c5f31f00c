"""Drift: what runs on hosts against what was deployed; and who runs an image."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs
import pytest

import octossh as oc
from octossh.model import Problem

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
HUB = oc.Registry("hub", "https://registry.example.com", host_login="none")
TARGETS = [oc.Target(name, name, environments=["Dev"]) for name in ("h01", "h02")]


def container(name="shop-dev-web", id_="c1", image="i1", status="running", health="", **labels):
    marks = {"project": "shop", "environment": "Dev", "step": "web", "release": "0.0.1", "deployment": "d", "spec": "s"}
    marks = {f"octossh.{key}": value for key, value in {**marks, **labels}.items()}
    state = {"Status": status, "ExitCode": 0 if status == "running" else 137}
    return {
        "Id": id_,
        "Name": f"/{name}",
        "Image": image,
        "Config": {"Image": f"registry.example.com/acme/web@{DIGEST}", "Labels": marks, "Env": ["A=1"]},
        "State": {**state, **({"Health": {"Status": health}} if health else {})},
        "HostConfig": {"Memory": 0, "RestartPolicy": {"Name": "no"}},
        "NetworkSettings": {"Networks": {"bridge": {}}},
    }


class Hosts:
    """Hosts that hold containers: deploying puts one on each, looking tells of what is there."""

    def __init__(self):
        self.there = {target.name: [] for target in TARGETS}
        self.dead = set()
        self.asked = []

    def __call__(self, target, script):
        self.asked.append((target.name, script.name))
        if target.name in self.dead:
            raise oc.ConnectError(f"{target.name}: connection refused", "refused")
        there = self.there[target.name]
        if script.name == "observe":
            frames = [oc.Frame("container", json.dumps(seen)) for seen in there]
            return oc.Result((*frames, oc.Frame("end", "succeeded observed no ")), "", 0, NOW, 0.0)
        if script.name == "runners":
            told = [
                {
                    "Name": seen["Name"],
                    "Image": seen["Image"],
                    "Created": "2026-03-04T05:06:07.123456789Z",
                    "Ref": seen["Config"]["Image"],
                    "Labels": seen["Config"]["Labels"],
                }
                for seen in there
            ]
            images = [
                {"Id": "i1", "RepoTags": ["acme/web:1.0.0"], "RepoDigests": [f"registry.example.com/acme/web@{DIGEST}"]}
            ]
            frames = [oc.Frame("runner", json.dumps(seen)) for seen in told]
            frames += [oc.Frame("image", json.dumps(image)) for image in images]
            return oc.Result((*frames, oc.Frame("end", "succeeded observed no ")), "", 0, NOW, 0.0)
        there[:] = [container()]
        return oc.Result(
            (oc.Frame("inspect", json.dumps(there[0])), oc.Frame("end", "succeeded created yes ")), "", 0, NOW, 0.0
        )


@pytest.fixture
def hosts():
    return Hosts()


def release(number):
    web = oc.RunContainer("web", image=HUB.image("acme/web"), monitor_s=0)
    pin = oc.Pin(image=HUB.image("acme/web"), tag="1.0.0", digest=DIGEST)
    process = oc.Process([web])
    return oc.Release(project="shop", number=number, channel="default", created_at=NOW, process=process, pins=(pin,))


@pytest.fixture
def space(hosts):
    project = oc.Project("shop", process=release("0.0.1").process.steps, lifecycle=oc.Lifecycle("Dev", "Test"))
    with oc.Space("sqlite://", projects=[project], targets=TARGETS, transport=oc.Replay(hosts)) as made:
        made.deploy(made.store.create_release("shop", "0.0.i", release), "Dev")
        hosts.asked.clear()
        yield made


def found(space):
    return [(d.target, d.name, d.problem) for drift in space.drift() for d in drift.deviations]


def test_what_stands_as_it_was_deployed_is_no_drift_and_costs_one_question_a_host(space, hosts):
    drift = space.drift()
    assert (drift.ok, drift.drifted, drift.to_dict()["places"][0]["deviations"]) == (True, False, [])
    assert str(drift) == "shop 0.0.1 in Dev: no drift"
    assert sorted(hosts.asked) == [("h01", "observe"), ("h02", "observe")]


CHANGES = {
    "stopped": (lambda there: there[0]["State"].update(Status="exited", ExitCode=137), Problem.STOPPED),
    "restarting": (lambda there: there[0]["State"].update(Status="restarting"), Problem.STOPPED),
    "unhealthy": (lambda there: there[0]["State"].update(Health={"Status": "unhealthy"}), Problem.UNHEALTHY),
    "deleted": (lambda there: there.clear(), Problem.MISSING),
    "made anew": (lambda there: there[0].update(Id="c2"), Problem.REPLACED),
    "another image": (lambda there: there[0].update(Id="c2", Image="i2"), Problem.IMAGE),
    "given more memory": (lambda there: there[0]["HostConfig"].update(Memory=1 << 30), Problem.CONFIG),
    "in another network": (lambda there: there[0]["NetworkSettings"]["Networks"].update(other={}), Problem.CONFIG),
    "renamed": (lambda there: there[0].update(Name="/web2"), Problem.CONFIG),
    "a copy of its labels": (lambda there: there.append(container("spy", "c9", "i9")), Problem.EXTRA),
    "left by a cut run": (lambda there: there.append(container("shop-dev-web--old", "c9")), Problem.EXTRA),
}


@pytest.mark.parametrize("what", CHANGES)
def test_drift_names_what_was_changed_by_hand(space, hosts, what):
    change, problem = CHANGES[what]
    change(hosts.there["h02"])
    drift = space.drift()
    assert (drift.ok, drift.drifted) == (False, True)
    ((target, _, seen),) = found(space)
    assert (target, seen) == ("h02", problem)
    assert problem.value in str(drift)


def test_a_container_without_our_labels_in_the_place_of_ours_is_another_image_made_by_somebody_else(space, hosts):
    hosts.there["h01"] = [{**container(id_="c7", image="i7"), "Config": {"Image": "nginx", "Labels": {}}}]
    (deviation,) = space.drift().places[0].deviations
    assert (deviation.problem, deviation.found) == (Problem.IMAGE, "not made by octossh")


def test_what_a_step_that_is_gone_has_left_stopped_is_a_note_and_no_drift(space, hosts):
    hosts.there["h01"].append(container("shop-dev-old", "c9", status="exited", step="old"))
    drift = space.drift()
    assert drift.ok
    assert "note: shop Dev: container shop-dev-old (exited) on h01 is left over" in str(drift)


def test_a_host_that_cannot_be_looked_at_hides_no_drift_of_another(space, hosts):
    hosts.dead.add("h01")
    drift = space.drift()
    assert (drift.ok, drift.drifted) == (False, False)
    assert "h01: connection refused" in str(drift)
    hosts.there["h02"].clear()
    assert found(space) == [("h02", "shop-dev-web", Problem.MISSING)]


def test_nothing_deployed_is_nothing_to_look_at(hosts):
    project = oc.Project("shop", process=release("0.0.1").process.steps)
    with oc.Space("sqlite://", projects=[project], targets=TARGETS, transport=oc.Replay(hosts)) as space:
        assert str(space.drift()) == "nothing has been deployed yet"
    assert hosts.asked == []


def test_status_shows_how_it_was_last_seen_and_when_that_began(space, hosts):
    def seen():
        standing = space.status().standings[0]
        return standing.seen, standing.seen_why

    assert seen() == ("healthy", "")
    space.drift()
    assert seen() == ("healthy", "")
    events = len(space.store.events())
    hosts.there["h01"][0]["State"]["Status"] = "exited"
    space.drift()
    space.drift()
    assert seen() == ("unhealthy", "h01 shop-dev-web: stopped")
    assert len(space.store.events()) == events + 1, "only what is new is recorded"
    hosts.there["h01"][0]["State"]["Status"] = "running"
    space.drift()
    assert seen() == ("healthy", "")
    assert space.verify().ok


def test_what_runs_after_a_deployment_that_failed_is_not_known_until_somebody_looks(space):
    newest = space.deployment()
    again = attrs.evolve(newest, id="later", state=oc.State.RUNNING, outcomes=(), finished_at=None)
    space.store.start(again)
    standing = space.status().standings[0]
    assert (standing.running, standing.newest, standing.seen) == ("later", "deploying 0.0.1 now", "healthy")
    space.store.finish(attrs.evolve(again, state=oc.State.FAILED, finished_at=NOW, error="h01: it broke"))
    standing = space.status().standings[0]
    assert (standing.running, standing.seen, standing.seen_why) == ("", "unknown", "0.0.1 failed after it")
    assert "deployment later of release 0.0.1 has failed since" in str(space.drift())


def test_what_a_later_deployment_left_out_is_held_against_the_one_before(space, hosts):
    newest = space.deployment()
    half = attrs.evolve(newest, id="later", state=oc.State.RUNNING, outcomes=(), finished_at=None)
    space.store.start(half)
    skipped = [attrs.evolve(newest.outcomes[0], state=oc.State.SKIPPED, inspect={}), newest.outcomes[1]]
    space.store.finish(attrs.evolve(half, state=oc.State.SUCCEEDED, finished_at=NOW, outcomes=tuple(skipped)))
    assert found(space) == []
    hosts.there["h01"][0]["Id"] = "c2"
    assert found(space) == [("h01", "shop-dev-web", Problem.REPLACED)]


def test_what_a_later_deployment_found_unchanged_is_held_against_how_it_was_made(space, hosts):
    hosts.there["h01"][0]["HostConfig"]["Memory"] = 1 << 30
    before = space.deployment()
    again = attrs.evolve(before, id="again", state=oc.State.RUNNING, outcomes=(), finished_at=None)
    space.store.start(again)
    seen = [
        attrs.evolve(outcome, action="unchanged", inspect=hosts.there[outcome.target][0]) for outcome in before.outcomes
    ]
    space.store.finish(attrs.evolve(again, state=oc.State.SUCCEEDED, finished_at=NOW, outcomes=tuple(seen)))
    assert found(space) == [("h01", "shop-dev-web", Problem.CONFIG)]


@pytest.mark.parametrize(
    "image",
    [
        DIGEST,
        DIGEST[:15],
        "acme/web",
        "web",
        "registry.example.com/acme/web",
        "1.0.0",
        "acme/web:1.0.0",
        f"web@{DIGEST}",
    ],
)
@pytest.mark.parametrize("look", [False, True])
def test_who_runs_an_image_is_told_by_digest_name_and_tag(space, hosts, image, look):
    where = space.who(image, look=look)
    expected = [("record", "h01"), ("record", "h02"), *([("host", "h01"), ("host", "h02")] if look else [])]
    assert [(runner.source, runner.target) for runner in where] == expected
    assert {(runner.project, runner.step, runner.digest) for runner in where} == {("shop", "web", DIGEST)}
    assert bool(hosts.asked) is look


@pytest.mark.parametrize("image", ["sha256:" + "cd" * 32, "acme/we", "eb", "1.0", "acme/web:1.0.1", "other/web"])
def test_another_image_is_run_by_nobody(space, image):
    where = space.who(image, look=True)
    assert where.runners == ()
    near = "; did you mean 'acme/web'?" if image == "acme/we" else ""
    assert str(where) == f"nothing is known to run {image}{near}"


@pytest.mark.parametrize("image", ["sha256:12", "sha256:XYZ", "", "web@", "a b", "-x"])
def test_what_is_no_image_is_refused_before_any_host_is_asked(space, hosts, image):
    with pytest.raises(oc.ModelError):
        space.who(image, look=True)
    assert hosts.asked == []


def test_a_host_that_cannot_say_who_runs_it_is_named(space, hosts):
    hosts.dead.add("h01")
    where = space.who("web", look=True)
    assert where.unseen == (("h01", "h01: connection refused"),)
    assert "h01 could not be looked at" in str(where)
