"""Outputs of the command that are closed or full: it does what it was told, and its exit code tells how that went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("octossh"))
OCTOFILE = """
import octossh as oc

frames = [oc.Frame("end", "succeeded ran yes ")]
shop = oc.Project("shop", process=[oc.RunScript("do", script="true")])
here = [oc.Target("h1", "h1", environments=["Dev"])]
space = oc.Space("sqlite:///store.db", projects=[shop], targets=here, transport=oc.Replay(lambda *_: frames))
space.create_release()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "octofile.py").write_text(OCTOFILE)
    return tmp_path


def run(folder, words):
    """Run what a shell makes of *words*."""
    script = f"exec {COMMAND} {words}"
    return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("release", "code"), [("0.0.1", 0), ("0.0.9", 2)])
@pytest.mark.slow
def test_where_nobody_can_be_told_the_exit_code_tells(folder, streams, release, code):
    assert run(folder, f"deploy {release} --to Dev {streams}").returncode == code


@pytest.mark.slow
def test_a_result_that_cannot_be_written_is_told_in_one_line(folder):
    done = run(folder, "deploy 0.0.1 --to Dev >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "h1  do  ran\noctossh: the output cannot be written: No space left on device\n"
    assert "0.0.1" in run(folder, "status").stdout
