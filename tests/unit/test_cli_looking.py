"""The commands that look: what they print, for people and as JSON, and how they end."""

from __future__ import annotations

import json

import pytest

from octossh.cli import main

OCTOFILE = """
import json, pathlib
from datetime import UTC, datetime
import octossh as oc

STATE = pathlib.Path("state")


def host(target, script):
    state = STATE.read_text() if STATE.exists() else "running"
    if state == "gone":
        raise oc.ConnectError(f"{target.name}: connection refused", "refused")
    labels = {"project": "shop", "environment": "Dev", "step": "net", "release": "0.0.1", "deployment": "d", "spec": "s"}
    labels = {f"octossh.{key}": value for key, value in labels.items()}
    seen = {"Id": "n1", "Name": "shop-dev-net", "Labels": labels}
    end = oc.Frame("end", "succeeded created yes ")
    frames = (end,)
    if script.name == "create_network net":
        frames = (oc.Frame("inspect", json.dumps(seen)), end)
    elif script.name == "observe" and state == "running":
        frames = (oc.Frame("network", json.dumps(seen)), end)
    if script.name.endswith(" hello") and state == "broken":
        frames = (oc.Frame("end", "failed none no no\\x1b[2J space"),)
    return oc.Result(frames, "a line of log\\x1b[2J\\n", 0, datetime(2026, 1, 1, tzinfo=UTC), 0.0)


space = oc.Space(
    projects=[oc.Project("shop", process=[oc.CreateNetwork("net"), oc.RunScript("hello", script="true")])],
    targets=[oc.Target("h01", "h01", environments=["Dev"])],
    transport=oc.Replay(host),
)
"""


@pytest.fixture
def run(in_tmp, capsys):
    """Runs a command on a space with one deployment: the exit code, and what it printed."""
    (in_tmp / "octofile.py").write_text(OCTOFILE)

    def ended(*arguments):
        capsys.readouterr()
        try:
            main(list(arguments))
        except SystemExit as end:
            return int(end.code or 0), capsys.readouterr()
        return 0, capsys.readouterr()

    ended("release", "create")
    assert ended("deploy", "--to", "Dev")[0] == 0
    return ended


def test_drift_ends_with_0_for_none_3_for_some_and_1_where_it_cannot_be_seen(run, in_tmp):
    assert run("drift")[0] == 0
    (in_tmp / "state").write_text("deleted")
    code, said = run("drift", "--json")
    assert code == 3
    (place,) = json.loads(said.out)["places"]
    assert place["deviations"][0]["problem"] == "missing"
    (in_tmp / "state").write_text("gone")
    code, said = run("drift", "--in", "Dev")
    assert code == 1
    assert "connection refused" in said.out
    (status,) = json.loads(run("status", "--json")[1].out)["standings"]
    assert (status["seen"], status["seen_why"]) == ("unhealthy", "h01 shop-dev-net: missing")


def test_a_deployment_is_shown_step_by_step_and_host_by_host(run):
    code, said = run("deployment", "show")
    assert code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("shop 0.0.1 -> Dev (deploy): succeeded in ")
    assert [line.split()[0] for line in lines[1:4]] == ["step", "net", "hello"]
    assert "\nby " in said.out
    assert "a line" not in said.out


def test_a_log_is_shown_by_step_and_host_and_cannot_move_the_cursor(run):
    code, said = run("deployment", "show", "--log", "--step", "hello", "--on", "h01")
    assert code == 0
    assert said.out.endswith("--- h01  hello\na line of log?[2J\n")
    assert "net" not in said.out.replace("octossh", "")


def test_notes_of_a_release_cannot_move_the_cursor(run):
    assert run("release", "create", "--notes", "first\n\tsecond\x1b[2J")[0] == 0
    assert run("release", "show")[1].out.endswith("first\n\tsecond?[2J\n")
    assert json.loads(run("release", "show", "--json")[1].out)["notes"].endswith("\x1b[2J")


def test_what_a_host_says_of_a_failure_cannot_move_the_cursor(run, in_tmp):
    (in_tmp / "state").write_text("broken")
    code, said = run("deploy", "--to", "Dev")
    assert code == 1
    assert said.err.count("no?[2J space") == 2  # as progress, and as the error
    assert "\x1b" not in said.out + said.err


def test_a_deployment_as_json_is_all_of_it(run):
    latest = json.loads(run("deployment", "show", "--json")[1].out)
    same = json.loads(run("deployment", "show", latest["id"], "--json")[1].out)
    assert same == latest
    assert [outcome["step"] for outcome in latest["outcomes"]] == ["net", "hello"]


def test_the_history_as_json_leaves_out_what_it_did_not_read(run):
    (row,) = json.loads(run("history", "--json")[1].out)["deployments"]
    assert row["state"] == "succeeded"
    assert "outcomes" not in row
    assert run("deployment", "show", row["id"])[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deployment", "show", "nine"), "there is no deployment 'nine'"),
        (("deployment", "show", "--step", "hallo"), "did you mean 'hello'"),
        (("deployment", "show", "--on", "h02"), "has no target 'h02'"),
        (("drift", "--in", "Prod"), "there is no environment 'Prod'"),
        (("drift", "ship"), "did you mean 'shop'"),
        (("who", "sha256:12"), "holds no digest"),
    ],
)
def test_what_is_not_there_is_said_in_one_paragraph(run, arguments, said):
    code, printed = run(*arguments)
    assert code == 2
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_who_runs_an_image_that_nobody_runs(run):
    code, said = run("who", "acme/web")
    assert (code, said.out) == (0, "nothing is known to run acme/web\n")
    empty = {"image": "acme/web", "runners": [], "unseen": [], "near": ""}
    assert json.loads(run("who", "acme/web", "--json")[1].out) == empty
