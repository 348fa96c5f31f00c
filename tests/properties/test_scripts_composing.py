"""What the script of a compose file decides where all is as it shall be."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden.cases import IMAGE, order
from properties.docker_calls import NEVER
from properties.stand import EACH_SHELL, Host, clear_locks, unique

import octossh as oc
from octossh.rendering import render

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

FILE = "services:\n  web:\n    image: registry.example.com/acme/web:1.0\n  job:\n    image: busybox:1\n"


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_what_runs_as_it_shall_is_looked_at_once_and_told_whole(tmp_path: Path, shell: str) -> None:
    wanted = order(oc.ComposeUp("stack", file=FILE, images={"web": IMAGE}, allow_unpinned=True), project=unique())
    assert wanted.wanted is not None
    host = Host(tmp_path / "host", shell)
    for number, (service, part) in enumerate(wanted.wanted.parts.items()):
        labels = {
            "com.docker.compose.project": wanted.wanted.name,
            "com.docker.compose.service": service,
            "com.docker.compose.oneoff": "False",
            "odd": 'a *\n{ b"',
            **{f"octossh.{key}": text for key, text in
               {"project": unique(), "environment": "Dev", "step": "stack", "spec": part.spec,
                "release": "0.0.7", "deployment": "d-1"}.items()},
        }  # fmt: skip
        host.docker.containers[f"{number:064x}"] = {
            "Id": f"{number:064x}",
            "Name": f"/{service}",
            "State": {"Status": "running", "ExitCode": 0, "Health": None, "FinishedAt": NEVER},
            "RestartCount": 0,
            "NetworkSettings": {"Networks": {}},
            "HostConfig": {"RestartPolicy": {"Name": "no"}},
            "Config": {"Labels": labels, "Env": [], "Image": "x"},
        }
    answer, result = host.run(render(wanted))
    assert (answer.state, answer.action) == ("succeeded", "unchanged"), (result, host.docker.wrong)
    assert [call.name for call in host.calls] == ["ps", "container inspect"]
    told = {service: seen["Id"] for service, (seen,) in answer.inspect["Services"].items()}
    assert told == {seen["Name"][1:]: number for number, seen in host.docker.containers.items()}
