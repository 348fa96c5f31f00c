"""A project on the lab, as tests want it: a network and a web server, on as many hosts as asked for."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.lab import Lab

import octossh as oc


def registry(lab: Lab) -> oc.Registry:
    return oc.Registry("hub", f"http://{lab.registry}")


def ssh(lab: Lab, **options: Any) -> oc.SSH:
    return oc.SSH(**{"known_hosts": lab.known_hosts, "identity": lab.key, "user": "deploy"} | options)


def targets(lab: Lab, *environments: str, roles: Mapping[str, Iterable[str]] | None = None) -> list[oc.Target]:
    """One host for each name in *environments*, in order: h01 stands in the first, and so on."""
    return [
        oc.Target(host, lab.hosts[host], roles=(roles or {}).get(host, ["web"]), environments=[environment])
        for host, environment in zip(lab.hosts, environments, strict=False)
    ]


def web(lab: Lab, image: str = "acme/web", **fields: Any) -> oc.RunContainer:
    return oc.RunContainer("web", image=registry(lab).image(image), **{"monitor_s": 0, **fields})


def project(*steps: oc.Step, **fields: Any) -> oc.Project:
    return oc.Project("shop", process=steps, **fields)


def space(lab: Lab, made: oc.Project, hosts: list[oc.Target], folder: Path, **options: Any) -> oc.Space:
    options.setdefault("transport", ssh(lab))
    return oc.Space(f"sqlite:///{folder}/octossh.db", projects=[made], targets=hosts, **options)


def files_with(lab: Lab, host: str, *texts: str) -> list[str]:
    """Files on *host* with one of *texts*, but for what steps have said: that is in memory, for their user alone."""
    # What docker itself keeps of a container's environment (/run/docker, /var/lib/docker) is docker's; so is the file
    # that it gives to runc, for a moment, for each health check.
    assert lab.sh(host, "find /dev/shm -maxdepth 1 -name 'octossh-run-*' ! -perm 0700") == ""
    words = " ".join(f"-e {shlex.quote(text)}" for text in texts)
    places = "/var/log /tmp /home /root /run/lock /dev/shm /etc"
    return lab.sh(
        host, f"grep -rlsaF --exclude-dir='octossh-run-*' --exclude='runc-process*' {words} {places}; true"
    ).split()


def containers(lab: Lab, host: str) -> dict[str, str]:
    """Names and ids of what exists on a host, running or not."""
    lines = lab.sh(host, "docker ps -a --no-trunc --format '{{.Names}} {{.ID}} {{.State}}'").split("\n")
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line}


def inspect(lab: Lab, host: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.sh(host, f"docker inspect {name}"))[0]
    return found


def version(lab: Lab, host: str, port: int = 8080) -> str:
    """What the web server on a host says that it is."""
    return lab.sh(
        host, f"curl -fsS --retry 20 --retry-all-errors --retry-delay 0 http://127.0.0.1:{port}/version"
    ).strip()


def when(line: str, do: Callable[[], object]) -> Callable[[oc.Event], None]:
    """A callback for events that does something once, when a line of output says so."""
    done = threading.Event()

    def on_event(event: oc.Event) -> None:
        if line in event.data.get("line", "") and not done.is_set():
            done.set()
            do()

    return on_event


@contextmanager
def beside() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """A way to start something beside the test; what it raises is raised by the test, when that asks for its result."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def docker_is_up(lab: Lab, host: str) -> None:
    """Wait until docker answers."""
    lab.sh(host, "until docker version >/dev/null 2>&1; do sleep 0.1; done")
