"""What scripts decide that stop and remove, or look, and take only what is ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.cases import IMAGE, order
from properties.docker_stand_in import Docker
from properties.stand import Host, clear_locks, unique
from properties.webs import NAME, ONE, THREE, TWO, image, script, short

import octossh as oc
from octossh.errors import ReadError
from octossh.model import Prune
from octossh.reading import Answer, read_snapshot
from octossh.rendering import observe, render

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "host", registry=[image(digest) for digest in (ONE, TWO, THREE)])
    yield made
    assert made.docker.wrong == []


def project_of_two(host: Host) -> None:
    host.run(script(ONE))
    host.run(script(ONE, step="other", container_name="other-1"))
    host.run(render(order(oc.CreateNetwork("net", network_name="net-1"), project=unique())))
    stranger = oc.RunContainer("web", image=IMAGE, monitor_s=0, container_name="stranger")
    host.run(render(order(stranger, digest=ONE, project=f"{unique()} too")))


def stop(host: Host, **fields: Any) -> Answer:
    answer, _ = host.run(render(order(oc.StopResource("stop", **fields), project=unique())))
    return answer


def test_stopping_takes_what_bears_the_labels_of_this_project_and_nothing_else(host: Host) -> None:
    project_of_two(host)
    assert stop(host, steps=["other"]).why == "containers: other-1"
    assert sorted(host.containers) == ["stranger", NAME]
    assert stop(host, networks=True).why == f"containers: {NAME}; networks: net-1"
    assert sorted(host.containers) == ["stranger"]
    assert [seen["Name"] for seen in host.docker.networks.values()] == ["bridge"]
    answer = stop(host)
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "unchanged", False)


@pytest.mark.parametrize("noise", [False, True])
def test_stopping_without_removing_leaves_containers_that_do_not_run(host: Host, noise: bool) -> None:
    project_of_two(host)
    host.docker.noise = noise
    answer = stop(host, remove=False)
    assert (answer.action, answer.changed, answer.why) == ("stopped", True, f"containers: {NAME}, other-1")
    assert {name: seen[0] for name, seen in short(host).items()} == {
        NAME: "exited", "other-1": "exited", "stranger": "running"
    }  # fmt: skip
    assert stop(host, remove=False).action == "unchanged"


def test_volumes_go_only_when_that_is_asked_for_and_only_our_own(host: Host) -> None:
    for name, project in (("data", unique()), ("theirs", f"{unique()} too")):
        host.run(render(order(oc.CreateVolume("data", volume_name=name), project=project)))
    assert stop(host).why == "nothing matched"
    assert stop(host, volumes=True).why == "volumes: data"
    assert list(host.docker.volumes) == ["theirs"]


def test_of_older_releases_goes_what_no_step_of_this_one_keeps(tmp_path: Path) -> None:
    host = Host(tmp_path / "host", registry=[image(ONE)])  # its own: here a step has two containers

    def deploy(step: str, release: str, name: str) -> None:
        made = oc.RunContainer(step, image=IMAGE, monitor_s=0, container_name=name)
        host.run(render(order(made, digest=ONE, project=unique(), release=release)))

    for step, release, name in (
        ("gone", "0.0.6", "gone-1"), ("web", "0.0.6", "web-1"), ("db", "0.0.6", "db-1"), ("db", "0.0.7", "db-2"),
        ("late", "0.0.6", "late-1"),
    ):  # fmt: skip
        deploy(step, release, name)
    step = oc.StopResource("clear", releases="older")
    kept = [("container", "web-1"), ("container", "db-2"), ("network", "db-1")]
    answer, _ = host.run(render(order(step, project=unique(), kept=kept, spared=["late"])))
    assert answer.why == "containers: gone-1, db-1"
    assert sorted(host.containers) == ["db-2", "late-1", "web-1"]


def swarm_of(*services: tuple[str, str, str, str]) -> dict[str, Any]:
    """Services of a swarm: name, project, step and release."""
    made = {}
    for number, (name, project, step, release) in enumerate(services):
        ours = {"project": project, "environment": "Dev", "step": step, "release": release}
        labels = {f"octossh.{key}": text for key, text in ours.items()}
        made[f"id{number}"] = {"Id": f"id{number}", "Name": name, "Spec": {"Name": name, "Labels": labels}}
    return made


def test_a_manager_removes_the_services_of_a_swarm_too_and_only_our_own(host: Host) -> None:
    theirs = ("theirs", f"{unique()} too", "api", "0.0.6")
    host.docker.services = swarm_of(
        ("shop_api", unique(), "api", "0.0.6"), ("shop_db", unique(), "db", "0.0.6"), theirs
    )
    project_of_two(host)
    assert stop(host, remove=False).why == f"containers: {NAME}, other-1"
    assert stop(host, steps=["db"]).why == "services: shop_db"
    assert stop(host, networks=True).why == f"services: shop_api; containers: {NAME}, other-1; networks: net-1"
    assert [seen["Name"] for seen in host.docker.services.values()] == ["theirs"]
    assert stop(host).action == "unchanged"


@pytest.mark.parametrize("manager", [True, False])
def test_a_network_of_a_swarm_is_removed_by_a_manager_only(host: Host, manager: bool) -> None:
    host.docker.services = {} if manager else None
    host.run(render(order(oc.CreateNetwork("net", network_name="net-1", driver="overlay"), project=unique())))
    assert stop(host, networks=True).why == ("networks: net-1" if manager else "nothing matched")


def test_of_older_services_those_go_that_no_step_of_this_release_keeps(host: Host) -> None:
    services = [(f"shop_{step}", unique(), step, release) for step, release in
                (("gone", "0.0.6"), ("kept", "0.0.6"), ("new", "0.0.7"))]  # fmt: skip
    host.docker.services = swarm_of(*services)
    step = oc.StopResource("clear", releases="older")
    answer, _ = host.run(render(order(step, project=unique(), spared=["kept"])))
    assert answer.why == "services: shop_gone"
    assert len(host.docker.services) == 2


@pytest.mark.parametrize("noise", [False, True])
def test_a_look_sees_what_is_ours_and_what_bears_a_wanted_name(host: Host, noise: bool) -> None:
    project_of_two(host)
    host.docker.noise = noise
    _, result = host.run(
        observe(unique(), "Dev", [("container", "stranger"), ("network", "bridge"), ("container", "none")])
    )
    snapshot = read_snapshot(result, "h01")
    assert {(seen.kind, seen.name, seen.project) for seen in snapshot.resources} == {
        ("container", NAME, unique()),
        ("container", "other-1", unique()),
        ("container", "stranger", f"{unique()} too"),
        ("network", "net-1", unique()),
        ("network", "bridge", ""),
    }
    assert snapshot.docker == "20.10.24"


def test_a_look_for_many_names_asks_docker_once_for_each_kind(host: Host) -> None:
    project_of_two(host)
    wanted = [("container", "stranger"), ("container", "none"), ("network", "bridge"), ("network", "gone")]
    _, result = host.run(observe(unique(), "Dev", [*wanted, ("volume", "data"), ("volume", "more")]))
    listed = [call.name for call in host.calls if not call.name.endswith("inspect")]
    assert listed == ["version", "ps", "ps", "network ls", "network ls", "volume ls", "volume ls"]
    assert {"stranger", "bridge"} < {seen.name for seen in read_snapshot(result, "h01").resources}


IMAGES = [f"{IMAGE.name}@sha256:{number:064x}" for number in range(5)]
THERE, KEPT = {IMAGES[1], IMAGES[4]}, f"{IMAGE.name}@sha256:{9:064x}"


def test_of_many_images_one_start_of_docker_tells_which_are_not_there(host: Host) -> None:
    host.docker.images += sorted(THERE)
    _, result = host.run(observe(unique(), "Dev", [("image", name) for name in IMAGES]))
    assert {seen.name for seen in read_snapshot(result, "h01").resources} == THERE
    assert [call.name for call in host.calls].count("image inspect") == 3
    assert result.log.count("there is no image") == 3


@pytest.mark.parametrize("noise", [False, True])
def test_of_many_images_that_may_go_those_are_removed_that_are_there(host: Host, noise: bool) -> None:
    host.docker.images += [*sorted(THERE), KEPT]
    host.docker.noise = noise
    step = Prune("prune", images=IMAGES)
    answer, _ = host.run(render(order(step, project=unique())))
    assert answer.why == f"image {IMAGES[1]}, image {IMAGES[4]}"
    assert host.docker.images == [KEPT]
    assert [call.name for call in host.calls].count("image inspect") == 3
    answer, _ = host.run(render(order(step, project=unique())))
    assert (answer.state, answer.why) == ("succeeded", "nothing to remove")
    assert [call.name for call in host.calls] == ["image inspect", "ps"]


def test_where_docker_does_not_tell_which_images_are_not_there_each_is_asked_for(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.docker.images += sorted(THERE)
    call = Docker.call

    def other(docker: Docker, *args: Any) -> tuple[int, str, str]:
        code, out, err = call(docker, *args)
        return code, out, err.replace("no such image: ", "image not known: ")

    monkeypatch.setattr(Docker, "call", other)
    answer, _ = host.run(render(order(Prune("prune", images=IMAGES), project=unique())))
    assert answer.why == f"image {IMAGES[1]}, image {IMAGES[4]}"


@pytest.mark.parametrize("number", range(7))
def test_a_look_that_fails_on_the_way_is_an_error_never_a_part_of_the_truth(host: Host, number: int) -> None:
    project_of_two(host)
    script_ = observe(unique(), "Dev", [("container", "stranger"), ("network", "bridge")])
    host.down_from = number
    _, result = host.run(script_)
    with pytest.raises(ReadError, match="docker does not answer: Cannot connect"):
        read_snapshot(result, "h01")


def test_a_container_that_goes_while_it_is_looked_at_is_no_failure(host: Host) -> None:
    project_of_two(host)
    host.docker.fails = "container_inspect"
    _, result = host.run(observe(unique(), "Dev", []))
    assert [seen.name for seen in read_snapshot(result, "h01").resources] == ["net-1"]
    assert "a container went while it was looked at" in result.log
