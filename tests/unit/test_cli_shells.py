"""The command in a shell: what is completed there, its manual page, and what is watched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from terminals import typed

import octossh as oc
from octossh.cli import main, octossh
from octossh.cli.manual import page
from octossh.cli.metrics import exposition
from octossh.model import Standing

OCTOFILE = """
import octossh as oc

print("what an octofile prints is no completion")
hub = oc.Registry("hub", "http://127.0.0.1:1")
step = oc.RunScript("migrate", script="true")
space = oc.Space(
    projects=[
        oc.Project("shop", process=[step], lifecycle=oc.Lifecycle("Test", "Live"), channels=[oc.Channel("stable")]),
        oc.Project("blog", process=[oc.RunScript("publish", script="true")], lifecycle=oc.Lifecycle("Web")),
    ],
    targets=[oc.Target("h01", "h01", environments=["Test"]), oc.Target("h02", "h02", environments=["Live", "Web"])],
    transport=oc.Replay(lambda target, script: [oc.Frame("end", "succeeded ran yes ")]),
)
"""
COMMAND = str(Path(sys.executable).parent / "octossh")


@pytest.fixture
def folder(in_tmp):
    (in_tmp / "octofile.py").write_text(OCTOFILE)
    return in_tmp


def completed(folder, words):
    env = {
        **os.environ,
        "_OCTOSSH_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run([COMMAND], cwd=folder, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def run(*arguments):
    try:
        main(list(arguments))
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("octossh dep", ["deploy", "deployment"]),
        ("octossh status ", ["shop", "blog"]),
        ("octossh deploy --to ", ["Test", "Live", "Web"]),
        ("octossh render --project shop --to ", ["Test", "Live"]),
        ("octossh deploy --to Live --only ", ["h02"]),
        ("octossh deploy --project shop --skip ", ["migrate"]),
        ("octossh release create --channel st", ["stable"]),
        ("octossh logs shop --in ", ["Test", "Live"]),
        ("octossh rollback -q blog --in ", ["Web"]),
        ("octossh logs blog --in Web --step ", ["publish"]),
        ("octossh release diff 0.0.1 --project blog --in ", ["Web"]),
        ("octossh freeze add night --project ", ["shop", "blog"]),
        ("octossh freeze add night --in L", ["Live"]),
        ("octossh audit list --type release_c", ["release_created"]),
        ("octossh -f nothing.py status ", []),
    ],
)
def test_a_shell_is_told_the_names_that_the_octofile_knows(folder, words, expected):
    assert completed(folder, words) == expected


@pytest.mark.slow
def test_a_shell_is_told_images_registries_and_the_steps_that_can_be_approved(in_tmp):
    steps = "[oc.Approve('Sign off'), oc.RunContainer('web', image=hub.image('acme/web'))]"
    ending = f"space = oc.Space(projects=[oc.Project('shop', process={steps})])"
    (in_tmp / "octofile.py").write_text(f"{OCTOFILE.partition('space =')[0]}{ending}\n")
    assert completed(in_tmp, "octossh deploy --approve ") == ["Sign off"]
    assert completed(in_tmp, "octossh tags ") == ["acme/web"]
    assert completed(in_tmp, "octossh images --registry ") == ["hub"]


@pytest.mark.slow
def test_releases_and_deployments_are_completed_out_of_the_store_without_opening_it(folder, capsys):
    assert completed(folder, "octossh release show ") == ["latest"]
    assert not (folder / "octossh.db").exists(), "whoever only types makes no store"
    for _ in range(2):
        assert run("release", "create", "shop") == 0
    assert run("deploy", "0.0.2", "--project", "shop", "--to", "Test", "-q") == 0
    assert completed(folder, "octossh release show --project shop ") == ["latest", "0.0.2", "0.0.1"]
    assert run("release", "create", "blog") == 0
    assert completed(folder, "octossh release show ") == ["latest", "0.0.2", "0.0.1"]
    (identity,) = completed(folder, "octossh schedule cancel ")
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}", identity)


@pytest.mark.slow
def test_what_completes_loads_no_library_of_the_store(folder):
    run("release", "create", "shop")
    code = "import octossh.cli, sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); octossh.cli.main()"
    words = "octossh release show 0"
    env = {**os.environ, "_OCTOSSH_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)
    assert done.stdout == "plain,0.0.1\n"
    assert not {"sqlalchemy", "fabric", "paramiko", "requests", "jinja2"} & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_completion_prints_is_taken_by_the_shell(shell, capsys):
    assert run("completion", shell) == 0
    script = capsys.readouterr().out
    assert "_OCTOSSH_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_help_shows_each_command_once_under_what_it_is_for_and_whole_at_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    out = capsys.readouterr().out
    shown = [line.split()[0] for line in out.partition("To begin:")[2].splitlines() if line.startswith("  ")]
    assert sorted(shown) == sorted(octossh.commands)
    assert [line for line in out.splitlines()[1:] if line.endswith("...") or len(line) > 80] == []


def test_the_manual_page_has_every_command_and_option_and_no_fault():
    text = page()

    def walk(group):
        for one in group.commands.values():
            yield from walk(one) if hasattr(one, "commands") else [one]

    for one in walk(octossh):
        for parameter in one.params:
            if parameter.param_type_name == "option" and not set(parameter.opts) & {"--json", "--events", "--quiet"}:
                assert parameter.opts[0].replace("-", r"\-") in text
    if shutil.which("man"):
        env = {**os.environ, "MANROFFOPT": "-ww", "LC_ALL": "C.UTF-8"}
        shown = subprocess.run(["man", "--warnings", "-l", "-"], input=text, env=env, capture_output=True, text=True)
        assert shown.stderr == ""
        assert "octossh run-due" in shown.stdout


STANDING = Standing(
    project='sh"op\\',
    environment="Te\nst",
    release="1",
    since=datetime(2026, 1, 2, tzinfo=UTC),
    last=oc.State.FAILED,
    seen="healthy",
)


def test_prometheus_gets_each_value_with_its_labels_escaped():
    lines = exposition(oc.Status((STANDING, Standing(project="new", environment="Test")))).splitlines()
    labels = r'{project="sh\"op\\",environment="Te\nst"'
    assert f'octossh_release_info{labels},release="1"}} 1' in lines
    assert f"octossh_deployed_timestamp_seconds{labels}}} 1767312000.000" in lines
    assert f"octossh_healthy{labels}}} 1" in lines
    assert f"octossh_last_deployment_succeeded{labels}}} 0" in lines
    assert [line for line in lines if '"new"' in line] == [
        'octossh_deployment_running{project="new",environment="Test"} 0'
    ]
    assert all(re.fullmatch(r"# (HELP|TYPE) .+|octossh_\w+\{.*\} [0-9.]+", line) for line in lines)


@pytest.mark.slow
def test_who_watches_without_a_terminal_is_told_what_changes_line_by_line(folder):
    run("release", "create", "shop")
    words = [COMMAND, "--json", "status", "shop", "--watch", "--every", "0.1"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE) as process:
        process.stdout.readline()  # what the octofile prints
        first = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert {one["environment"] for one in first} == {"Test", "Live"}
        run("deploy", "--project", "shop", "--to", "Test", "-q")
        while (told := json.loads(process.stdout.readline()))["running"]:
            pass
        assert (told["environment"], told["release"]) == ("Test", "0.0.1")
        process.send_signal(2)
        assert process.stderr.read() == ""
    assert process.returncode == 130


@pytest.mark.slow
def test_at_a_terminal_it_is_drawn_on_a_screen_of_its_own_that_ctrl_c_leaves(folder):
    words = [COMMAND, "status", "blog", "--watch", "--every", "0.1"]
    code, screen = typed(words, folder, dict(os.environ), ("UTC\x1b[K\x1b[J",), ["\x03"])
    assert code == 130
    _, shown, after = re.split(r"\x1b\[\?1049[hl]", screen)
    assert shown.count("\x1b[H") >= 1
    assert "blog" in after, "what was seen last stays"
    assert after.rstrip().endswith("UTC")
    assert "Traceback" not in screen


@pytest.mark.slow
def test_a_plan_has_colours_at_a_terminal_where_nobody_says_no(folder):
    run("release", "create", "shop")
    words = [COMMAND, "plan", "--project", "shop", "--to", "Test"]
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    _, screen = typed(words, folder, env, (), [])
    assert "\x1b[36m    > run       migrate\x1b[0m" in screen
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in typed(words, folder, env | more, (), [])[1]
    assert "\x1b" not in subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


SPACE = """
import atexit, sys, threading
import octossh as oc
space = oc.Space(projects=[oc.Project("shop", process=[oc.RunScript("say", script="true")])])
"""


def ended(folder, octofile, *words, before=("-m", "octossh")):
    (folder / "octofile.py").write_text(SPACE + octofile)
    command = [sys.executable, *before, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("words", "code"), [(["status"], 0), (["release", "show", "9"], 2)])
def test_a_command_ends_with_its_code_and_calls_what_waits_for_the_end(words, code, tmp_path):
    done = ended(tmp_path, "atexit.register(lambda: print('called'))", *words)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, "called")


def test_nothing_is_taken_apart_at_the_end_of_a_command(tmp_path):
    octofile = """
class Kept:
    def __del__(self): print("taken apart")
sys.kept = Kept()
"""
    assert "taken apart" not in ended(tmp_path, octofile, "status").stdout


def test_a_command_waits_for_threads_that_its_octofile_began(tmp_path):
    octofile = """
def work():
    threading.main_thread().join()
    print("worked")
threading.Thread(target=work).start()
"""
    assert ended(tmp_path, octofile, "status").stdout.splitlines()[-1] == "worked"


def test_a_command_does_not_wait_for_threads_of_a_pool_that_have_nothing_to_do(tmp_path):
    octofile = """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor()
pool.submit(print).result()
"""
    assert ended(tmp_path, octofile, "status").returncode == 0


def test_whoever_runs_a_command_in_its_own_process_goes_on_behind_it(tmp_path):
    call = "from octossh.cli.processes import run; run(); print('behind it')"
    assert ended(tmp_path, "", "status", before=("-c", call)).stdout.splitlines()[-1] == "behind it"
    profiled = ended(tmp_path, "", "status", before=("-m", "cProfile", "-o", "profile", "-m", "octossh"))
    assert (profiled.returncode, (tmp_path / "profile").exists()) == (0, True)


def test_whoever_is_asked_can_end_a_command_with_a_word(tmp_path):
    octofile = """
def ask(_variable): sys.exit("nobody answers")
variables = [oc.Variable("day", prompt="Which day?")]
space = oc.Space(projects=[oc.Project("shop", process=space.project().process, variables=variables)], targets=[oc.Target("h01", "192.0.2.1", environments=["Test"])], ask=ask)
"""
    assert ended(tmp_path, octofile, "release", "create", "--number", "1").returncode == 0
    done = ended(tmp_path, octofile, "plan", "1", "--to", "Test")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "nobody answers")
