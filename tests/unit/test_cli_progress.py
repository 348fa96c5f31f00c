"""Live progress at a terminal: what stays there, what is drawn below, and that nothing of that is left."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from terminals import typed

import octossh as oc
from octossh.cli import progress
from octossh.visible import one_line

COMMAND = str(Path(sys.executable).parent / "octossh")


class Screen(io.StringIO):
    """What a terminal would show of what is written."""

    @property
    def lines(self):
        shown = [""]
        for piece in re.split(r"(\x1b\[[0-9?]*[A-Za-z]|\n|\r)", self.getvalue()):
            if piece == "\n":
                shown.append("")
            elif up := re.fullmatch(r"\x1b\[(\d+)A", piece):
                at = len(shown) - 1 - int(up[1])
                assert shown[-1] == "", "it goes up from the beginning of a line"
                assert at >= 0, "it never goes up beyond what was drawn"
                shown = [*shown[:at], shown[at]]
            elif piece in {"\r", "\x1b[?7l", "\x1b[?7h"} or not piece:
                continue
            elif piece == "\x1b[J":
                shown[-1] = ""
            else:
                shown[-1] += piece
        return shown


def event(kind, step="", target="", **data):
    return oc.Event(type=kind, at=datetime.now(UTC), deployment="d", step=step, target=target, data=data)


@pytest.fixture
def screen():
    return Screen()


@pytest.fixture
def tell(screen):
    def say(one):
        if one.type == "step_finished":
            screen.write(f"{one.target} {one.data['state']}\n")

    made = progress.Progress(say, one_line, screen)
    yield made
    made.close()


def test_what_goes_on_stands_below_what_has_happened(tell, screen):
    tell(event("wave_started", "web", wave=2, of=3, hosts=["h01", "h02", "h03"]))
    for host in ("h01", "h02"):
        tell(event("step_started", "web", host))
    tell(event("step_finished", "web", "h01", state="failed"))
    *_, ended, going, last = screen.lines
    assert (ended, last) == ("h01 failed", "")
    assert re.fullmatch(r"> web  wave 2 of 3  1 of 3 done, 1 failed  h02 \d+ s", going)


def test_nothing_of_it_is_left_when_a_deployment_has_ended(tell, screen):
    tell(event("step_started", "web", "h01"))
    tell(event("step_finished", "web", "h01", state="succeeded"))
    tell(event("deployment_finished", state="succeeded", error=""))
    assert screen.lines == ["h01 succeeded", ""]


def test_nothing_is_drawn_while_somebody_is_asked(tell, screen):
    tell(event("step_started", "web", "h01"))
    tell(event("asked", "ok", about="approval"))
    assert screen.lines == [""]
    tell(event("answered", "ok", about="approval"))
    assert screen.lines[-2].startswith("> web")


def test_many_hosts_and_steps_take_a_few_lines(tell, screen):
    for step in range(12):
        for host in range(40):
            tell(event("step_started", f"step{step}\x1b[2J", f"h{host:02}"))
    drawn = [line for line in screen.lines if line]
    assert len(drawn) == 9
    assert drawn[-1] == "... 4 steps more"
    assert drawn[0].startswith("> step0?[2J  h00 ")
    assert drawn[0].endswith(" and 34 more")


OCTOFILE = """
import octossh as oc

steps = [oc.RunScript("wait", script="sleep 1.5; echo hello"), oc.Approve("ok")]
space = oc.Space(
    projects=[oc.Project("shop", process=steps)],
    targets=[oc.Target("h01", "h01", environments=["Dev"])], transport=oc.Local(), anchors=False,
)
"""


@pytest.mark.slow
def test_at_a_terminal_the_hosts_at_work_are_shown_and_elsewhere_it_is_line_by_line(tmp_path):
    (tmp_path / "octofile.py").write_text(OCTOFILE)
    subprocess.run([COMMAND, "release", "create"], cwd=tmp_path, check=True, capture_output=True)
    words = [COMMAND, "deploy", "--to", "Dev"]
    code, screen = typed(words, tmp_path, dict(os.environ), ("[y/N]:", "Notes:"), ["y\n", "\n"])
    assert code == 0, screen
    assert re.search(r"> wait  h01 \d s", screen)
    assert screen.rstrip().endswith("(controller)  ok    approved")
    done = subprocess.run([*words, "--approve", "ok"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stderr
    assert "h01  wait  | hello" in done.stderr
