"""Steps that go to a host in one script: the record and the host are those of the same steps one by one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleet import MOMENT
from golden.cases import DIGEST, IMAGE
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties.stand import CHECKS, SHELLS, Host, clear_locks, unique
from worlds import Journal

import octossh as oc
from octossh.deploying import apply
from octossh.planning import plan
from octossh.shell import Frame, Result, Script, Secret, payload
from octossh.transport.framing import Collector

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

REFERENCE = f"{IMAGE.name}@{DIGEST}"
BAD = oc.Registry("hub", "https://registry.example.com").image("acme/bad")
BAD_REFERENCE = f"{BAD.name}@sha256:{'b' * 64}"
MISSING = oc.Registry("hub", "https://registry.example.com").image("acme/missing")
TARGETS = (oc.Target("h1", "h1", environments=["Dev"]),)

KINDS: Mapping[str, Callable[[str], oc.Step]] = {
    "network": lambda name: oc.CreateNetwork(name, network_name=name),
    "network of somebody else": lambda name: oc.CreateNetwork(name, network_name="taken"),
    "volume": lambda name: oc.CreateVolume(name, volume_name=name),
    "volume of somebody else": lambda name: oc.CreateVolume(name, volume_name="taken"),
    "pull": lambda name: oc.PullImage(name, image=IMAGE),
    "pull of nothing": lambda name: oc.PullImage(name, image=MISSING),
    "container": lambda name: oc.RunContainer(
        name, image=IMAGE, container_name=name, monitor_s=0, env={"KEY": oc.secret("KEY"), "OTHER": oc.secret("OTHER")}
    ),
    "container that ends": lambda name: oc.RunContainer(name, image=BAD, container_name=name, monitor_s=0),
    "stop": lambda name: oc.StopResource(name, steps=["s0"]),
    "script": lambda name: oc.RunScript(name, script="echo hello; octossh_output A x"),
    "always": lambda name: oc.CreateVolume(name, volume_name=name, when="always"),
    "after a failure": lambda name: oc.CreateVolume(name, volume_name=name, when="failure"),
}
SECRETS = {"KEY": Secret("it's geheim )"), "OTHER": Secret("another one")}


class Standing:
    """A transport to a stand-in, which does whole scripts, and counts them."""

    def __init__(self, host: Host, *, streams: bool) -> None:
        self.host, self.streams = host, streams
        self.sent = 0

    def connect(self, target: oc.Target) -> None:
        """It is there."""

    def run(
        self,
        _target: oc.Target,
        script: Script,
        *,
        secrets: Mapping[str, Secret] = {},
        on_line: Callable[[str], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        **_more: Any,
    ) -> Result:
        self.sent += 1
        nonce = "0123456789abcdef"
        done = self.host.send(payload(script, nonce, secrets))
        collector = Collector(nonce, on_line, on_frame)
        collector.start()
        collector.feed_err(done.stderr)
        collector.feed_out(done.stdout)
        return collector.result(done.returncode)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def release(steps: list[oc.Step]) -> oc.Release:
    process = oc.Process(steps)
    digests = {IMAGE: DIGEST, BAD: "sha256:" + "b" * 64}
    pins = [oc.Pin(image=image, tag="1", digest=digests.get(image, "sha256:" + "c" * 64)) for image in process.images]
    return oc.Release(
        project=unique(), number="0.0.1", channel="stable", process=process, pins=tuple(pins), created_at=MOMENT
    )


def deployed(folder: Path, steps: list[oc.Step], *, streams: bool, shell: str = "dash") -> tuple[Any, int]:
    """All that is left of two deployments of *steps*, and how often something was sent."""
    made: list[Any] = []
    host = Host(folder, shell, registry=[REFERENCE, BAD_REFERENCE], ways={BAD_REFERENCE: "ends"})
    host.docker.networks["t" * 64] = {"Id": "t" * 64, "Name": "taken", "Labels": {}, "Driver": "bridge"}
    host.docker.volumes["taken"] = {"Name": "taken", "Labels": {}, "Driver": "local", "Options": {}}
    transport = Standing(host, streams=streams)
    for number in (1, 2):
        journal, told = Journal([]), list[oc.Event]()
        deployment = oc.Deployment(
            id=f"{unique()}-{number}", project=unique(), release="0.0.1", environment="Dev", mode=oc.Mode.DEPLOY,
            state=oc.State.RUNNING, started_at=datetime.now(UTC),
        )  # fmt: skip
        ended = apply(
            plan(release(steps), "Dev", TARGETS, secrets=SECRETS), transport, journal, deployment, secrets=SECRETS,
            on_event=told.append, check=False,
        )  # fmt: skip
        for left in Path("/dev/shm").glob(f"octossh-run-{unique()}-{number}-*"):
            shutil.rmtree(left)
        made.append([(e.type, e.step, e.target, {**e.data, "behind": None}) for e in journal.events])
        made.append(sorted((e.step, e.data["line"]) for e in told if e.type == "output"))
        made.append([{**outcome.to_dict(), **TIMELESS} for outcome in ended.outcomes])
        made.append((ended.state, ended.error, ended.hosts, journal.calls))
    docker = host.docker
    made.append([docker.containers, docker.networks, docker.volumes, docker.images, docker.started])
    assert docker.wrong == []
    return json.loads(plain(json.dumps(made, default=str))), transport.sent


TIMELESS = {"script": None, "started_at": None, "finished_at": None}


def plain(text: str) -> str:
    """Without what differs from run to run."""
    return re.sub(r"[0-9a-f]{64}", "ID", re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z?", "WHEN", text))


def in_both_ways(steps: list[oc.Step], shell: str = "dash") -> tuple[int, int]:
    """How often something is sent in one script and one by one, once both have come to the same."""
    with tempfile.TemporaryDirectory() as folder:
        fused, fewer = deployed(Path(folder, "fused"), steps, streams=True, shell=shell)
        single, more = deployed(Path(folder, "single"), steps, streams=False, shell=shell)
    assert fused == single
    return fewer, more


@pytest.mark.slow
@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=5), shell=st.sampled_from(sorted(SHELLS)))
@example(kinds=["pull of nothing", "volume", "container that ends", "network", "volume"], shell="dash")
@settings(max_examples=25)
def test_any_process_leaves_the_same_record_and_the_same_host(kinds: list[str], shell: str) -> None:
    fewer, more = in_both_ways([KINDS[kind](f"s{number}") for number, kind in enumerate(kinds)], shell)
    assert fewer <= more


def test_what_needs_nothing_decided_between_goes_in_one_script() -> None:
    steps = [KINDS[kind](f"s{at}") for at, kind in enumerate(["network", "volume", "container", "container that ends"])]
    assert in_both_ways(steps[:3]) == (2, 6)
    # Where something fails, the host is freed by one script more.
    assert in_both_ways(steps) == (4, 10)


def test_each_part_gets_its_own_secrets() -> None:
    one, two = (
        oc.RunContainer(name, image=IMAGE, container_name=name, monitor_s=0, env={"ONLY": oc.secret(secret)})
        for name, secret in (("c1", "KEY"), ("c2", "OTHER"))
    )
    assert in_both_ways([one, two]) == (2, 4)


def test_the_whole_is_a_script_in_every_shell(tmp_path: Path) -> None:
    made: list[Script] = []

    class Keeping(Standing):
        def run(self, target: oc.Target, script: Script, **more: Any) -> Result:
            made.append(script)
            return super().run(target, script, **more)

    host = Host(tmp_path / "host", registry=[REFERENCE])
    steps = [KINDS[kind](f"s{at}") for at, kind in enumerate(["network", "container"])]
    deployment = oc.Deployment(
        id=f"{unique()}-3", project=unique(), release="0.0.1", environment="Dev", mode=oc.Mode.DEPLOY,
        state=oc.State.RUNNING, started_at=datetime.now(UTC),
    )  # fmt: skip
    apply(
        plan(release(steps), "Dev", TARGETS, secrets=SECRETS), Keeping(host, streams=True), Journal([]), deployment,
        secrets=SECRETS,
    )  # fmt: skip
    (script,) = made
    file = tmp_path / "fused.sh"
    file.write_text(script.ahead + script.body)
    for check in CHECKS.values():
        assert subprocess.run([*check, str(file)], capture_output=True).stderr == b""
    for secret in SECRETS.values():
        assert secret.reveal() not in script.ahead + script.body
