"""What the script of a compose file decides where all is as it shall be."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden.cases import IMAGE, order
from properties.docker_calls import NEVER
from properties.stand import EACH_SHELL, Host, clear_locks, unique

import octossh as oc
from octossh.rendering import Order, render

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

FILE = "services:\n  web:\n    image: registry.example.com/acme/web:1.0\n  job:\n    image: busybox:1\n"


def wanted() -> Order:
    return order(oc.ComposeUp("stack", file=FILE, images={"web": IMAGE}, allow_unpinned=True), project=unique())


def put(host: Host, number: int, name: str, labels: dict[str, str]) -> None:
    """A container of the compose project, which runs."""
    host.docker.containers[f"{number:064x}"] = {
        "Id": f"{number:064x}",
        "Name": f"/{name}",
        "State": {"Status": "running", "ExitCode": 0, "Health": None, "FinishedAt": NEVER},
        "RestartCount": 0,
        "NetworkSettings": {"Networks": {}},
        "HostConfig": {"RestartPolicy": {"Name": "no"}},
        "Config": {
            "Labels": {
                "com.docker.compose.project": wanted().wanted.name,
                "com.docker.compose.oneoff": "False",
                **labels,
            },
            "Env": [],
            "Image": "x",
        },
    }


def put_all(host: Host) -> None:
    """All containers as they shall be."""
    for number, (service, part) in enumerate(wanted().wanted.parts.items()):
        ours = {"project": unique(), "environment": "Dev", "step": "stack", "spec": part.spec}
        ours |= {"release": "0.0.7", "deployment": "d-1"}
        labels = {"com.docker.compose.service": service, "odd": 'a *\n{ b"'}
        put(host, number, service, {**labels, **{f"octossh.{key}": text for key, text in ours.items()}})


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_what_runs_as_it_shall_is_looked_at_once_and_told_whole(tmp_path: Path, shell: str) -> None:
    host = Host(tmp_path / "host", shell)
    put_all(host)
    answer, result = host.run(render(wanted()))
    assert (answer.state, answer.action) == ("succeeded", "unchanged"), (result, host.docker.wrong)
    assert [call.name for call in host.calls] == ["ps", "container inspect"]
    told = {service: seen["Id"] for service, (seen,) in answer.inspect["Services"].items()}
    assert told == {seen["Name"][1:]: number for number, seen in host.docker.containers.items()}


@pytest.mark.parametrize(
    "service", ["{web", "web\n{}", "{}\nweb 1 running none 0 0 no ours", "web 1 running none 0 0 no ours"]
)
@pytest.mark.parametrize("shell", EACH_SHELL)
def test_what_others_name_as_they_like_is_no_more_ours_for_that(tmp_path: Path, shell: str, service: str) -> None:
    host = Host(tmp_path / "host", shell)
    put_all(host)
    put(host, 99, "stranger", {"com.docker.compose.service": service})
    answer, _ = host.run(render(wanted()))
    assert (answer.state, answer.changed) == ("failed", False)
    assert "was not made by this step" in answer.why
    assert [call.name for call in host.calls] == ["ps", "container inspect"]
