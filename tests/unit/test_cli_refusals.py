"""Mistakes at the command line: one paragraph, the right exit code, and no host is touched."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

OCTOFILE = """
import pathlib
import octossh as oc

HERE = pathlib.Path.cwd()

def touched(*_):
    (HERE / "touched").touch()
    raise RuntimeError("a host was touched")

def works(target, script):
    if (HERE / "mute").exists():
        return [oc.Frame("end", "failed none no docker does not answer: permission denied")]
    return [oc.Frame("end", "failed none no no space" if (HERE / "broken").exists() else "succeeded ran yes ")]

transport = oc.Replay(works) if (HERE / "open").exists() else oc.Replay(touched, touched)
hub = oc.Registry("hub", "http://127.0.0.1:1")
targets = [
    oc.Target("h01", "10.0.0.1", roles=["web"], environments=["Dev"]),
    oc.Target("h02", "10.0.0.2", roles=["web"], environments=["Test"]),
    oc.Target("h03", "10.0.0.3", roles=["web"], environments=["Production"]),
]
step = oc.RunScript("migrate", script="true", roles=["web"])

def project(*steps, name="shop", **more):
    more.setdefault("lifecycle", oc.Lifecycle("Dev", "Test", "Production"))
    return oc.Project(name, process=steps or [step], **more)

def space(*projects, **more):
    return oc.Space(projects=projects or [project()], **{"targets": targets, "transport": transport, **more})
"""
PLAIN = "space = space()"
TWO = "space = space(project(), project(name='blog'))"


def write(folder, ending, before=OCTOFILE):
    (folder / "octofile.py").write_text(before + "\n" + ending + "\n")


FILES = {
    "none": (None, ["there is no file octofile.py", "'octossh init'", "name another with -f"]),
    "a syntax error": ("def f(:\n    pass", ["octofile.py, line 1", "not Python", "correct it there"]),
    "a syntax error in a module of its own": (
        "from pathlib import Path\nPath('helper.py').write_text('x =')\nimport helper",
        ["helper.py, line 1", "not Python"],
    ),
    "a module that is not there": ("import os\nimport not_there", ["octofile.py, line 2", "No module named 'not_there'"]),
    "an error": ("x = 1\n\n1 / 0", ["octofile.py, line 3", "ZeroDivisionError"]),
    "a misspelt field": (
        "import octossh as oc\noc.Target('h01', 'h', enviroments=['Test'])",
        ["octofile.py, line 2: Target has no field 'enviroments'; did you mean 'environments'?"],
    ),
    "a misspelt field of a space": (
        "import octossh as oc\nspace = oc.Space(project=[])",
        ["octofile.py, line 2: Space has no field 'project'; did you mean 'projects'?"],
    ),
    "a misspelt noun": ("import octossh as oc\noc.RunContaner('web')", ["line 2: octossh has no 'RunContaner'; did you mean 'RunContainer'?"]),
    "a misspelt noun that is imported": ("from octossh import Projct", ["line 1: octossh has no 'Projct'; did you mean 'Project'?"]),
    "an end": ("import sys\nsys.exit('stop here')", ["octofile.py, line 2", "SystemExit", "stop here"]),
    "no space": ("x = 1", ["octofile.py defines no space", "end it with: space ="]),
    "a space of another kind": ("space = 'shop'", ["defines no space"]),
    "no text": ("\0", ["octofile.py"]),
    "a wrong description": ("import octossh as oc\noc.Target('h01', '')", ["octofile.py, line 2", "'h01' has no address"]),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_an_octofile_that_cannot_be_loaded_is_told_with_its_line(what, octossh, in_tmp):
    text, words = FILES[what]
    if text is not None:
        (in_tmp / "octofile.py").write_text(text)
    refused(octossh("status"), 2, words)


def refused(result, code, words):
    ended, out, err = result
    assert [word for word in words if word not in err] == [], err
    assert (ended, out) == (code, "")
    assert err.startswith("octossh: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


DEPLOYED = [["release", "create"], ["deploy", "--to", "Dev"]]
COMMANDS = {
    # (octofile, what goes before, command, exit code, words)
    "unknown project": (PLAIN, [], ["status", "shpo"], 2, ["'shpo'", "did you mean 'shop'?"]),
    "project unsaid": (TWO, [], ["release", "create"], 2, ["several projects", "shop, blog"]),
    "no release yet": (PLAIN, [], ["deploy", "--to", "Dev"], 2, ["'shop' has no release yet", "octossh release create"]),
    "unknown release": (PLAIN, DEPLOYED[:1], ["plan", "0.0.9", "--to", "Dev"], 2, ["'0.0.9'", "'shop'", "'0.0.1'"]),
    "unknown environment": (PLAIN, DEPLOYED[:1], ["deploy", "--to", "Dve"], 2, ["'Dve'", "did you mean 'Dev'?"]),
    "unknown environment to promote to": (PLAIN, [], ["promote", "--to", "Tset"], 2, ["'Tset'", "did you mean 'Test'?"]),
    "unknown environment to check": (PLAIN, [], ["check", "--in", "prod"], 2, ["'prod'", "there is 'Dev', 'Production', 'Test'"]),
    "unknown environment in the history": (PLAIN, [], ["history", "--in", "Dve"], 2, ["'Dve'", "did you mean 'Dev'?"]),
    "unknown channel": (PLAIN, [], ["release", "create", "--channel", "defualt"], 2, ["'defualt'", "did you mean 'default'?"]),
    "unknown command": (PLAIN, [], ["plna"], 2, ["no command 'octossh plna'", "did you mean 'plan'? See: octossh --help"]),
    "unknown command of a group": (PLAIN, [], ["release", "crate"], 2, ["'octossh release crate'", "did you mean 'create'?"]),
    "unknown option": (PLAIN, [], ["plan", "--too", "Dev"], 2, ["no option '--too'", "did you mean '--to'? See: octossh plan --help"]),
    "no environment": (PLAIN, [], ["plan"], 2, ["it needs --to ENVIRONMENT; there is 'Dev', 'Test', 'Production'; see: octossh plan --help"]),
    "no argument": (PLAIN, [], ["who"], 2, ["it needs IMAGE; see: octossh who --help"]),
    "no choice": (PLAIN, [], ["plan", "--to", "Dev", "--offline", "x"], 2, ["--offline: 'x'", "'fail', 'skip'", "octossh plan --help"]),
    "search in no registry": (PLAIN, [], ["images", "web"], 2, ["there is no registry to search in"]),
    "search in an unknown registry": (
        "space = space(project(oc.RunContainer('web', image=hub.image('acme/web'))))", [],
        ["images", "web", "--registry", "hubb"], 2, ["'hubb'", "did you mean 'hub'?"],
    ),
    "search in a registry that is down": (
        "space = space(project(oc.RunContainer('web', image=hub.image('acme/web'))))", [],
        ["images", "web"], 1, ["'hub'", "127.0.0.1:1", "refused"],
    ),
    "unknown image": (
        "space = space(project(oc.RunContainer('web', image=hub.image('acme/web'))))", [],
        ["tags", "acme/wbe"], 2, ["'acme/wbe'", "did you mean 'acme/web'?"],
    ),
    "unknown image to set": (
        "space = space(project(oc.RunContainer('web', image=hub.image('acme/web'))))", [],
        ["release", "create", "--set", "acme/wbe=1"], 2, ["'shop'", "'acme/wbe'", "did you mean 'acme/web'?"],
    ),
    "unknown deployment": (PLAIN, [], ["history", "--log", "20260101"], 2, ["'20260101'"]),
    "registry that refuses": (
        "space = space(project(oc.RunContainer('web', image=hub.image('acme/web'))))", [],
        ["release", "create"], 1, ["'hub'", "127.0.0.1:1", "refused"],
    ),
    "release number that is taken": (PLAIN, DEPLOYED[:1], ["release", "create", "--number", "0.0.1"], 1, ["'0.0.1'"]),
    "role that nobody has": (
        "space = space(project(oc.RunScript('migrate', script='true', roles=['wed'])))", DEPLOYED[:1],
        ["deploy", "--to", "Dev"], 2, ["'migrate'", "'wed'", "'Dev'", "did you mean 'web'?"],
    ),
    "secret without a value": (
        "space = space(project(oc.RunScript('migrate', script='true', env={'K': oc.secret('NOT_THERE')})))", DEPLOYED[:1],
        ["deploy", "--to", "Dev"], 2, ["'NOT_THERE'", "no value", "set the environment variable"],
    ),
    "secret inside of text": (
        "space = space(project(oc.RunScript('m', script='true', env={'K': 'x{{ Key }}'}), variables=[oc.Variable('Key', oc.secret('K'))]), secrets={'K': 'geheim'})",
        DEPLOYED[:1], ["deploy", "--to", "Dev"], 2, ["'m'", "env K", "'Key' is a secret", "as a whole"],
    ),
    "variable without a value here": (
        "space = space(project(oc.RunScript('m', script='echo {{ A }}'), variables=[oc.Variable('A', 1, environment='Test')]))",
        DEPLOYED[:1], ["deploy", "--to", "Dev"], 2, ["'m'", "'A' has no value in 'Dev'", "add one"],
    ),
    "variable of two values": (
        "space = space(project(oc.RunScript('m', script='echo {{ A }}'), variables=[oc.Variable('A', 1), oc.Variable('A', 2)]))",
        DEPLOYED[:1], ["deploy", "--to", "Dev"], 2, ["'A' is ambiguous", "'h01'", "narrower scope"],
    ),
    "no host there": (
        "space = space(targets=targets[1:])", DEPLOYED[:1], ["deploy", "--to", "Dev"], 2, ["no target stands in environment 'Dev'"],
    ),
    "environment that it has not passed": (PLAIN, DEPLOYED, ["deploy", "--to", "Production"], 4, ["shop 0.0.1", "'Production'", "'Test'", "first"]),
    "environment that it has failed in": (
        PLAIN, [["release", "create"], "broken", ["deploy", "--to", "Dev"]], ["plan", "--to", "Test"], 4, ["has not succeeded in 'Dev'"],
    ),
    "promotion of nothing": (PLAIN, DEPLOYED[:1], ["promote", "--to", "Test"], 4, ["nothing has succeeded in 'Dev'"]),
    "promotion to the first": (PLAIN, DEPLOYED, ["promote", "--to", "Dev"], 2, ["'Dev' is the first environment", "by number"]),
    "promotion without a lifecycle": ("space = space(project(lifecycle=None))", DEPLOYED, ["promote", "--to", "Test"], 2, ["no lifecycle"]),
    "rollback with nothing before": (PLAIN, DEPLOYED, ["rollback", "--in", "Dev"], 2, ["no earlier release of 'shop' in 'Dev'"]),
    "rollback to what never ran": (
        PLAIN, [*DEPLOYED, ["release", "create"]], ["rollback", "--in", "Dev", "--to", "0.0.2"], 2, ["'0.0.2'", "never succeeded in 'Dev'"],
    ),
    "targets that are not there": ("space = space(targets='targets.yml')", [], ["check"], 2, ["octofile.py, line", "targets.yml", "cannot be read"]),
    "two targets of one name": ("space = space(targets=targets + targets[:1])", [], ["check"], 2, ["two targets named 'h01'", "rename"]),
    "two projects of one name": ("space = space(project(), project())", [], ["check"], 2, ["two projects named 'shop'", "rename"]),
    "a target in no such environment": (
        "space = space(targets=[oc.Target('h09', 'h', environments=['Porduction'])])", [], ["check"], 2,
        ["'h09'", "'Porduction'", "did you mean 'Production'?"],
    ),
    "a store of another kind": ("space = space(store='mysql://x')", [], ["check"], 2, ["octofile.py, line", "mysql"]),
}  # fmt: skip


@pytest.mark.parametrize("what", COMMANDS)
def test_a_mistake_is_told_in_one_paragraph_before_any_host_is_touched(what, octossh, in_tmp):
    ending, before, command, code, words = COMMANDS[what]
    write(in_tmp, ending)
    (in_tmp / "open").touch()
    for step in before:
        if isinstance(step, str):
            (in_tmp / step).touch()
        else:
            octossh("-q", *step)
    (in_tmp / "open").unlink()
    refused(octossh("-q", *command), code, words)
    assert not (in_tmp / "touched").exists()


@pytest.mark.parametrize(("given", "said"), [("/dev/null", "/dev/null is no plain file"), (".", ". is a folder")])
def test_an_octofile_that_is_no_file_is_told_as_what_it_is(octossh, in_tmp, given, said):
    refused(octossh("-f", given, "status"), 2, [f"octossh: {said}; name an octofile with -f"])


def test_mistakes_are_told_in_the_same_words_whatever_language_click_speaks(octossh, in_tmp, monkeypatch):
    for module in ("core", "parser", "types", "exceptions"):
        monkeypatch.setattr(f"click.{module}._", lambda text: f"[{text}]", raising=False)
    write(in_tmp, PLAIN)
    for command, said in (
        (["history", "--log"], "--log needs a value: ID"),
        (["history", "--quiet=3"], "--quiet does not take a value"),
        (["import", "kamal", "nope.yml"], "FILE: there is no file nope.yml"),
    ):
        assert octossh(*command)[2].startswith(f"octossh: {said}; see: octossh {command[0]}")


def test_where_there_is_no_release_the_command_says_how_to_make_one(octossh, in_tmp):
    write(in_tmp, PLAIN)
    said = "there is no release yet; make one with 'octossh release create'\n"
    assert octossh("release", "list") == (0, said, "")


USAGE = {
    "no such command": (["deplyo"], ["deplyo"]),
    "no environment": (["deploy"], ["--to"]),
    "no such option": (["deploy", "--too", "Dev"], ["--too"]),
    "no pair": (["release", "create", "--set", "acme/web"], ["--set", "IMAGE=TAG", "acme/web=1.2.0"]),
    "no tag in a pair": (["release", "create", "--set", "acme/web="], ["IMAGE=TAG"]),
    "no number": (["history", "--limit", "some"], ["--limit"]),
    "nothing behind -f": (["-f"], ["octossh: -f needs a value: FILE; see: octossh --help"]),
    "a folder": (["import", "kamal", "."], ["FILE: . is a folder; name a file; see: octossh import kamal --help"]),
    "no file of an option": (
        ["release", "create", "--notes-file", "no.md"],
        ["--notes-file: there is no file no.md; see"],
    ),
    "nothing behind an option": (["history", "--log"], ["--log needs a value: ID; see: octossh history --help"]),
    "a value behind a flag": (["history", "--quiet=3"], ["does not take a value; see: octossh history --help"]),
    "no such file": (
        ["import", "kamal", "nope.yml"],
        ["FILE: there is no file nope.yml; see: octossh import kamal --help"],
    ),
    "none at all": (["history", "--limit", "0"], ["--limit"]),
}


@pytest.mark.parametrize("what", USAGE)
def test_wrong_usage_ends_with_2(what, octossh, in_tmp):
    command, words = USAGE[what]
    write(in_tmp, PLAIN)
    code, out, err = octossh(*command)
    assert (code, out) == (2, "")
    assert [word for word in words if word not in err] == []


def test_without_an_octofile_what_is_missing_is_told_without_a_choice(octossh):
    refused(octossh("plan"), 2, ["it needs --to ENVIRONMENT; see: octossh plan --help"])


def test_as_json_a_mistake_in_the_command_line_is_one_document_too(octossh):
    code, out, err = octossh("who", "--json")
    error = json.loads(out)["error"]
    assert (code, error["kind"], error["hosts"]) == (2, "MissingParameter", "untouched")
    assert err == f"octossh: {error['message']}\n"


def test_a_group_alone_shows_what_is_in_it(octossh):
    code, out, err = octossh("release")
    assert code in {0, 2}  # as the version of click has it
    assert "Pick versions, pin them to digests" in out + err


def test_as_json_an_error_is_one_document_on_standard_output(octossh, in_tmp):
    write(in_tmp, PLAIN)
    code, out, err = octossh("--json", "status", "shpo")
    error = json.loads(out)["error"]
    assert (code, error["kind"], error["hosts"]) == (2, "ModelError", "untouched")
    assert err == f"octossh: {error['message']}\n"


def test_as_json_a_failed_deployment_is_the_whole_deployment(octossh, in_tmp):
    write(in_tmp, PLAIN)
    (in_tmp / "open").touch()
    (in_tmp / "broken").touch()
    octossh("release", "create")
    code, out, err = octossh("deploy", "--to", "Dev", "--json")
    assert code == 1
    assert json.loads(out)["outcomes"][0]["why"] == "no space"
    assert "octossh: h01: step 'migrate' failed: no space\n" in err
    assert "hosts: untouched; see: octossh history --log 2" in err


def test_where_docker_does_not_answer_the_command_that_says_what_to_do_is_named(octossh, in_tmp):
    write(in_tmp, PLAIN)
    (in_tmp / "open").touch()
    octossh("release", "create")
    (in_tmp / "mute").touch()
    code, _, err = octossh("deploy", "--to", "Dev", "-q")
    assert code == 1
    assert "docker does not answer: permission denied" in err
    assert err.endswith(" and octossh check --in Dev\n")


def test_the_whole_road_at_the_command_line(octossh, in_tmp):
    write(in_tmp, PLAIN)
    (in_tmp / "open").touch()
    assert octossh("release", "create")[:2] == (0, "shop 0.0.1\n")
    code, out, err = octossh("deploy", "--to", "Dev")
    assert code == 0
    assert out.startswith("shop 0.0.1 -> Dev (deploy): succeeded in ")
    assert err == "h01  migrate  ran\n"
    assert octossh("promote", "--to", "Test", "-q")[0] == 0
    octossh("release", "create")
    octossh("deploy", "--to", "Dev")
    code, out, _ = octossh("rollback", "--in", "Dev", "--json")
    assert (code, json.loads(out)["release"], json.loads(out)["mode"]) == (0, "0.0.1", "rollback")
    standing = json.loads(octossh("status", "--json")[1])["standings"]
    assert [(one["environment"], one["release"]) for one in standing] == [
        ("Dev", "0.0.1"),
        ("Test", "0.0.1"),
        ("Production", ""),
    ]
    assert len(octossh("history")[1].splitlines()) == 5
    assert octossh("audit", "verify")[0] == 0
    code, out, _ = octossh("check")
    assert code == 1  # these hosts tell nothing of themselves
    assert "h01     connection  ok     it answers\n" in out


def test_events_are_json_lines_on_standard_error(octossh, in_tmp):
    write(in_tmp, PLAIN)
    (in_tmp / "open").touch()
    octossh("release", "create")
    _, _, err = octossh("deploy", "--to", "Dev", "--events")
    assert [json.loads(line)["type"] for line in err.splitlines()] == [
        "deployment_started", "step_started", "step_finished", "deployment_finished",
    ]  # fmt: skip


@pytest.mark.parametrize(("step", "code"), [("Go live", 4), ("Go love", 2)])
def test_nothing_waits_where_an_approval_that_is_given_with_it_is_refused(octossh, in_tmp, step, code):
    write(in_tmp, "space = space(project(oc.Approve('Go live', approvers=['nobody-here']), step))")
    octossh("release", "create")
    assert octossh("deploy", "--to", "Dev", "--approve-later", "--approve", step)[0] == code
    assert octossh("schedule", "list")[1] == "nothing is scheduled\n"
    assert "cancelled" in octossh("schedule", "list", "--all")[1]


def test_an_interrupted_command_ends_with_130(octossh, in_tmp):
    write(in_tmp, dedent("raise KeyboardInterrupt"))
    code, out, err = octossh("status")
    assert (code, out) == (130, "")
    assert err.strip().startswith("octossh: interrupted")
