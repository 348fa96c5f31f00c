"""Outputs of the command that are closed or full: it does what it was told, and its exit code tells how that went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
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


@pytest.fixture(autouse=True)
def _buffered(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def run(folder, words):
    """Run what a shell makes of *words*."""
    script = f"{COMMAND} {words}"
    return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "<&- 2>&-"])
@pytest.mark.parametrize(("release", "code"), [("0.0.1", 0), ("0.0.9", 2)])
def test_where_nobody_can_be_told_the_exit_code_tells(folder, streams, release, code):
    assert run(folder, f"deploy {release} --to Dev {streams}").returncode == code


def test_where_whoever_reads_is_gone_the_command_goes_on_and_nobody_is_told(folder):
    assert run(folder, "--json release list | true").stderr == ""
    assert run(folder, "deploy 0.0.1 --to Dev 2>&1 >/dev/null | true").returncode == 0
    assert "0.0.1" in run(folder, "status").stdout


def test_a_result_that_cannot_be_written_is_told_in_one_line(folder):
    done = run(folder, "deploy 0.0.1 --to Dev >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "h1  do  ran\noctossh: the output cannot be written: No space left on device\n"
    assert "0.0.1" in run(folder, "status").stdout


@pytest.mark.parametrize("words", ["history", "--json release list", "status --help"])
@pytest.mark.parametrize(
    ("stream", "why"), [(">&-", "it is closed"), ("<&- >&-", "it is closed"), (">/dev/full", "No space left on device")]
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_nobody_can_get_is_no_success(folder, monkeypatch, words, stream, why, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = run(folder, f"{words} {stream}")
    assert (done.returncode, done.stderr) == (1, f"octossh: the output cannot be written: {why}\n")


def test_where_nothing_is_open_a_deployment_is_made_and_that_its_result_is_lost_is_the_exit_code(folder):
    assert run(folder, "deploy 0.0.1 --to Dev <&- >&- 2>&-").returncode == 1
    assert "0.0.1" in run(folder, "status").stdout
    assert run(folder, "deploy 0.0.9 --to Dev <&- >&- 2>&-").returncode == 2


@pytest.mark.parametrize("stream", [">&-", ">/dev/full"])
def test_a_mistake_is_told_as_ever_where_its_json_cannot_be_written(folder, stream):
    done = run(folder, f"--json history --limit 0 {stream}")
    assert (done.returncode, "--limit" in done.stderr) == (2, True)


def test_a_disk_that_fails_elsewhere_is_not_told_as_the_output(folder):
    with (folder / "octofile.py").open("a") as file:
        file.write("import errno\ndef fail(*_, **__):\n    raise OSError(errno.EIO, 'the disk')\nspace.status = fail\n")
    done = run(folder, "--json status")
    assert done.returncode == 1
    assert "the disk" in done.stderr
    assert "the output" not in done.stderr
