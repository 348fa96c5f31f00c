"""Controllers that are killed at any moment: what they began goes on, runs once, and the record is made whole."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import octossh as oc

pytestmark = pytest.mark.slow

CONTROLLER = """
import pathlib, sys
sys.path.insert(0, {tests!r})
from integration.faults import test_kills_here
test_kills_here.keep({kept_s})
with test_kills_here.space(pathlib.Path({folder!r})) as space:
    space.on_event = lambda event: print(event.type, flush=True)
    space.deploy(space.create_release(), "Dev")
"""


KEPT_S = 45
"""Seconds for which a run is kept here: long enough for all that comes back for it, and less than with users."""


def keep(seconds: int) -> int:
    """Let runs be kept for so long from now on; it was that long before."""
    outliving = importlib.import_module("octossh.rendering.surviving")
    before: int = outliving._FIXED["kept_s"]
    outliving._FIXED["kept_s"] = seconds
    outliving._outlive.cache_clear()
    return before


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    before = keep(KEPT_S)
    yield
    keep(before)


def space(folder: Path) -> oc.Space:
    """Two scripts on this machine, of which the first takes a second and writes down that it began and ended."""
    count = f"{folder}/count"
    script = f"echo begin >>{count}; for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; echo end >>{count}"
    steps = [oc.RunScript("first", script=script), oc.RunScript("last", script="echo done")]
    return oc.Space(
        f"sqlite:///{folder}/octossh.db",
        projects=[oc.Project(folder.name, process=steps)],
        targets=[oc.Target("here", "here", environments=["Dev"])],
        transport=oc.Local(),
        anchors=False,
    )


def kill_once(folder: Path, draw: random.Random) -> None:
    """Kill a controller at some moment, and take up what it left in one of two ways."""
    code = CONTROLLER.format(tests=str(Path(__file__).parents[2]), folder=str(folder), kept_s=KEPT_S)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "deployment_started\n"
        time.sleep(draw.uniform(0, 1.8))  # the moment itself is what is drawn
        process.kill()
    with space(folder) as made:
        left = made.history()[0]
        if left.state is oc.State.INTERRUPTED and draw.random() < 0.5:
            made.resume(left.id)
        assert made.deploy(made.release(), "Dev").ok
        check(made, folder)


def check(made: oc.Space, folder: Path) -> None:
    """Every deployment has an end, each script that began ended, none ran twice, and the record says how often."""
    past = made.history(limit=None)
    assert all(deployment.finished_at is not None for deployment in past)
    assert made.verify().ok
    said = (folder / "count").read_text().split()
    assert said == ["begin", "end"] * (len(said) // 2)
    states = [outcome.state for one in past if (outcome := one.outcome("first", "here"))]
    succeeded, unknown = states.count(oc.State.SUCCEEDED), states.count(oc.State.UNKNOWN)
    assert succeeded <= len(said) // 2 <= succeeded + unknown
    lock = f"/dev/shm/octossh-{folder.name}-dev.lock"
    assert subprocess.run(["flock", "-n", lock, "true"]).returncode == 0


def kill_often(folder: Path, rounds: int) -> None:
    def one(number: int) -> None:
        place = folder / f"kills{uuid.uuid4().hex[:12]}"
        place.mkdir()
        draw = random.Random(number)
        for _ in range(rounds):
            kill_once(place, draw)
        Path(f"/dev/shm/octossh-{place.name}-dev.lock").unlink()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    runs = [path for path in Path("/dev/shm").glob("octossh-run-*") if b"line 5" in (path / "log.0").read_bytes()]
    deadline = time.monotonic() + 90
    while any(path.exists() for path in runs):
        assert time.monotonic() < deadline, runs
        time.sleep(0.5)


def test_controllers_that_are_killed_at_fifteen_moments_leave_nothing_half_done_and_nothing_behind(
    tmp_path: Path,
) -> None:
    kill_often(tmp_path, 5)


@pytest.mark.soak
@pytest.mark.lab
def test_controllers_that_are_killed_at_two_hundred_moments_leave_nothing_half_done_and_nothing_behind(
    tmp_path: Path,
) -> None:
    kill_often(tmp_path, 67)
