"""The command asks at a terminal, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from terminals import typed

OCTOFILE = """
import octossh as oc

steps = [
    oc.Approve("Go live", instructions="Is the backup there?\\x1b[2J"),
    oc.RunScript("tell", where="controller", script="echo {{ steps['Go live'].outputs.notes }} >told"),
]
target = oc.Target("h01", "h01", environments=["Dev"])
space = oc.Space(projects=[oc.Project("shop", process=steps)], targets=[target], transport=oc.Local())
"""


def at_a_terminal(folder: Path, *answers: str) -> tuple[int, str]:
    """Exit code and screen of ``octossh deploy`` at a terminal at which *answers* are typed."""
    (folder / "octofile.py").write_text(OCTOFILE)
    command = [str(Path(sys.executable).parent / "octossh")]
    env = {**os.environ, "HOME": str(folder)}
    subprocess.run([*command, "release", "create"], cwd=folder, env=env, check=True, capture_output=True)
    return typed([*command, "deploy", "--to", "Dev"], folder, env, ("[y/N]:", "Notes:"), answers)


def test_who_sits_at_the_terminal_is_asked_and_the_answer_is_recorded(tmp_path: Path) -> None:
    code, screen = at_a_terminal(tmp_path, "y\n", "all is well\n")
    assert code == 0, screen
    assert "Is the backup there??[2J" in screen
    assert "approved: by " in screen
    assert (tmp_path / "told").read_text() == "all is well\n"


def test_a_no_at_the_terminal_ends_the_deployment(tmp_path: Path) -> None:
    code, screen = at_a_terminal(tmp_path, "n\n", "not on a Friday\n")
    assert code == 1
    assert "does not approve: not on a Friday" in screen
    assert not (tmp_path / "told").exists()


def test_an_interrupt_at_the_prompt_is_an_interrupt(tmp_path: Path) -> None:
    code, screen = at_a_terminal(tmp_path, "\x03")
    assert code == 130, screen
    assert not (tmp_path / "told").exists()
