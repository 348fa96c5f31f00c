"""The shell that runs as root: what is executed on the host, held against sudos that ask, and that do not."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

import octossh as oc
from octossh.shell import Frame, Result, Secret
from octossh.transport.elevation import PLAIN, refusal, start
from octossh.transport.faults import Where

HOST = oc.Target("h01", "10.0.0.1", sudo=True)
WHERE = Where("h01", "ann", "10.0.0.1", 22)
PASSWORD = """it's "a" $(false) `x` \\n pass word"""
# As sudo does it: it reads one line, by the byte; asks again for a wrong one; and takes no other words than these.
SUDO = r"""#!/bin/sh
echo "$*" >>{folder}/argv
asks={asks}
while :; do
    case $1 in
        -k) shift ;;
        -S) shift ;;
        -n) [ "$asks" = no ] || { echo "sudo: a password is required" >&2; exit 1; }; shift ;;
        -p) [ -z "$2" ] || exit 2; shift 2 ;;
        --) shift; break ;;
        *) exit 2 ;;
    esac
done
if [ "$asks" = yes ]; then
    until IFS= read -r word && [ "$word" = "$(cat {folder}/password)" ]; do
        echo tried >>{folder}/tries
        [ -n "$word" ] || { echo "sudo: no password was provided" >&2; exit 1; }
        echo "Sorry, try again." >&2
        word=
    done
fi
exec "$@"
"""
SHELLS = {"dash": "/bin/dash", "bash": "/bin/bash"}


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest) -> str:
    """What the user logs in with."""
    return SHELLS[request.param]


def run(folder: Path, shell: str, *, asks: bool, given: str | None, script: str) -> subprocess.CompletedProcess[str]:
    (folder / "bin").mkdir()
    program = folder / "bin" / "sudo"
    program.write_text(SUDO.replace("{folder}", str(folder)).replace("{asks}", "yes" if asks else "no"))
    program.chmod(0o755)
    (folder / "password").write_text(PASSWORD)
    made = start(HOST, WHERE, lambda _: Secret(given) if given is not None else None)
    return fed(folder, shell, made.command, made.ahead.decode() + script)


def fed(folder: Path, shell: str, command: str, said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shell, "-c", command],
        input=said,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": f"{folder}/bin:/usr/bin:/bin"},
    )


SCRIPT = 'main() {\necho "first $octossh_session_pid"\ncat\n}\nmain </dev/null\nexit 7\n'


@pytest.mark.parametrize("asks", [True, False])
def test_the_script_runs_as_it_is_whether_sudo_asks_or_not(tmp_path: Path, shell: str, asks: bool) -> None:
    done = run(tmp_path, shell, asks=asks, given=PASSWORD, script=SCRIPT)
    assert done.stdout.split()[0] == "first"
    assert int(done.stdout.split()[1]) > 1
    assert (done.returncode, done.stderr) == (7, "")
    assert "pass word" not in (tmp_path / "argv").read_text()


def test_where_no_password_is_given_sudo_must_not_ask(tmp_path: Path, shell: str) -> None:
    done = run(tmp_path, shell, asks=False, given=None, script=SCRIPT)
    assert (done.returncode, done.stdout.split()[0]) == (7, "first")


@pytest.mark.parametrize("given", ["wrong", None])
def test_where_sudo_says_no_nothing_of_the_script_runs_and_it_is_tried_once(
    tmp_path: Path, shell: str, given: str | None
) -> None:
    done = run(tmp_path, shell, asks=True, given=given, script=f"touch {tmp_path}/ran\n" * 3)
    assert (done.returncode, done.stdout) == (93, "")
    assert not (tmp_path / "ran").exists()
    assert len((tmp_path / "argv").read_text().splitlines()) == 1
    result = Result((), done.stderr, done.returncode, datetime.now(UTC), 0.1)
    error = refusal(HOST, WHERE, result)
    assert error is not None
    assert "h01 (ann@10.0.0.1:22): sudo does not let ann start sh as root there: sudo: " in str(error)
    assert "check the sudo_password of the transport" in str(error)
    assert error.hosts is oc.Hosts.UNTOUCHED


@pytest.mark.parametrize("came", ["", PASSWORD])
def test_a_session_that_ends_before_a_password_came_is_no_failed_login(tmp_path: Path, shell: str, came: str) -> None:
    assert run(tmp_path, shell, asks=True, given=PASSWORD, script="exit 0\n").returncode == 0
    (tmp_path / "argv").unlink()
    command = start(HOST, WHERE, lambda _: Secret(PASSWORD)).command
    assert fed(tmp_path, shell, command, came).returncode == 93
    assert not (tmp_path / "argv").exists()


def test_a_script_that_ends_with_that_code_is_no_refusal() -> None:
    result = Result((Frame("begin"),), "", 93, datetime.now(UTC), 0.1)
    assert refusal(HOST, WHERE, result) is None
    assert refusal(oc.Target("h01", "10.0.0.1"), WHERE, Result((), "", 93, datetime.now(UTC), 0.1)) is None


def test_a_target_without_sudo_is_not_asked_about() -> None:
    assert start(oc.Target("h01", "10.0.0.1"), WHERE, lambda _: pytest.fail("asked")) is PLAIN


@pytest.mark.parametrize("password", ["", "two\nlines"])
def test_what_nobody_can_type_is_no_password(password: str) -> None:
    with pytest.raises(oc.ModelError, match="the password for sudo is empty, or has a line break"):
        start(HOST, WHERE, lambda _: Secret(password))


def test_what_goes_to_a_script_while_it_runs_cannot_go_through_a_sudo_that_asks() -> None:
    with pytest.raises(oc.ModelError, match="cannot go through sudo with a password"):
        start(HOST, WHERE, lambda _: Secret("x"), feed=True)
    assert "sudo -n" in start(HOST, WHERE, lambda _: None, feed=True).command


def test_the_password_is_asked_for_by_account_and_is_in_no_text_of_what_is_sent() -> None:
    asked: list[str] = []
    made = start(HOST, WHERE, lambda account: asked.append(account) or Secret("geheim"))  # type: ignore[func-returns-value]
    assert asked == ["ann@10.0.0.1"]
    assert "geheim" not in made.command + repr(made) + repr(made.ahead)


def test_a_target_says_what_sudo_can_be() -> None:
    with pytest.raises(oc.ModelError, match="sudo is a str; give True or False, and the password to the transport"):
        oc.Target("h01", "10.0.0.1", sudo="geheim")  # type: ignore[arg-type]
    with pytest.raises(oc.ModelError, match="images cannot be sent through sudo"):
        oc.Target("h01", "10.0.0.1", sudo=True, images="push")
    with oc.Local() as here, pytest.raises(oc.ModelError, match=r"Local\(\) does all as you"):
        here.connect(HOST)
