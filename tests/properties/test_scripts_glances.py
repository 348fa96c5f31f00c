"""Steps that find all there: they need no process of their own, and all that holds for a run holds for them."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from golden.cases import DIGEST, IMAGE, order
from properties.stand import EACH_SHELL, SHELLS, Host, clear_locks, eventually, forget_runs, unique

import octossh as oc
from octossh.model import Step
from octossh.reading import Answer, read_answer
from octossh.rendering import attach, end_run, fused, outliving, render
from octossh.shell import Script, payload
from octossh.transport.framing import Collector

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

STEPS: list[Step] = [
    oc.CreateNetwork("net", network_name="net"),
    oc.CreateVolume("vol", volume_name="vol"),
    oc.RunContainer("web", image=IMAGE, container_name="web", monitor_s=0),
    oc.PullImage("ahead", image=IMAGE),
]
NONCE = "0123456789abcdef"


@pytest.fixture(params=EACH_SHELL)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Host(tmp_path / "host", request.param, record=True, registry=[f"{IMAGE.name}@{DIGEST}"])


@pytest.fixture
def run() -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    forget_runs(name)


def script(step: Step) -> Script:
    return render(order(step, project=unique()))


def kept(run: str) -> Path:
    return Path(f"/dev/shm/octossh-run-{run}.01")


def started(host: Host) -> set[str]:
    """The names of the programs that it started, as far as it keeps them."""
    said = (host.folder / "others").read_bytes().decode(errors="replace").split("\0")
    return {Path(word).name for word in said if word.startswith(f"{host.folder}/bin/")}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_of_a_step_that_finds_all_there_the_end_is_kept_as_of_any_other(host: Host, run: str, step: Step) -> None:
    made, _ = host.run(script(step))
    found, _ = host.run(outliving(script(step), run, 1))
    again, _ = host.run(attach(run, "x"))
    assert (made.changed, found.action, found.changed) == (True, "unchanged", False)
    assert (again.state, again.action, again.changed) == ("succeeded", "unchanged", False)
    assert found.inspect == again.inspect
    assert found.inspect is not None


def test_steps_that_find_all_there_start_what_locks_and_docker_and_little_else(host: Host, run: str) -> None:
    parts = [(script(step), f"{run}-{step.name}") for step in STEPS]
    try:
        for one, _ in parts:
            host.run(one)
        (host.folder / "others").unlink()
        host.run(fused(parts))
        assert started(host) - {"sleep"} == {"flock"}
        assert [call.name for call in host.calls] == ["inspect", "image inspect"]
    finally:
        for _, name in parts:
            forget_runs(name)


def test_the_lock_is_free_once_a_step_has_ended_whether_it_found_all_there_or_not(host: Host, run: str) -> None:
    for number in (1, 2):
        host.run(outliving(script(STEPS[0]), run, number))
        (lock,) = Path("/dev/shm").glob(f"octossh-{unique()}-*.lock")
        subprocess.run(["flock", "-n", str(lock), "true"], check=True)


def test_who_ends_a_run_that_still_looks_is_heard_by_whoever_listens(host: Host, run: str) -> None:
    called = host.folder / "called"
    host.program("docker", f"#!/bin/sh\n: >{called}\nexec sleep 60\n")
    listening = subprocess.Popen(
        [*SHELLS[host.shell], "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": host.path, "HOME": str(host.folder)},
        start_new_session=True,
    )
    assert listening.stdin is not None
    listening.stdin.write(payload(outliving(script(STEPS[0]), run, 1), NONCE, {}))
    listening.stdin.close()
    listening.stdin = None
    eventually(called.exists)
    host.run(end_run(run, "x", "it was cancelled"))
    out, err = listening.communicate(timeout=30)
    heard = answer(out, err, listening.returncode)
    assert (heard.state, heard.why) == ("failed", "it was cancelled")
    assert (kept(run) / "over").exists()


def answer(out: bytes, err: bytes, code: int) -> Answer:
    collector = Collector(NONCE)
    collector.start()
    collector.feed_out(out)
    collector.feed_err(err)
    return read_answer(collector.result(code))
