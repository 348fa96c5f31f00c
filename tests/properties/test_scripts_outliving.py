"""Runs that outlive their link: in every shell, what is said is said once, whole, and nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from golden.cases import IMAGE, order
from properties.stand import EACH_SHELL, SHELLS, eventually, forget_runs, syntax_errors

import octossh as oc
from octossh.deploying.following import Told
from octossh.reading import Answer, read_answer
from octossh.rendering import attach, end_run, outliving, render
from octossh.shell import Frame, Script, payload
from octossh.transport.framing import Collector

MEMORY = Path("/dev/shm")
BODY = """octossh_main() {
set -u
umask 077
trap '' HUP PIPE
exec 3>&1 1>&2
%s
printf '##octossh %%s end succeeded ran yes \\n' "$octossh_nonce" >&3
exit 7
}
{ "${octossh_go:-octossh_main}" </dev/null; }
"""


@frozen
class Heard:
    answer: Answer
    frames: list[Frame]
    log: str
    lines: list[str]
    code: int


@pytest.fixture(params=EACH_SHELL)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


_dropped: list[subprocess.Popen[bytes]] = []


@pytest.fixture
def run() -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    while _dropped:
        _dropped.pop().wait(30)
    forget_runs(name)


def start(shell: list[str], script: Script) -> tuple[subprocess.Popen[bytes], str]:
    nonce = uuid.uuid4().hex
    process = subprocess.Popen(
        [*shell, "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    process.stdin.write(payload(script, nonce, {}))
    process.stdin.close()
    process.stdin = None
    return process, nonce


def hear(shell: list[str], script: Script, told: Told | None = None) -> Heard:
    """Run *script* to its end."""
    process, nonce = start(shell, script)
    out, err = process.communicate(timeout=30)
    lines: list[str] = []
    seen: list[Frame] = []
    told = told or Told(lines.append, seen.append)
    collector = Collector(nonce, told.line, told.frame)
    collector.feed_out(out)
    collector.feed_err(err)
    result = collector.result(process.returncode)
    return Heard(read_answer(result), seen, result.log, lines, result.exit_code)


def drop(shell: list[str], script: Script, until: str) -> bytes:
    """Run *script*, and close the link when it has said *until*."""
    process, _ = start(shell, script)
    assert process.stdout is not None
    assert process.stderr is not None
    said = b""
    while until.encode() not in said:
        said += process.stderr.readline()
    process.stdout.close()
    process.stderr.close()
    _dropped.append(process)
    return said


def folder(run: str) -> Path:
    return MEMORY / f"octossh-run-{run}.01"


def test_a_run_says_the_same_as_without_anything_around_it(shell: list[str], run: str) -> None:
    script = Script("x", BODY % "echo one; printf 'two \\303\\251 without an end' >&2")
    alone, kept = hear(shell, script), hear(shell, outliving(script, run, 1))
    assert (kept.answer, kept.log, kept.code) == (alone.answer, alone.log, alone.code)
    assert (kept.log, kept.code) == ("one\ntwo é without an end", 7)
    assert script.digest == outliving(script, run, 1).digest


def test_what_it_says_is_kept_from_others_and_nothing_of_the_script_is_with_it(shell: list[str], run: str) -> None:
    hear(shell, outliving(Script("x", BODY % "echo said; : hidden"), run, 1))
    assert folder(run).stat().st_mode & 0o777 == 0o700
    kept = b"".join(file.read_bytes() for file in folder(run).iterdir())
    assert b"said" in kept
    assert b"hidden" not in kept


@pytest.mark.slow
def test_a_link_that_is_lost_hinders_nobody_and_what_follows_is_heard_once(shell: list[str], run: str) -> None:
    lines: list[str] = []
    told = Told(lines.append, lambda _: None)
    script = outliving(Script("x", BODY % "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done"), run, 1)
    said = drop(shell, script, "line 2")
    collector = Collector(re.findall(rb"octossh ([0-9a-f]{32}) ", said)[0].decode(), told.line, told.frame)
    collector.feed_err(said)
    told.again()
    heard = hear(shell, attach(run, "x"), told)
    assert lines == [f"line {number}" for number in range(1, 7)]
    assert heard.log.splitlines() == lines
    assert (heard.answer.state, heard.code) == ("succeeded", 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "line"),
    [("tw", "o", "two"), (r"\303", r"\251 and on", "é and on"), ("two", "", "two")],
    ids=["inside a line", "inside a character", "before the end of a line"],
)
def test_a_link_that_is_cut_inside_of_a_line_costs_nothing_of_it(
    run: str, tmp_path: Path, before: str, after: str, line: str
) -> None:
    text = f"printf 'one\\n{before}'; until [ -e {tmp_path}/go ]; do sleep 0.1; done; printf '{after}\\nthree\\n'"
    process, nonce = start(["sh"], outliving(Script("x", BODY % text), run, 1))
    assert process.stderr is not None
    said, half = b"", b"\xc3" if "303" in before else before.encode()
    while not said.endswith(half):
        said += os.read(process.stderr.fileno(), 1)
    process.stderr.close()
    assert process.stdout is not None
    process.stdout.close()
    _dropped.append(process)
    lines: list[str] = []
    told = Told(lines.append, lambda _: None)
    Collector(nonce, told.line, told.frame).feed_err(said)
    assert lines == ["one"]
    (tmp_path / "go").touch()
    told.again()
    heard = hear(["sh"], attach(run, "x"), told)
    assert lines == heard.log.splitlines() == ["one", line, "three"]


@pytest.mark.slow
def test_a_run_is_found_again_as_often_as_it_takes_and_runs_once(shell: list[str], run: str, tmp_path: Path) -> None:
    script = Script("x", BODY % f"echo ran >>{tmp_path}/count; echo going; sleep 0.5; echo gone")
    drop(shell, outliving(script, run, 1), "going")
    drop(shell, attach(run, "x"), "going")
    for _ in range(2):
        assert hear(shell, attach(run, "x")).log == "going\ngone\n"
    assert (tmp_path / "count").read_text() == "ran\n"


def test_a_host_that_knows_nothing_of_a_run_says_so(shell: list[str], run: str) -> None:
    heard = hear(shell, attach(run, "x"))
    assert (heard.answer.state, heard.answer.action) == ("failed", "gone")
    assert "knows nothing of that run" in heard.answer.why
    assert hear(shell, end_run(run, "x")).answer.action == "gone"


@pytest.mark.slow
def test_a_run_that_is_ended_takes_what_it_started_along(shell: list[str], run: str, tmp_path: Path) -> None:
    stubborn = f"""(trap '' TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.2; done) & echo going; sleep 60 & wait"""
    drop(shell, outliving(Script("x", BODY % stubborn), run, 1), "going")
    ended = hear(shell, end_run(run, "x", "it's over"))
    assert (ended.answer.state, ended.answer.action) == ("succeeded", "stopped")
    heard = hear(shell, attach(run, "x"))
    assert (heard.answer.state, heard.answer.changed, heard.answer.why) == ("failed", True, "it's over")
    assert subprocess.run(["pgrep", "-f", f"{tmp_path}"], capture_output=True).stdout == b""


@pytest.mark.slow
def test_a_run_that_shall_not_outlive_its_link_is_ended_with_it(shell: list[str], run: str, tmp_path: Path) -> None:
    script = Script("x", BODY % f"echo going; sleep 20; echo x >{tmp_path}/late")
    drop(shell, outliving(script, run, 1, ends=True), "going")
    eventually(lambda: (folder(run) / "over").exists())
    heard = hear(shell, attach(run, "x"))
    assert "the link was lost" in heard.answer.why
    assert not (tmp_path / "late").exists()


@pytest.mark.slow
def test_a_run_that_shall_not_outlive_its_link_is_ended_with_the_link_by_which_it_was_found_again(
    shell: list[str], run: str, tmp_path: Path
) -> None:
    script = Script("x", BODY % f"echo going; sleep 20; echo x >{tmp_path}/late")
    # A link may be lost without the host seeing it.
    unseen, _ = start(shell, outliving(script, run, 1, ends=True))
    eventually(lambda: (folder(run) / "stat").exists())
    drop(shell, attach(run, "x"), "going")
    eventually(lambda: (folder(run) / "over").exists())
    unseen.communicate(timeout=30)
    assert "the link was lost" in hear(shell, attach(run, "x")).answer.why
    assert not (tmp_path / "late").exists()


_DOCKER = """#!/bin/sh
case $1 in
    run) cat >/dev/null; echo going >&2; trap '' TERM; until [ -e {0}/removed ]; do sleep 0.1; done ;;
    rm) echo "$*" >{0}/removed ;;
    *) echo "[]" ;;
esac
"""


@pytest.mark.slow
def test_a_script_in_a_container_that_is_ended_takes_its_container_along(
    shell: list[str], run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text(_DOCKER.format(tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    step = oc.RunScript("do", script="true", image=IMAGE, on_lost_link="abort")
    script = render(order(step))
    drop(shell, outliving(script, run, 1, ends=True), "going")
    eventually(lambda: (folder(run) / "over").exists())
    named = re.search(r"docker run --rm -i --name (\S+) ", script.body)
    assert named is not None
    assert (tmp_path / "removed").read_text() == f"rm -f -v {named[1]}\n"
    assert "the link was lost" in hear(shell, attach(run, "do")).answer.why


@pytest.mark.slow
def test_a_run_whose_processes_are_killed_comes_to_no_end_and_is_not_waited_for(shell: list[str], run: str) -> None:
    drop(shell, outliving(Script("x", BODY % "echo going; sleep 60"), run, 1), "going")
    pid = int((folder(run) / "stat").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    heard = hear(shell, attach(run, "x"))
    assert not heard.answer.ended
    assert heard.code == 137


@pytest.mark.slow
def test_what_a_run_leaves_behind_is_not_waited_for(shell: list[str], run: str) -> None:
    heard = hear(shell, outliving(Script("x", BODY % 'sleep 20 & echo "$!"'), run, 1))
    assert heard.answer.state == "succeeded"
    assert "something that the script left behind still holds its output" in heard.log
    os.kill(int(heard.lines[0]), signal.SIGKILL)
    eventually((folder(run) / "over").exists)


def made_by_hand(run: str, **files: str) -> Path:
    """The folder of a run of which every file is as it is told."""
    folder(run).mkdir(mode=0o700)
    for name, text in {"nonce": "x", "answer": "", "log.0": "", **files}.items():
        (folder(run) / name.replace("_", ".")).write_text(f"{text}\n" if text else "")
    return folder(run)


def stat_of(process: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().strip()


def napping(process: subprocess.Popen[bytes]) -> bool:
    """Whether something that *process* has started sleeps, or it has ended."""
    below = subprocess.run(["ps", "-o", "comm=", "-g", f"{process.pid}"], capture_output=True, text=True).stdout
    return "sleep" in below or process.poll() is not None


def ended(process: subprocess.Popen[bytes], nonce: str) -> Heard:
    """What *process* says to its end."""
    out, err = process.communicate(timeout=30)
    lines: list[str] = []
    collector = Collector(nonce, lines.append)
    collector.feed_out(out)
    collector.feed_err(err)
    result = collector.result(process.returncode)
    return Heard(read_answer(result), [], result.log, lines, result.exit_code)


def test_a_process_that_has_ended_and_of_which_nobody_took_note_is_no_run_that_lives(
    shell: list[str], run: str
) -> None:
    with subprocess.Popen(["true"]) as ended_long_ago:
        os.waitid(os.P_PID, ended_long_ago.pid, os.WEXITED | os.WNOWAIT)
        made_by_hand(
            run, stat=stat_of(ended_long_ago).replace(") Z ", ") S "), answer="##octossh x end succeeded ran yes"
        )
        assert hear(shell, attach(run, "x")).answer.state == "succeeded"


@pytest.mark.slow
def test_a_run_that_has_only_just_begun_is_waited_for_and_is_not_taken_for_one_that_has_ended(
    shell: list[str], run: str
) -> None:
    with subprocess.Popen(["sleep", "60"]) as living:
        there = made_by_hand(run)
        process, nonce = start(shell, attach(run, "x"))
        eventually(lambda: napping(process))
        (there / "stat").write_text(stat_of(living))
        (there / "answer").write_text("##octossh x end succeeded ran yes \n")
        (there / "code").write_text("0\n")
        (there / "over").touch()
        heard = ended(process, nonce)
        living.kill()
    assert (heard.answer.state, heard.code) == ("succeeded", 0)


@pytest.mark.slow
def test_a_run_that_ends_is_heard_to_its_end_while_somebody_takes_note_of_that(shell: list[str], run: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as keeper, subprocess.Popen(["true"]) as gone:
        gone.wait()
        there = made_by_hand(run, stat=f"{gone.pid} (sh) S {'0 ' * 40}", keeper=stat_of(keeper))
        process, nonce = start(shell, attach(run, "x"))
        eventually(lambda: napping(process))
        (there / "log.0").write_text("the last line\n")
        (there / "code").write_text("7\n")
        (there / "over").touch()
        heard = ended(process, nonce)
        keeper.kill()
    assert (heard.log, heard.code) == ("the last line\n", 7)


@pytest.mark.slow
def test_a_run_that_never_got_a_process_is_gone_and_stays_so(run: str) -> None:
    there = made_by_hand(run)
    assert hear(["sh"], attach(run, "x")).answer.action == "gone"
    assert not there.exists()


@pytest.mark.slow
def test_a_run_that_shall_not_outlive_its_link_is_ended_though_its_follower_was_killed(
    shell: list[str], run: str, tmp_path: Path
) -> None:
    script = outliving(Script("x", BODY % f"echo going; sleep 20; echo x >{tmp_path}/late"), run, 1, ends=True)
    process, _ = start(shell, script)
    assert process.stderr is not None
    while b"going" not in process.stderr.readline():
        pass
    followers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, followers)):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    eventually(lambda: (folder(run) / "over").exists())
    assert "the link was lost" in hear(shell, attach(run, "x")).answer.why
    assert not (tmp_path / "late").exists()


def test_where_the_memory_of_a_host_is_full_a_run_does_not_begin_says_so_and_leaves_nothing(
    shell: list[str], run: str, tmp_path: Path
) -> None:
    # Opened ahead: where tests write to memory, their folder is out of sight in there.
    full = f"""exec 3>{tmp_path}/left; mount -t tmpfs -o size=128k tmpfs /dev/shm; head -c 100k /dev/zero >/dev/shm/full
"$@" 3>&-; code=$?; ls -A /dev/shm >&3; exit $code"""
    script = outliving(Script("x", BODY % f"echo ran >{tmp_path}/ran"), run, 1)
    heard = hear(["unshare", "-m", "sh", "-c", full, "sh", *shell], script)
    assert (heard.answer.state, heard.answer.changed, heard.code) == ("failed", False, 1)
    assert heard.answer.why.startswith("/dev/shm on this host is full")
    assert "make room in it" in heard.answer.why
    assert not (tmp_path / "ran").exists()
    assert (tmp_path / "left").read_text() == "full\n"


def test_nobody_else_can_put_a_run_there(shell: list[str], run: str) -> None:
    folder(run).mkdir()
    for name, text in {"nonce": "x", "answer": "##octossh x end succeeded ran no \n", "log.0": "", "over": ""}.items():
        (folder(run) / name).write_text(text)
    os.chown(folder(run), 65534, 65534)
    assert hear(shell, attach(run, "x")).answer.action == "gone"
    # Where the place is taken, it runs all the same.
    assert hear(shell, outliving(Script("x", BODY % "echo ran"), run, 1)).log == "ran\n"


@pytest.mark.slow
def test_much_output_is_bounded_and_a_live_reader_misses_nothing(shell: list[str], run: str) -> None:
    script = Script("x", BODY % "head -c 30000000 /dev/zero | tr '\\0' a | fold -w 99")
    live = hear(shell, outliving(script, run, 1))
    assert sum(map(len, live.lines)) == 30_000_000
    assert sum(file.stat().st_size for file in folder(run).iterdir()) < 9 << 20
    again = hear(shell, attach(run, "x"))
    assert "bytes left out]" in again.log
    assert again.answer == live.answer


@pytest.mark.slow
def test_a_log_that_comes_in_many_small_pieces_comes_whole(run: str) -> None:
    body = BODY % "trap - PIPE; i=0; while [ $i -lt 1200 ]; do i=$((i + 1)); echo $i; sleep 0.002; done"
    heard = hear(["sh"], outliving(Script("x", body), run, 1))
    assert (heard.answer.state, heard.lines[-1:]) == ("succeeded", ["1200"])


@pytest.mark.slow
@pytest.mark.parametrize("language", ["sh", "python3"])
def test_a_secret_is_known_though_the_place_of_the_log_where_it_came_is_gone(run: str, language: str) -> None:
    noise = {
        "sh": "head -c %d /dev/zero | tr '\\0' a | fold -w 99; echo",
        "python3": "print(('a' * 99 + chr(10)) * (%d // 99))",
    }
    say = {"sh": "octossh_output --secret TOKEN geheim", "python3": "octossh_output('TOKEN', 'geheim', secret=True)"}
    text = "\n".join([noise[language] % 6_000_000, say[language], noise[language] % 25_000_000])
    step = oc.RunScript("do", script=text, shell=language, where="controller")
    live = hear(["sh"], outliving(render(order(step)), run, 1))
    again = hear(["sh"], attach(run, "do"))
    assert live.answer.state == "succeeded", live.answer.why
    assert "bytes left out]" in again.log
    assert "octossh" not in again.log.replace("[octossh", "")
    assert live.answer.secrets["TOKEN"].reveal() == again.answer.secrets["TOKEN"].reveal() == "geheim"


def test_what_goes_ahead_is_accepted_by_every_shell_and_by_shellcheck(tmp_path: Path) -> None:
    file = tmp_path / "ahead.sh"
    body = 'octossh_main() { :; }\noctossh_nonce=x\n"${octossh_go:-octossh_main}"\n'
    script = outliving(Script("x", body), "run", 1)
    file.write_text(script.ahead + script.body)
    assert syntax_errors([file]) == ""
