"""What the scripts for volumes and images decide, against the stand-in for docker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.cases import DIGEST, IMAGE, order
from properties.stand import Host, clear_locks, unique

import octossh as oc
from octossh.rendering import render
from octossh.shell import Script

REFERENCE = f"{IMAGE.name}@{DIGEST}"

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "host", registry=[REFERENCE])
    yield made
    assert made.docker.wrong == []


def volume(**fields: Any) -> Script:
    return render(order(oc.CreateVolume("data", volume_name="data", **fields), project=unique()))


def pull() -> Script:
    return render(order(oc.PullImage("ahead", image=IMAGE), project=unique()))


def test_a_volume_is_created_once_with_its_options_and_then_left_alone(host: Host) -> None:
    made = volume(options={"type": "tmpfs", "o": "size=1m,uid=7"})
    answer, _ = host.run(made)
    assert (answer.action, answer.changed) == ("created", True)
    assert host.docker.volumes["data"]["Options"] == {"type": "tmpfs", "o": "size=1m,uid=7"}
    again, _ = host.run(made)
    assert (again.action, again.changed) == ("unchanged", False)
    assert again.inspect == answer.inspect == host.docker.volumes["data"]
    assert [call.name for call in host.calls] == ["volume inspect"]


def test_a_volume_that_differs_is_left_as_it_is_unless_told_otherwise(host: Host) -> None:
    host.run(volume())
    before = dict(host.docker.volumes)
    answer, _ = host.run(volume(labels={"team": "blue"}))
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why == "the volume data differs; it holds data, so remove it yourself first"
    assert host.docker.volumes == before
    answer, _ = host.run(volume(labels={"team": "blue"}, replace=True))
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "replaced", True)
    assert host.docker.volumes["data"]["Labels"]["team"] == "blue"


def network(**fields: Any) -> Script:
    return render(order(oc.CreateNetwork("net", network_name="net-1", replace=True, **fields), project=unique()))


def hung(name: str, **fields: Any) -> Script:
    networks = ["bridge", oc.Join("net-1", aliases=["db"], ip="172.28.6.4")]
    step = oc.RunContainer(name, image=IMAGE, networks=networks, container_name=name, monitor_s=0)
    return render(order(step, **{"project": unique(), **fields}))


def networks_of(host: Host, name: str) -> set[str]:
    return set(host.containers[name]["NetworkSettings"]["Networks"])


def test_a_network_is_made_anew_when_told_and_containers_join_it_when_their_steps_run(host: Host) -> None:
    host.run(network())
    host.run(hung("first"))
    host.run(hung("second"))
    before = dict(host.containers)
    answer, result = host.run(network(subnet="172.28.6.0/24"))
    assert (answer.action, answer.changed) == ("replaced", True), (answer.why, result.log)
    assert networks_of(host, "first") == networks_of(host, "second") == {"bridge"}
    answer, result = host.run(hung("first"))
    assert (answer.action, answer.changed) == ("updated", True), (answer.why, result.log)
    (connect,) = [call for call in host.calls if call.name == "network connect"]
    assert connect.argv[2:] == (b"--alias", b"db", b"--ip", b"172.28.6.4", b"net-1", b"first")
    assert (networks_of(host, "first"), networks_of(host, "second")) == ({"bridge", "net-1"}, {"bridge"})
    assert host.run(hung("first"))[0].action == "unchanged"
    assert {name: seen["Id"] for name, seen in host.containers.items()} == {
        name: seen["Id"] for name, seen in before.items()
    }


def test_a_network_on_which_others_hang_is_not_made_anew(host: Host) -> None:
    host.run(network())
    host.run(hung("mine"))
    host.run(hung("theirs", environment="Test"))
    before = dict(host.docker.networks)
    answer, _ = host.run(network(subnet="172.28.6.0/24"))
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why.endswith("that is not of this project and environment: theirs")
    assert host.docker.networks == before
    assert networks_of(host, "mine") == {"bridge", "net-1"}


@pytest.mark.parametrize("replace", [True, False])
def test_a_volume_of_others_is_never_touched(host: Host, replace: bool) -> None:
    host.docker.volumes["data"] = {"Name": "data", "Driver": "local", "Labels": {"team": "red"}, "Options": {}}
    answer, _ = host.run(volume(replace=replace))
    assert answer.why == "the volume data was not made by this step; remove it, or give this step another name"
    assert host.docker.volumes["data"]["Labels"] == {"team": "red"}


def test_a_volume_that_docker_will_not_remove_stays(host: Host) -> None:
    host.run(volume())
    host.docker.fails = "volume_rm"
    answer, _ = host.run(volume(driver="other", replace=True))
    assert (answer.state, answer.changed) == ("failed", False)
    assert "volume_rm fails" in answer.why
    assert host.docker.volumes["data"]["Driver"] == "local"


def test_an_image_is_pulled_when_it_is_not_there_and_only_then(host: Host) -> None:
    answer, _ = host.run(pull())
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "pulled", True)
    assert answer.inspect["Id"] == f"id-of-{REFERENCE}"
    again, _ = host.run(pull())
    assert (again.action, again.changed) == ("unchanged", False)
    assert {call.name for call in host.calls} == {"image inspect"}


def test_an_image_that_cannot_be_pulled_fails_with_dockers_own_words(host: Host) -> None:
    host.docker.registry.clear()
    answer, _ = host.run(pull())
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why == "docker pull: Error response from daemon: manifest unknown"


@pytest.mark.parametrize("script", [volume, pull])
def test_a_docker_that_does_not_answer_is_no_reason_to_make_anything(host: Host, script: Any) -> None:
    host.docker.down = True
    answer, _ = host.run(script())
    assert answer.state == "failed"
    assert answer.why.startswith("docker does not answer: Cannot connect to the Docker daemon")
