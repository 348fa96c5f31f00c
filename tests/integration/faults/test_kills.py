"""Controllers that are killed at any moment: hosts go on, and the record is made whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import shops
from integration.faults.checker import check, check_nothing_stays
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

SCRIPT = "echo begin >>/tmp/count; for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; echo end >>/tmp/count"
CONTROLLER = """
import pathlib, sys
sys.path.insert(0, {tests!r})
from integration.faults import test_kills
from lab.lab import Lab
with test_kills.space(Lab.named({lab!r}), {host!r}, pathlib.Path({folder!r})) as space:
    space.on_event = lambda event: print(event.type, event.data.get("line", ""), flush=True)
    space.deploy(space.create_release(versions={{"acme/web": {tag!r}}}), "Dev")
"""


def space(lab: Lab, host: str, folder: Path) -> oc.Space:
    """A script, a container and another script on one host."""
    first, last = oc.RunScript("first", script=SCRIPT), oc.RunScript("last", script="echo done")
    made = shops.project(first, shops.web(lab, monitor_s=0, restart="always"), last)
    target = oc.Target(host, lab.hosts[host], environments=["Dev"])
    return shops.space(lab, made, [target], folder, anchors=False)


def start(lab: Lab, host: str, folder: Path, tag: str) -> subprocess.Popen[str]:
    """A process that deploys; it has begun."""
    tests = str(Path(__file__).parents[2])
    code = CONTROLLER.format(tests=tests, lab=lab.name, host=host, folder=str(folder), tag=tag)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "deployment_started" in process.stdout.readline()
    return process


def check_scripts(lab: Lab, host: str, made: oc.Space) -> None:
    """Each script that began came to its end, and no deployment began one twice."""
    said = lab.sh(host, "cat /tmp/count 2>/dev/null || true").split()
    assert said == ["begin", "end"] * (len(said) // 2)
    known = [o.state for one in made.history(limit=None) if (o := one.outcome("first", host))]
    succeeded, unknown = known.count(oc.State.SUCCEEDED), known.count(oc.State.UNKNOWN)
    assert succeeded <= len(said) // 2 <= succeeded + unknown


def kill_once(lab: Lab, host: str, folder: Path, draw: random.Random, number: int) -> None:
    """Kill a controller at some moment; take up what it left in one of two ways, and look at the host."""
    tag = ("1.0.0", "1.0.1")[number % 2]
    with start(lab, host, folder, tag) as process:
        time.sleep(draw.uniform(0, 3.5))
        process.kill()
    with space(lab, host, folder) as made:
        left = made.history()[0]
        if left.state is oc.State.INTERRUPTED and draw.random() < 0.5:
            left = made.resume(left.id)
            assert left.finished_at is not None
            check(lab, host, made)
        assert made.deploy(made.release(), "Dev").ok
        assert made.deployment(left.id).finished_at is not None
        check(lab, host, made)
        check_scripts(lab, host, made)


def kill_often(lab: Lab, folder: Path, rounds: int) -> None:
    """So many rounds on each host, on all hosts at once."""

    def on_host(host: str) -> None:
        draw = random.Random(f"kills on {host}")
        place = folder / host
        place.mkdir()
        for number in range(rounds):
            kill_once(lab, host, place, draw, number)
        lab.sh(host, "rm -f /tmp/count")

    with ThreadPoolExecutor(len(lab.hosts)) as pool:
        list(pool.map(on_host, lab.hosts))
        list(pool.map(lambda host: check_nothing_stays(lab, host), lab.hosts))


def test_controllers_that_are_killed_at_eight_moments_leave_hosts_and_records_that_are_right(
    clean_lab: Lab, tmp_path: Path
) -> None:
    kill_often(clean_lab, tmp_path, 2)


@pytest.mark.soak
def test_controllers_that_are_killed_at_two_hundred_moments_leave_hosts_and_records_that_are_right(
    clean_lab: Lab, tmp_path: Path
) -> None:
    kill_often(clean_lab, tmp_path, 50)
