"""Live progress in a notebook: what its one output shows while a deployment goes on, and in the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from markup import read

import octossh as oc
from octossh.notebooks import Live, live
from octossh.testing import Hosts

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def deployment(**changes):
    made = {"project": "shop", "release": "1", "environment": "Dev", "mode": oc.Mode.DEPLOY, "state": oc.State.RUNNING}
    return oc.Deployment(**{"id": "d1", "started_at": NOW, **made, **changes})


def event(kind, step="", target="", **data):
    return oc.Event(type=kind, at=NOW, deployment="d1", step=step, target=target, data=data)


class Cell:
    """One output of a cell; it tells when something is shown there."""

    def __init__(self):
        self.shown, self.seen = [], threading.Event()

    def show(self, shown):
        self.shown.append(shown)
        self.seen.set()


@pytest.fixture
def cell():
    return Cell()


@pytest.fixture
def watched(cell):
    made = Live(deployment(), cell, lambda name: deployment(id=name, state=oc.State.SUCCEEDED, finished_at=NOW))
    yield made
    made.close()


def text(watched):
    return str(watched.shown)


def test_it_shows_what_runs_what_that_says_and_how_steps_ended(watched):
    watched(event("step_started", "web", "h01"))
    watched(event("step_started", "web", "h02"))
    watched(event("output", "web", "h02", line="octossh: pulling acme/web"))
    watched(event("step_finished", "web", "h01", state="failed", action="put back", why="it is not healthy"))
    assert "h01  web  put back  it is not healthy" in text(watched)
    assert "h02  web  running  pulling acme/web" in text(watched)
    assert text(watched).startswith("shop 1 -> Dev (deploy): running\n")


def test_it_shows_what_is_waited_for_only_while_it_is(watched):
    watched(event("wave_started", "web", wave=2, of=3, hosts=["h01"]))
    assert "web: wave 2 of 3" in text(watched)
    watched(event("paused", "web", seconds=60.0, wave=3))
    assert "web: 60 s before wave 3" in text(watched)
    watched(event("wave_finished", "web", wave=3, of=3, failed=[]))
    assert "wave" not in text(watched)
    watched(event("asked", "go", about="approval", instructions=""))
    assert "go asks about its approval" in text(watched)
    watched(event("answered", "go", about="approval", answer="yes", by="ann", notes=""))
    assert "asks" not in text(watched)


def test_of_many_hosts_those_that_went_well_are_counted(watched):
    for number in range(50):
        watched(event("step_started", "web", f"h{number:02}"))
        if number < 48:
            state = "failed" if number == 7 else "succeeded"
            watched(event("step_finished", "web", f"h{number:02}", state=state, action="", why="no"))
    assert "47 of 50 went well" in text(watched)
    assert [outcome.target for outcome in watched.shown.outcomes] == ["h07", "h48", "h49"]


def test_nothing_that_a_step_says_acts_in_the_page_and_long_lines_are_cut(watched):
    watched(event("step_started", "web", "h01"))
    watched(event("output", "web", "h01", line="<script>alert(1)</script>\x1b[2J" + "x" * 10_000))
    said = read(watched.shown._repr_html_())
    assert "<script>alert(1)</script>?[2J" in said
    assert len(said) < 300


def test_in_the_end_its_output_is_what_is_recorded(watched, cell):
    watched(event("step_started", "web", "h01"))
    assert cell.seen.wait(10)
    watched.close()
    assert cell.shown[-1].state is oc.State.SUCCEEDED
    assert not [thread for thread in threading.enumerate() if thread.name == "octossh-notebook"]


def test_a_deployment_that_never_began_shows_nothing_and_neither_do_others(watched, cell):
    watched(oc.Event(type="deployment_started", at=NOW, deployment="d2"))
    watched.close()
    assert cell.shown == []


def test_a_record_that_cannot_be_read_at_the_end_leaves_what_was_shown_last(cell):
    def broken(name):
        raise oc.RecordError("the disk is gone")

    watched = Live(deployment(), cell, broken)
    watched(event("deployment_started", release="1", mode="deploy"))
    assert cell.seen.wait(10)
    watched.close()
    assert cell.shown[-1].state is oc.State.RUNNING


def test_a_notebook_that_breaks_does_the_deployment_no_harm_and_is_told_once(cell, caplog):
    def broken(shown):
        cell.seen.set()
        raise OSError("the socket is closed")

    cell.show = broken
    watched = Live(deployment(), cell, lambda name: deployment(id=name))
    watched(event("step_started", "web", "h01"))
    assert cell.seen.wait(10)
    watched.close()
    assert caplog.text.count("cannot be shown in the notebook") <= 2
    assert "the socket is closed" in caplog.text


def test_outside_of_a_notebook_nobody_listens_and_ipython_is_not_loaded():
    with live(deployment(), None, lambda name: deployment()) as listener:
        assert listener is None
    with live(deployment(), print, lambda name: deployment()) as listener:
        assert listener is print
    code = """if True:
        import sys, octossh.notebooks
        with octossh.notebooks.live(None, None, None) as listener:
            print(listener, "IPython" in sys.modules)
    """
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "None False\n"
    )


def test_a_space_deploys_the_same_outside_of_a_notebook(in_tmp):
    project = oc.Project("shop", process=[oc.RunScript("do", script="true")])
    with oc.Space("sqlite://", projects=[project], targets=[oc.Target("h01", "h01", environments=["Dev"])], transport=Hosts()) as made:  # fmt: skip
        assert made.deploy(made.create_release(), "Dev").ok
