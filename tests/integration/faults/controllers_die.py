"""Who deploys is killed at a named moment: the host goes on, and whoever comes next finds out what came of it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from integration.faults.grounds import NEW, Fault, Ground

import octossh as oc

CONTROLLER = """
import pathlib, signal, sys
sys.path.insert(0, {tests!r})
from integration.faults.grounds import Ground
from lab.lab import Lab
ground = Ground(Lab.named({lab!r}), {host!r}, pathlib.Path({folder!r}))
with ground.space() as space:
    def on_event(event):
        if {moment!r} in event.type + event.data.get("line", ""):
            print("here", flush=True)
            signal.pause()
    space.on_event = on_event
    ground.deploy(space, {tag!r})
"""


def is_killed(moment: str, way: str, ground: Ground) -> None:
    """It stands still in its callback for an event, and is killed there; then it is asked for, or deployed anew."""
    ground.stand()
    code = CONTROLLER.format(
        tests=str(Path(__file__).parents[2]),
        lab=ground.lab.name,
        host=ground.host,
        folder=str(ground.folder),
        moment=moment,
        tag=NEW,
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.kill()
    left = ground.holds(stood=True)
    assert left is not None
    assert left.state is oc.State.INTERRUPTED
    if way == "resumed":
        with ground.space() as space:
            ended = space.resume(left.id)
        assert ended.finished_at is not None
        ground.holds(stood=True)
    ground.settles()


CASES: dict[str, Fault] = {
    f"the controller is killed at {moment} and its deployment {way}": partial(is_killed, moment, way)
    for moment in ("step_started", "replacing", "step_finished")
    for way in ("resumed", "deployed anew")
}
