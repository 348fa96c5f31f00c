"""What an image is built for, and whether a host runs it: octossh.model.platforms and what goes by it."""

from __future__ import annotations

import attrs
import pytest
from fleet import MOMENT, Fleet

import octossh as oc
from octossh.model.platforms import platform, serves
from octossh.planning import plan

HUB = oc.Registry("hub", "https://registry.example.com")
HOST = oc.Target("h01", "10.0.0.1", environments=["Dev"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("linux", "amd64"), "linux/amd64"),
        (("Linux", "x86_64"), "linux/amd64"),
        (("linux", "arm64", "v8"), "linux/arm64"),
        (("linux", "aarch64"), "linux/arm64"),
        (("linux", "arm", "v7"), "linux/arm"),
        (("linux", "arm", "v6"), "linux/arm/v6"),
        (("linux", "amd64", "v3"), "linux/amd64/v3"),
        (("windows", "amd64"), "windows/amd64"),
    ],
)
def test_a_platform_is_written_as_docker_writes_it(words, expected):
    assert platform(*words) == expected


@pytest.mark.parametrize(
    ("built", "host", "does"),
    [
        (["linux/amd64"], "linux/amd64", True),
        (["linux/arm64"], "linux/amd64", False),
        (["linux/arm64", "linux/amd64"], "linux/amd64", True),
        (["windows/amd64"], "linux/amd64", False),
        (["linux/386"], "linux/amd64", True),
        (["linux/amd64"], "linux/386", False),
        (["linux/arm/v6"], "linux/arm", True),
        (["linux/arm"], "linux/arm/v6", False),
        (["linux/arm/v6"], "linux/arm/v7", True),
        (["linux/arm"], "linux/arm64", True),
        (["linux/amd64/v3"], "linux/amd64", True),
        ([], "linux/amd64", False),
    ],
)
def test_a_host_runs_what_is_built_for_it(built, host, does):
    assert serves(built, host) is does


def pin(*platforms):
    return oc.Pin(image=HUB.image("acme/web"), tag="1.0", digest="sha256:" + "a" * 64, platforms=platforms)


def test_a_pin_says_which_hosts_it_serves():
    assert pin("linux/arm64").serves("linux/arm64")
    assert not pin("linux/arm64").serves("linux/amd64")
    assert pin().serves("linux/s390x")
    with pytest.raises(
        oc.PlanError, match=r"acme/web:1\.0 is built for linux/arm64, linux/s390x, and the host is linux"
    ):
        pin("linux/arm64", "linux/s390x").check_platform("linux/amd64")


def planned(step, *platforms, host="linux/amd64", fleet=None):
    process = oc.Process([step])
    pins = tuple(attrs.evolve(pin(*platforms), image=image) for image in process.images)
    release = oc.Release(project="shop", number="1", channel="c", process=process, pins=pins, created_at=MOMENT)
    fleet = fleet or Fleet((HOST,))
    seen = {name: attrs.evolve(snapshot, platform=host) for name, snapshot in fleet.look().items()}
    (task,) = plan(release, "Dev", [HOST], seen=seen).tasks
    return task, release, fleet


WEB = oc.RunContainer("web", image=HUB.image("acme/web"))


@pytest.mark.parametrize("step", [WEB, oc.PullImage("ahead", image=HUB.image("acme/web"))], ids=["run", "pull"])
def test_an_image_that_the_host_does_not_run_is_refused_in_the_plan(step):
    task, *_ = planned(step, "linux/arm64")
    assert task.action.value == "refuse"
    assert "is built for linux/arm64, and the host is linux/amd64; push it for this platform too" in task.why
    assert ("if the host emulates one of them" in task.why) is (step is WEB)


@pytest.mark.parametrize(
    ("step", "platforms", "host"),
    [
        (WEB, ("linux/arm64", "linux/amd64"), "linux/amd64"),
        (WEB, (), "linux/amd64"),
        (WEB, ("linux/arm64",), ""),
        (attrs.evolve(WEB, platform="linux/arm64"), ("linux/arm64",), "linux/amd64"),
    ],
    ids=["served", "image unknown", "host unknown", "said so"],
)
def test_an_image_that_the_host_runs_or_may_run_is_not_refused(step, platforms, host):
    task, *_ = planned(step, *platforms, host=host)
    assert task.action.value == "create"


def test_a_platform_that_the_step_says_and_the_image_is_not_built_for_is_refused():
    task, *_ = planned(attrs.evolve(WEB, platform="linux/arm64"), "linux/amd64")
    assert task.action.value == "refuse"
    assert "is built for linux/amd64, and the step says linux/arm64" in task.why


FILE = """
services:
  web: {image: registry.example.com/acme/web}
  other: {image: registry.example.com/acme/web, platform: PLATFORM}
"""


def compose(platform, kind=oc.ComposeUp):
    return kind("web", file=FILE.replace("PLATFORM", platform), images=[HUB.image("acme/web")])


@pytest.mark.parametrize(
    "step",
    [
        oc.RunOnce("once", image=HUB.image("acme/web")),
        oc.RunScript("do", script="true", image=HUB.image("acme/web")),
        compose("linux/arm64"),
    ],
    ids=["once", "script", "compose"],
)
def test_images_of_all_kinds_are_compared_with_the_host(step):
    task, *_ = planned(step, "linux/arm64")
    assert task.action.value == "refuse"
    assert "is built for linux/arm64, and the host is linux/amd64" in task.why
    assert planned(step, "linux/arm64", host="linux/arm64")[0].action.value in {"create", "run"}


@pytest.mark.parametrize("step", [WEB, oc.CreateNetwork("net"), oc.StopResource("stop")], ids=lambda step: step.kind)
def test_a_host_of_windows_containers_is_refused_whatever_the_step(step):
    task, *_ = planned(step, host="windows/amd64")
    assert task.action.value == "refuse"
    assert task.why.endswith("octossh deploys Linux containers: give a Linux host")


def test_the_platform_that_a_compose_file_says_counts():
    task, *_ = planned(compose("linux/s390x"), "linux/amd64")
    assert "is built for linux/amd64, and the step says linux/s390x" in task.why


def test_a_swarm_finds_the_nodes_itself_and_the_plan_says_what_the_manager_is():
    step = oc.SwarmService("api", image=HUB.image("acme/web"))
    pins = (attrs.evolve(pin("linux/arm64"), image=step.image),)
    release = oc.Release(
        project="shop", number="1", channel="c", process=oc.Process([step]), pins=pins, created_at=MOMENT
    )
    seen = {"h01": oc.Snapshot(target="h01", observed_at=MOMENT, swarm="manager", platform="linux/amd64")}
    made = plan(release, "Dev", [HOST], seen=seen)
    assert made.tasks[0].action.value == "create"
    assert made.notes[0].startswith(
        "h01: step 'api': image acme/web:1.0 is built for linux/arm64, and the host is linux"
    )
    assert made.notes[0].endswith("; swarm decides where its tasks run")


def test_the_controller_has_no_docker_to_compare_with():
    task, *_ = planned(oc.RunScript("do", script="true", where="controller"), host="windows/amd64")
    assert task.action.value == "run"


def test_a_container_that_runs_already_is_not_refused():
    _, release, fleet = planned(WEB, "linux/arm64", host="")
    fleet.run(release)
    task, *_ = planned(WEB, "linux/arm64", fleet=fleet)
    assert task.action.value == "unchanged"
