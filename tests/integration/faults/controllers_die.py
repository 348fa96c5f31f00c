"""Who deploys is killed at a named moment: the host goes on, and whoever comes next finds out what came of it."""

from __future__ import annotations

import os
import signal
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


STRANGER = """
import pathlib, sys
sys.path.insert(0, {tests!r})
import octossh as oc
from integration.faults.grounds import NEW, Ground
from lab.lab import Lab
ground = Ground(Lab.named({lab!r}), {host!r}, pathlib.Path({folder!r}))
def on_event(event):
    if event.type == "step_finished" and event.step == "first":
        print("here", flush=True)
        sys.stdin.readline()
with ground.space(oc.RunScript("first", script="true"), ground.web(), on_event=on_event) as space:
    made = ground.deploy(space, NEW)
print(made.outcome("web", {host!r}).why, flush=True)
"""


def stands_still(ground: Ground) -> None:
    """Of another store, it stands still between two steps, as where its cable was cut: for its host it has gone then."""
    ground.stand()
    folder = ground.folder / "stranger"
    folder.mkdir()
    tests = str(Path(__file__).parents[2])
    code = STRANGER.format(tests=tests, lab=ground.lab.name, host=ground.host, folder=str(folder))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as stranger:  # type: ignore[call-overload]
        try:
            assert stranger.stdout.readline() == "here\n"
            with ground.space(lock_wait_s=18) as space:
                refused = ground.deploy(space, NEW)
                assert "another deployment is not through" in refused.error
            os.kill(stranger.pid, signal.SIGSTOP)
            with ground.space() as space:
                ended = ground.deploy(space, NEW)
            assert ended.ok, str(ended)
            assert "has not been heard of for 15 s" in ended.outcomes[0].log
            os.kill(stranger.pid, signal.SIGCONT)
            said, _ = stranger.communicate("go on\n", timeout=60)
            assert "which another deployment has taken over since" in said
        finally:
            stranger.kill()
    ground.settles()


CASES: dict[str, Fault] = {
    "the controller of another store stands still between two steps": stands_still,
} | {
    f"the controller is killed at {moment} and its deployment {way}": partial(is_killed, moment, way)
    for moment in ("step_started", "replacing", "step_finished")
    for way in ("resumed", "deployed anew")
}
