"""What old releases left and no release that counts needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import octossh as oc
from octossh.model import Pin, Process, Prune, Resource
from octossh.planning import Came, plan, to_prune

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
WEB = oc.Registry("hub", "https://registry.example.com").image("acme/web")
TARGET = oc.Target("h01", "10.0.0.1", environments=["Dev", "Test"])


def digest(number):
    return "sha256:" + number.replace(".", "").rjust(64, "a")


def release(project, number, *steps):
    return oc.Release(
        project=project,
        number=number,
        channel="default",
        process=Process(steps or [oc.RunContainer("web", image=WEB)]),
        pins=(Pin(image=WEB, tag="1.0", digest=digest(number)),),
        created_at=MOMENT,
    )


def deployment(number, environment="Dev", state=oc.State.SUCCEEDED, project="shop", mode=oc.Mode.DEPLOY):
    return oc.Deployment(
        id=f"{project}-{number}",
        project=project,
        release=number,
        environment=environment,
        mode=mode,
        state=state,
        started_at=MOMENT,
        finished_at=MOMENT + timedelta(seconds=1),
    )


def pruned(*history, keep=2):
    """The step that prunes Dev of shop; *history* is oldest first."""
    came = {}
    for place, made in enumerate(history):
        key = made.project, made.environment, made.release
        came[key] = Came(*key, place, place if made.ok else came[key].passed if key in came else None)

    def pins(project, numbers):
        return [pin for number in numbers for pin in release(project, number).pins]

    return to_prune("shop", "Dev", keep, came.values(), pins, release, [TARGET])


def references(*numbers):
    return tuple(sorted(f"registry.example.com/acme/web@{digest(number)}" for number in numbers))


def test_images_of_all_but_the_last_releases_go():
    made = pruned(*map(deployment, ("0.0.1", "0.0.2", "0.0.3", "0.0.4")))
    assert made.images == references("0.0.1", "0.0.2")
    assert made.keep == ("0.0.3", "0.0.4")


def test_a_release_that_came_back_counts_by_its_last_success():
    made = pruned(*map(deployment, ("0.0.1", "0.0.2", "0.0.3", "0.0.1")))
    assert (made.images, made.keep) == (references("0.0.2"), ("0.0.1", "0.0.3"))


def test_what_was_deployed_last_stays_though_it_failed_and_older_failures_go():
    failed = oc.State.FAILED
    made = pruned(deployment("0.0.1"), deployment("0.0.2", state=failed), deployment("0.0.3", state=failed), keep=1)
    assert (made.images, made.keep) == (references("0.0.2"), ("0.0.1", "0.0.3"))


def test_what_another_environment_or_project_needs_stays():
    here = [deployment(number) for number in ("0.0.1", "0.0.2", "0.0.3")]
    assert pruned(deployment("0.0.1", "Test"), *here, keep=1).images == references("0.0.2")
    assert pruned(deployment("0.0.2", "Live", project="blog"), *here, keep=1).images == references("0.0.1")


@pytest.mark.parametrize("keep", [0, -1, True, "3"])
def test_a_number_of_releases_that_is_none_is_refused(keep):
    with pytest.raises(oc.PlanError, match="give a number from 1"):
        pruned(deployment("0.0.1"), keep=keep)


def test_an_environment_without_deployments_is_refused():
    with pytest.raises(oc.PlanError, match="nothing to prune"):
        pruned(deployment("0.0.1", "Test"))


def planned(step, *resources):
    made = release("shop", "0.0.9", step)
    seen = {"h01": oc.Snapshot(target="h01", observed_at=MOMENT, resources=resources)}
    (task,) = plan(made, "Dev", [TARGET], mode=oc.Mode.PRUNE, seen=seen).tasks
    return task.action.value, task.why


def container(name, number="0.0.1", status="exited", step="web", project="shop"):
    return Resource(
        kind="container",
        name=name,
        id=name,
        project=project,
        environment="Dev",
        step=step,
        release=number,
        status=status,
    )


def test_the_plan_names_what_is_there_and_would_go():
    (image,) = references("0.0.1")
    step = Prune(
        "prune", images=references("0.0.1", "0.0.2"), keep=["0.0.9"], containers=["shop-dev-web"], steps=["odd"]
    )
    assert planned(step) == ("unchanged", "nothing to remove")
    stays = [
        container("running", status="running"),
        container("young", "0.0.9"),
        container("shop-dev-web"),
        container("web--old"),
        container("web--next"),
        container("spared", step="odd"),
        container("stranger", project=""),
    ]
    assert planned(step, *stays) == ("unchanged", "nothing to remove")
    there = Resource(kind="image", name=image, id="x")
    assert planned(step, *stays, container("left"), there) == ("stop", f"remove container left, image {image}")
