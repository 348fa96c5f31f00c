"""Audit: who did what is in the record, can be read and exported, and shows each edit that was made behind its back."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import octossh as oc
from octossh.cli import main
from octossh.model import RECORDED, AuditEntry
from octossh.recording import actor_here, exported

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def done(target, script):
    frames = (oc.Frame("end", "succeeded ran yes "),)
    return oc.Result(frames, "", 0, datetime(2026, 1, 1, tzinfo=UTC), 0.0)


def project(name):
    return oc.Project(name, process=[oc.RunScript("hello", script="true")], lifecycle=oc.Lifecycle("Dev"))


@pytest.fixture
def space(in_tmp):
    """Two projects with a release each, of which one was deployed twice."""
    target = oc.Target("h01", "h01", environments=["Dev"])
    live = oc.Environment("Production")
    with oc.Space(
        projects=[project("shop"), project("blog")], targets=[target], environments=[live], transport=oc.Replay(done)
    ) as made:
        for name in ("shop", "blog"):
            made.create_release(name)
        for number in ("0.0.1", "0.0.1"):
            made.deploy(number, "Dev", project="shop")
        yield made


CI = {
    "GitHub": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "17",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_REPOSITORY": "acme/shop",
        },
        ("GitHub Actions 17", "https://github.example.com/acme/shop/actions/runs/17", "octocat"),
    ),
    "GitLab": (
        {"CI_PIPELINE_ID": "18", "CI_PIPELINE_URL": "https://gitlab.example.com/p/18", "GITLAB_USER_LOGIN": "ada"},
        ("GitLab 18", "https://gitlab.example.com/p/18", "ada"),
    ),
    "Jenkins": (
        {"BUILD_NUMBER": "19", "BUILD_URL": "https://ci.example.com/job/19/", "BUILD_USER_ID": "bob"},
        ("Jenkins 19", "https://ci.example.com/job/19/", "bob"),
    ),
    "nothing": ({"GITHUB_ACTOR": "octocat"}, ("", "", "")),
    "a password in the link": (
        {"BUILD_NUMBER": "19", "BUILD_URL": "https://bob:geheim@ci.example.com/job/19/"},
        ("Jenkins 19", "", ""),
    ),
}


@pytest.mark.parametrize("system", CI)
def test_who_acts_is_told_with_the_job_of_the_ci_system(system):
    environment, expected = CI[system]
    actor = actor_here(environment)
    assert (actor.job, actor.link, actor.started_by) == expected
    assert "geheim" not in repr(actor)


def test_who_acts_says_who_they_are_by_the_environment_or_by_git():
    named = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com"}
    assert actor_here(named).name == "Ada <ada@example.com>"
    assert actor_here({**named, "OCTOSSH_ACTOR": "release \x1b[2Jbot\n" + "x" * 300}).name.startswith(
        "release  [2Jbot "
    )
    assert len(actor_here({"OCTOSSH_ACTOR": "x" * 300}).name) == 200
    assert actor_here({"SUDO_USER": "bob"}).sudo_user == "bob"


def test_name_and_address_of_git_are_one_line(tmp_path, monkeypatch):
    (tmp_path / "config").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert actor_here({"GIT_CONFIG_GLOBAL": str(tmp_path)}).name == "Ada <ada@example.com>"


def test_git_is_asked_once_who_acts(tmp_path, monkeypatch):
    (tmp_path / "git").write_text(f"#!/bin/sh\nprintf '%s ' \"$1\" >> {tmp_path}/asked\nprintf 'user.name\\nAda\\0'\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert actor_here({"HOME": str(tmp_path)}).name == "Ada"
    assert (tmp_path / "asked").read_text() == "config "


def test_each_act_is_recorded_with_who_did_it_and_what_it_changed(space, monkeypatch):
    monkeypatch.setenv("OCTOSSH_ACTOR", "Ada")
    space.store.keep("freeze", "xmas", space.targets[0], why="nobody is there")
    kept, *acts = space.audit()
    assert kept.by.endswith("(Ada)")
    assert (kept.data["before"], kept.data["after"]["name"], kept.data["why"]) == (None, "h01", "nobody is there")
    assert [entry.type for entry in acts] == [
        "deployment_finished", "deployment_started", "deployment_finished", "deployment_started",
        "release_created", "release_created",
    ]  # fmt: skip
    assert [(entry.data["before"], entry.data["after"]) for entry in acts if entry.type == "deployment_started"] == [
        ("0.0.1", "0.0.1"),
        (None, "0.0.1"),
    ]
    assert all(entry.by for entry in acts)
    assert {(entry.project, entry.environment) for entry in acts[:4]} == {("shop", "Dev")}


def test_a_deployment_is_recorded_with_its_reason(space):
    space.deploy("0.0.1", "Dev", project="shop", why="the tap drips")
    space.deploy(space.plan("0.0.1", "Dev", project="shop"), why="once more")
    space.deploy("0.0.1", "Dev", project="shop")
    started = space.audit(types=["deployment_started"], limit=3)
    assert [entry.data["why"] for entry in started] == ["", "once more", "the tap drips"]
    assert "the tap drips" in str(started)
    assert space.deployment(started.entries[2].deployment).options.why == "the tap drips"


def test_a_freeze_is_shown_with_each_project_and_environment_that_it_concerns(space):
    space.freezes.add(oc.Freeze("Sales", environments=["Dev"]), why="sales")
    space.freezes.add(oc.Freeze("Blog", projects=["blog"]), why="words")
    space.freezes.remove("Sales", why="over")

    def shown(*project, **more):
        return [entry.data["key"] for entry in space.audit(*project, types=["fact_kept", "fact_dropped"], **more)]

    assert shown("shop") == ["Sales", "Sales"]
    assert shown("blog", environment="Dev") == ["Sales", "Blog", "Sales"]
    assert shown(environment="Production") == ["Blog"]


def test_the_trail_is_filtered_by_project_environment_type_and_time(space):
    assert [entry.data["project"] for entry in space.audit("blog")] == ["blog"]
    assert len(space.audit("shop")) == 5
    with pytest.raises(oc.ModelError, match=r"nothing in the record is about project 'sho'; did you mean 'shop'\?"):
        space.audit("sho")
    with pytest.raises(oc.ModelError, match=r"about environment '%'; there is 'Dev', 'Production'"):
        space.audit(environment="%")
    with pytest.raises(oc.ModelError, match=r"of type 'step_start'; did you mean 'step_started'\?"):
        space.audit(types=["step_start"])
    assert len(space.audit(environment="Dev")) == 4
    assert len(space.audit(steps=True, limit=None)) == len(space.store.events()) == 10
    assert len(space.audit(types=["step_started"])) == 2
    assert len(space.audit(limit=3)) == 3
    middle = space.audit().entries[2].at
    assert len(space.audit(until=middle)) + len(space.audit(since=middle)) == 6
    assert len(space.audit(since=datetime.now(UTC) + timedelta(days=1))) == 0
    with pytest.raises(oc.ModelError, match="time zone"):
        space.audit(since=datetime(2026, 1, 1))  # noqa: DTZ001


def test_what_is_told_of_a_project_that_has_gone_from_the_octofile_is_still_shown(space):
    with oc.Space(projects=[project("other")], transport=oc.Replay(done)) as other:
        assert len(other.audit("shop", environment="Dev")) == 4
        assert len(list(other.export_audit(project="blog"))) == 1
        with pytest.raises(oc.ModelError, match="nothing in the record is about project 'blgo'"):
            other.export_audit(project="blgo")


def test_the_types_that_can_be_asked_for_are_those_of_the_reference():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "events.rst").read_text()
    table, record = page.split("In the record\n")
    named = set(re.findall(r"^``(\w+)``", table.split("Data\n", 1)[1], re.MULTILINE))
    named |= {name for name in re.findall(r"``(\w+)``", record) if name.partition("_")[2] and name != "exit_codes"}
    assert named - {"output"} == set(RECORDED)


def test_the_whole_chain_is_read_in_order_over_many_pages(space, monkeypatch):
    monkeypatch.setattr("octossh.recording.store._SMALL_PAGE", 3)
    monkeypatch.setattr("octossh.recording.store._LARGE_PAGE", 2)
    assert [entry.seq for entry in space.store.audit()] == list(range(1, 11))
    assert [entry.seq for entry in space.store.audit(newest_first=True)] == list(range(10, 0, -1))
    assert [entry.seq for entry in space.store.audit(after=7)] == [8, 9, 10]


def test_what_is_recorded_while_it_is_read_does_not_disturb(space):
    entries = space.store.audit()
    first = next(entries)
    space.create_release("blog")
    assert [first.seq, *(entry.seq for entry in entries)] == list(range(1, 11))


def test_json_lines_hold_all_that_the_hashes_are_made_of(space):
    before = "0" * 64
    for line in space.export_audit():
        entry = json.loads(line)
        names = ("seq", "version", "type", "at", "step", "target", "subject_sha256", "prev_hash")
        hashed = {**{name: entry[name] for name in names}, "deployment": entry["deployment"] or None}
        hashed["data"] = json.dumps(entry["data"], sort_keys=True, separators=(",", ":"))
        text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
        assert (entry["prev_hash"], entry["hash"]) == (before, hashlib.sha256(text.encode()).hexdigest())
        before = entry["hash"]
    assert before == space.verify().head


@pytest.mark.slow
def test_postgresql_gives_the_same_trail_and_remembers_what_was_sent(postgresql):
    target = oc.Target("h01", "h01", environments=["Dev"])
    with oc.Space(
        postgresql.place(), projects=[project("shop"), project("blog")], targets=[target], transport=oc.Replay(done)
    ) as made:
        for name in ("shop", "blog"):
            made.create_release(name)
        made.deploy("0.0.1", "Dev", project="shop")
        assert [entry.type for entry in made.audit("shop")] == [
            "deployment_finished",
            "deployment_started",
            "release_created",
        ]
        assert [entry.data["project"] for entry in made.audit("blog")] == ["blog"]
        assert len(made.audit(since=made.audit().entries[1].at)) == 2
        assert [entry.seq for entry in made.store.audit(after=2)] == list(range(3, 7))
        assert made.store.sent("box") == 0
        for seq in (4, 3):
            made.store.note_sent("box", seq)
        assert made.store.sent("box") == 4
        assert made.store.hashes([1, 6, 99])[0].keys() == {1, 6}
        assert made.status().standings[0].release == "0.0.1"
        assert made.verify().ok


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", [*FORMULAS, "plain", 'a "quoted", one\nof two lines', "10-3"])
def test_no_cell_of_a_csv_file_is_taken_for_a_formula(text):
    entry = AuditEntry(seq=1, at=NOW, type=text, project=text, step=text, data={"why": text, "by": text, "x": [text]})
    head, row = list(csv.reader(io.StringIO("".join(exported([entry], "csv")), newline="")))
    told = dict(zip(head, row, strict=True))
    expected = f"'{text}" if text in FORMULAS else text
    assert {told[name] for name in ("type", "project", "step", "why", "by")} == {expected}
    assert json.loads(told["data"])["x"] == [text]


def test_another_form_is_refused(space):
    with pytest.raises(oc.ModelError, match="jsonl, csv"):
        space.export_audit("xml")


def edited(*statements):
    """Change the file by the command sqlite3, as somebody would who knows how."""
    drop = "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master WHERE type = 'trigger';"
    triggers = subprocess.run(["sqlite3", "octossh.db", drop], capture_output=True, text=True, check=True).stdout
    script = f"{triggers}\n" + ";\n".join(statements) + ";"
    subprocess.run(["sqlite3", "-bail", "octossh.db"], input=script, text=True, check=True)


EDITS = {
    "a changed event": (["UPDATE events SET data = replace(data, '0.0.1', '0.0.9') WHERE seq = 3"], 3, "not what was recorded"),
    "an event less": (["DELETE FROM events WHERE seq = 4"], 5, "events before it are gone"),
    "two events in another order": (
        ["UPDATE events SET seq = -4 WHERE seq = 4", "UPDATE events SET seq = 4 WHERE seq = 5", "UPDATE events SET seq = 5 WHERE seq = -4"],
        4,
        "another order: event 4 stands as 5",
    ),
    "an event that was moved to the end": (["UPDATE events SET seq = 11 WHERE seq = 5"], 6, "another order: event 5 stands as 11"),
    "an event that was put in": (
        ["INSERT INTO events SELECT 11, version, type, at, deployment, step, target, data, subject_sha256, hash, 'x' FROM events WHERE seq = 10"],
        11,
        "not what was recorded",
    ),
    "a changed outcome": (["UPDATE outcomes SET log = 'fine' WHERE deployment = (SELECT id FROM deployments ORDER BY seq LIMIT 1)"], 6, "outcome of it was changed"),
    "another one who did it": (["UPDATE deployments SET by = 'bob@pc' WHERE seq = 7"], 10, "did not end as it stands"),
    "a changed release": (["UPDATE releases SET body = replace(body, 'true', 'evil') WHERE seq = 2"], 2, "text is not what was recorded"),
    "a release less": (["DELETE FROM releases WHERE seq = 1"], 1, "is gone"),
}  # fmt: skip


@pytest.mark.parametrize("what", EDITS)
def test_the_first_row_that_was_edited_by_sqlite3_is_named(space, capsys, what):
    statements, seq, reason = EDITS[what]
    assert space.verify().ok
    edited(*statements)
    found = space.verify()
    assert (found.broken, reason in found.reason) == (seq, True), found.reason


OCTOFILE = """
import octossh as oc
hello = oc.RunScript("hello", script="true")
space = oc.Space(projects=[oc.Project("shop", process=[hello])], transport=oc.Replay(lambda *_: 1))
"""


@pytest.fixture
def run(in_tmp, capsys):
    (in_tmp / "octofile.py").write_text(OCTOFILE)

    def ended(*arguments):
        capsys.readouterr()
        try:
            main(list(arguments))
        except SystemExit as end:
            return int(end.code or 0), capsys.readouterr()
        return 0, capsys.readouterr()

    assert ended("release", "create")[0] == 0
    return ended


def test_the_command_lists_and_exports_the_record(run, in_tmp, monkeypatch):
    code, said = run("audit", "list")
    assert code == 0
    assert said.out.splitlines()[0].split() == ["event", "at", "(UTC)", "by", "what", "where", "details"]
    assert "release_created" in said.out
    (entry,) = json.loads(run("audit", "list", "shop", "--since", "1h", "--json")[1].out)["entries"]
    (line,) = run("audit", "export")[1].out.splitlines()
    assert json.loads(line) == entry
    assert run("audit", "list", "--until", "2026-01-01T00:00+01:00")[1].out == "nothing fits\n"
    code, said = run("audit", "export", "--format", "csv", "-o", "audit.csv")
    assert (code, said.out) == (0, "1 events written to audit.csv\n")
    assert (in_tmp / "audit.csv").read_bytes().count(b"\r\n") == 2
    (in_tmp / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run("-f", "../octofile.py", "audit", "export", "-o", "mine.jsonl")[0] == 0
    assert (in_tmp / "elsewhere/mine.jsonl").exists()
    monkeypatch.chdir(in_tmp)
    code, said = run("audit", "export", "-o", "no/mine.jsonl")
    assert (code, "cannot be written" in said.err) == (2, True)
    assert run("audit", "list", "--since", "soon")[0] == 2
    assert run("audit", "verify")[0] == 0
