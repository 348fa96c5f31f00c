"""What a user notices of a transport: the same for this machine and for a host over SSH."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from clocks import slack

from octossh.errors import ConnectError, Hosts, ModelError, ReadError, TimedOut
from octossh.model.targets import Target
from octossh.shell import Frame, Result, Script, Secret, payload
from octossh.transport import SSH, Local, OpenSSH, Replay, Transport

BODY = "main() {{\n{}\n}}\nmain </dev/null\nexit $?\n"
FRAME = 'frame() { echo "##octossh $octossh_nonce $*"; }\n'


def script(text: str, *secrets: str) -> Script:
    """As templates make them: all inside a function that is called on the last line."""
    return Script("a test", FRAME + BODY.format(text), secrets)


@frozen
class Place:
    """A transport, a target, and a way to look at the target past the transport."""

    transport: Transport
    target: Target
    sh: Callable[[str], str]
    code: str

    def run(self, text: str, **options: Any) -> Result:
        return self.transport.run(self.target, script(text), **options)


REAL = ["local", pytest.param("ssh", marks=pytest.mark.lab), pytest.param("openssh", marks=pytest.mark.lab)]


def here(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def opened(kind: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    if kind == "local":
        with Local() as local:
            yield Place(local, Target("here", "localhost"), here, "t.Local()")
        return
    if kind == "replay":
        with Local() as local, Replay(lambda target, script: local.run(target, script)) as fake:
            yield Place(fake, Target("here", "localhost"), here, "")
        return
    lab = request.getfixturevalue("lab")
    name, address = next(iter(lab.hosts.items()))
    over = {"ssh": SSH, "openssh": OpenSSH}[kind]
    made = f"t.{over.__name__}(known_hosts={str(lab.known_hosts)!r}, identity={str(lab.key)!r}, user='root')"
    with over(known_hosts=lab.known_hosts, identity=lab.key, user="root") as transport:
        yield Place(transport, Target(name, address), lambda command: str(lab.sh(name, command)), made)


@pytest.fixture
def others() -> set[threading.Thread]:
    """Threads that are there before a test begins."""
    return set(threading.enumerate())


@pytest.fixture(params=REAL)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where scripts run for real: here, and on a host by either way."""
    with opened(request.param, request) as made:
        yield made


@pytest.fixture(params=[*REAL, "replay"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The same, and a fake: for what does not depend on when something comes."""
    with opened(request.param, request) as made:
        yield made


@pytest.fixture
def scratch(place: Place) -> Iterator[str]:
    """A folder on the target."""
    path = place.sh("mktemp -d").strip()
    yield path
    place.sh(f"rm -rf {path}")


def wait_for(true: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.02)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("code", [0, 1, 2, 125, 255])
def test_exit_codes_come_back(anywhere: Place, code: int) -> None:
    assert anywhere.run(f"return {code}").exit_code == code


def test_an_empty_script_is_a_success(anywhere: Place) -> None:
    result = anywhere.transport.run(anywhere.target, Script("nothing", ""))
    assert (result.exit_code, result.frames, result.log) == (0, (), "")


def test_frames_come_back_in_order_and_are_not_in_the_log(anywhere: Place) -> None:
    result = anywhere.run("frame state running; echo one; frame data 'a  b'; echo two; frame end")
    assert result.frames == (Frame("state", "running"), Frame("data", "a  b"), Frame("end", ""))
    assert result.log == "one\ntwo\n"


def test_forged_frames_are_log(anywhere: Place) -> None:
    result = anywhere.run(
        "echo '##octossh 0123456789abcdef state done'; echo '##octossh $octossh_nonce state done'; frame ok"
    )
    assert result.frames == (Frame("ok"),)
    assert result.log.count("state done") == 2


def test_the_nonce_is_another_one_in_each_run(place: Place) -> None:
    seen = {place.run("echo $octossh_nonce").log for _ in range(3)}
    assert len(seen) == 3
    assert {len(nonce.strip()) for nonce in seen} == {32}


def test_text_without_a_newline_does_not_hide_the_frame_after_it(anywhere: Place) -> None:
    result = anywhere.run("printf 'no newline'; frame ok; printf end")
    assert result.frames == (Frame("ok"),)
    assert result.log == "no newlineend"


def test_the_log_has_both_streams(anywhere: Place) -> None:
    result = anywhere.run("echo out; echo err >&2")
    assert sorted(result.log.splitlines()) == ["err", "out"]


def test_each_stream_keeps_its_order(anywhere: Place) -> None:
    lines: list[str] = []
    log = anywhere.run(
        "i=0; while [ $i -lt 2000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done", on_line=lines.append
    ).log.splitlines()
    assert [line for line in log if line[0] == "o"] == [f"o{i}" for i in range(2000)]
    assert [line for line in log if line[0] == "e"] == [f"e{i}" for i in range(2000)]
    assert lines == log


def test_lines_come_while_the_script_runs(place: Place, scratch: str) -> None:
    def on_line(line: str) -> None:
        if line == "ready":
            place.sh(f"touch {scratch}/go")

    waiting = f"n=0; until [ -e {scratch}/go ] || [ $n -gt 100 ]; do sleep 0.1; n=$((n+1)); done; [ -e {scratch}/go ]"
    assert place.run(f"echo ready; {waiting}", on_line=on_line).exit_code == 0


def test_a_callback_that_raises_does_not_break_the_run(anywhere: Place, caplog: pytest.LogCaptureFixture) -> None:
    def on_line(line: str) -> None:
        raise ZeroDivisionError(line)

    result = anywhere.run("echo one; frame ok; echo two; return 3", on_line=on_line)
    assert (result.exit_code, result.frames, result.log) == (3, (Frame("ok"),), "one\ntwo\n")
    assert "on_line" in caplog.text


def test_a_script_of_a_megabyte_arrives_whole(anywhere: Place) -> None:
    text = random.Random(7).randbytes(500_000).hex()
    result = anywhere.run(f"printf %s '{text}' | sha256sum")
    assert result.log.split()[0] == hashlib.sha256(text.encode()).hexdigest()


def test_much_output_is_bounded_and_its_ends_are_kept(anywhere: Place) -> None:
    tracemalloc.start()
    result = anywhere.run(
        "echo first; frame a; head -c 64000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo last; frame b"
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 << 20
    lines = result.log.splitlines()
    assert (lines[0], lines[-1]) == ("first", "last")
    (notice,) = [line for line in lines if "bytes left out" in line]
    assert len(result.log) < 400_000
    sent = 64_000_000 + 64_000_000 // 99 + len("first\n\nlast\n")
    assert abs(int(notice.split()[1]) + len(result.log.replace(notice + "\n", "")) - sent) <= 1
    assert result.frames == (Frame("a"), Frame("b"))


def test_every_line_of_much_output_is_seen(place: Place) -> None:
    seen = hashlib.sha256()
    place.run("seq 1 300000", on_line=lambda line: seen.update(line.encode() + b"\n"))
    assert seen.hexdigest() == hashlib.sha256("".join(f"{n}\n" for n in range(1, 300_001)).encode()).hexdigest()


def test_frames_are_whole_however_much_log_is_between_them(place: Place) -> None:
    result = place.run(
        "i=0; while [ $i -lt 20 ]; do seq 1 20000; frame n $i; i=$((i+1)); done\n"
        "printf '##octossh %s big ' $octossh_nonce; head -c 5000000 /dev/zero | tr '\\0' x; echo; frame end"
    )
    assert [frame.text for frame in result.frames[:20]] == [str(n) for n in range(20)]
    assert result.frames[20] == Frame("big", "x" * 5_000_000)
    assert result.frames[21] == Frame("end")


def test_a_flood_of_frames_is_an_error(place: Place) -> None:
    with pytest.raises(ReadError, match="64 MiB") as caught:
        place.run("printf '##octossh %s big ' $octossh_nonce; head -c 70000000 /dev/zero | tr '\\0' x; sleep 60")
    assert caught.value.hosts is Hosts.UNKNOWN
    assert place.run("return 5").exit_code == 5


def test_a_line_of_many_megabytes_is_no_trouble(place: Place) -> None:
    sizes: list[int] = []
    result = place.run("head -c 20000000 /dev/zero | tr '\\0' x", on_line=lambda line: sizes.append(len(line)))
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= 1 << 20
    assert "bytes left out" in result.log


def test_no_character_is_torn(place: Place) -> None:
    lines: list[str] = []
    # A shell that writes 3 bytes at a time would tear é, € and the whale at every place.
    text = "aé€🐋" * 30_000
    result = place.run(
        f"printf '%s\\n' '{text}' | dd obs=3 ibs=7 2>/dev/null | fold -b -w 100000", on_line=lines.append
    )
    assert result.exit_code == 0
    assert lines
    result = place.run(f"printf '%s\\n' '{text}'", on_line=lines.append)
    assert lines[-1] == text
    assert "\ufffd" not in lines[-1]


def test_bytes_that_are_no_text_are_written_out(anywhere: Place) -> None:
    result = anywhere.run(r"printf 'caf\303\251 \377\376\000 end\n'; head -c 100000 /dev/urandom; frame ok")
    assert result.log.startswith("café \\xff\\xfe\0 end\n")
    assert result.frames == (Frame("ok"),)


def test_control_characters_pass(place: Place) -> None:
    assert place.run(r"printf 'a\rb\r\n\033[31mred\033[0m\n'").log == "a\rb\r\n\x1b[31mred\x1b[0m\n"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_a_payload_that_is_cut_anywhere_does_nothing(shell: str, tmp_path: Path) -> None:
    text = script(f"frame began\ntouch {tmp_path}/done\nrm -rf {tmp_path}/keep", "A")
    whole = payload(text, "f" * 32, {"A": Secret("x 'y' \n z")})
    last_line = whole.rindex(b"\nmain </dev/null") + 1
    for cut in range(last_line + len("main")):
        done = subprocess.run([*shell.split(), "-s"], input=whole[:cut], capture_output=True, cwd=tmp_path, check=False)
        assert not (tmp_path / "done").exists(), whole[:cut]
        assert b"##octossh" not in done.stdout


def test_secrets_reach_the_script_and_nothing_else_on_the_host(place: Place, scratch: str) -> None:
    token = os.urandom(8).hex()
    # Its own words must not be what a search finds.
    pattern = f"'[{token[0]}]{token[1:]}'"
    value = f"{token} with 'quotes' \"$(touch {scratch}/never)\" \n and two lines"
    held = threading.Event()

    def on_line(line: str) -> None:
        if line != "ready":
            return
        found = place.sh(f"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -ac {pattern} || true")
        files = place.sh(f"find /tmp /var/tmp /dev/shm /run -type f -mmin -2 -exec grep -l {pattern} {{}} + || true")
        if found.strip() == "0" and files == "":
            held.set()
        place.sh(f"touch {scratch}/go")

    text = (
        f"echo ready; until [ -e {scratch}/go ]; do sleep 0.05; done\n"
        'printf "%s" "$octossh_secret_1" | sha256sum; printf "%s" "$octossh_secret_0"'
    )
    result = place.transport.run(
        place.target, script(text, "PLAIN", "PASSWORD"),
        secrets={"PASSWORD": Secret(value), "PLAIN": Secret("plain"), "UNUSED": Secret("unused")},
        timeout_s=30, on_line=on_line,
    )  # fmt: skip
    assert result.log.split("\n")[1].split()[0] == hashlib.sha256(value.encode()).hexdigest()
    assert result.log.endswith("plain")
    assert held.is_set()
    assert "never" not in place.sh(f"ls {scratch}")


def test_a_missing_secret_is_an_error_before_anything_is_sent(anywhere: Place) -> None:
    with pytest.raises(ModelError, match="PASSWORD"):
        anywhere.transport.run(anywhere.target, script("echo", "PASSWORD"))


def test_a_script_that_leaves_input_unread_ends_well(anywhere: Place) -> None:
    result = anywhere.transport.run(anywhere.target, Script("early", "exit 4\n" + "# never read\n" * 200_000))
    assert result.exit_code == 4


def test_a_command_that_reads_its_input_finds_it_empty(place: Place) -> None:
    assert place.run("cat; echo after").log == "after\n"


def test_a_script_that_takes_too_long_is_given_up(place: Place) -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"within 0\.3 s") as caught:
        place.run("sleep 60", timeout_s=0.3)
    assert time.monotonic() - began < 5 * slack()
    assert caught.value.hosts is Hosts.UNKNOWN
    assert str(caught.value).startswith(place.target.name)
    assert place.run("return 6").exit_code == 6


def test_what_a_script_left_behind_is_not_waited_for(place: Place) -> None:
    began = time.monotonic()
    result = place.run("sleep 60 & echo $!; frame ok; return 7")
    assert time.monotonic() - began < 10 * slack()
    assert (result.exit_code, result.frames) == (7, (Frame("ok"),))
    assert "left behind" in result.log
    place.sh(f"kill {result.log.split()[0]}")


def test_output_that_comes_after_the_shell_has_ended_is_whole(place: Place) -> None:
    result = place.run("{ sleep 1; echo late; frame late; } & return 3")
    assert result.exit_code == 3
    assert result.log == "late\n"
    assert result.frames == (Frame("late"),)


def test_a_slow_callback_loses_nothing(place: Place) -> None:
    lines: list[str] = []

    def on_line(line: str) -> None:
        if not lines:
            threading.Event().wait(2.5)  # longer than what was left behind is waited for
        lines.append(line)

    result = place.run("echo 1; sleep 0.5; seq 2 8000; sleep 60 & return 3", on_line=on_line)
    assert result.exit_code == 3
    assert lines[:8_000] == [str(n) for n in range(1, 8_001)]


def test_a_shell_that_closes_its_output_is_waited_for(place: Place, scratch: str) -> None:
    result = place.run(f"exec >&- 2>&-; sleep 0.3; touch {scratch}/done; return 3")
    assert result.exit_code == 3
    assert place.sh(f"ls {scratch}").strip() == "done"


def test_a_shell_that_a_signal_ended_is_a_failure_that_says_so(anywhere: Place) -> None:
    result = anywhere.run("frame began; kill -9 $$")
    assert result.exit_code == 255
    assert result.frames == (Frame("began"),)
    assert "signal" in result.log.splitlines()[-1]


def test_times_are_aware_and_true(anywhere: Place) -> None:
    result = anywhere.run("sleep 0.2")
    assert result.started_at.utcoffset() is not None
    assert 0.2 <= result.duration_s < 5
    assert abs(time.time() - result.started_at.timestamp()) < 10


def test_many_scripts_run_side_by_side(anywhere: Place) -> None:
    anywhere.transport.connect(anywhere.target)
    results: dict[int, str] = {}

    def one(number: int) -> None:
        results[number] = anywhere.run(f"echo {number}").log

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n" for number in range(8)}


def test_no_threads_and_no_files_are_left(others: set[threading.Thread], place: Place) -> None:
    def threads() -> set[threading.Thread]:
        return set(threading.enumerate()) - others

    place.run("echo")
    wait_for(lambda: len(threads()) <= 3)
    fds = open_files()
    for _ in range(10):
        place.run("seq 1 1000")
    wait_for(lambda: not [thread for thread in threads() if "feed" in thread.name])
    assert open_files() <= fds
    place.transport.close()
    wait_for(lambda: not threads())


def test_a_transport_that_is_closed_says_so(anywhere: Place) -> None:
    anywhere.transport.close()
    anywhere.transport.close()
    for call in (lambda: anywhere.transport.connect(anywhere.target), lambda: anywhere.run("echo")):
        with pytest.raises(ConnectError, match="closed"):
            call()


# In a process of its own.


def program(place: Place, body: str) -> str:
    return (
        "import sys, octossh.transport as t\n"
        "from octossh.model.targets import Target\n"
        "from octossh.shell import Script\n"
        f"target = Target({place.target.name!r}, {place.target.address!r})\n"
        f"with {place.code} as transport:\n" + "".join(f"    {line}\n" for line in body.splitlines())
    )


def child(place: Place, body: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program(place, body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_input_of_the_caller_is_left_alone(place: Place) -> None:
    body = "transport.run(target, Script('s', 'cat\\n'))\nprint(sys.stdin.read())"
    process = child(place, body, stdin=subprocess.PIPE)
    out, err = process.communicate("for the caller\n", timeout=30)
    assert (out, err) == ("for the caller\n\n", "")


def test_it_works_with_closed_streams_and_no_environment(place: Place) -> None:
    body = "r = transport.run(target, Script('s', 'echo hello\\n'))\nraise SystemExit(42 if r.log == 'hello\\n' else 1)"
    command = f"exec env -i {sys.executable} -W error -c {shlex.quote(program(place, body))} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=30, check=False).returncode == 42


def test_a_callers_signal_handlers_stay(place: Place) -> None:
    body = (
        "import signal\nhandler = lambda *_: None\nsignal.signal(signal.SIGWINCH, handler)\n"
        "transport.run(target, Script('s', 'echo\\n'))\nprint(signal.getsignal(signal.SIGWINCH) is handler)"
    )
    assert child(place, body).communicate(timeout=30) == ("True\n", "")


def test_ctrl_c_gives_up_at_once(place: Place) -> None:
    body = "transport.run(target, Script('s', 'echo ready; sleep 60\\n'), on_line=lambda line: print(line, flush=True))"
    process = child(place, body)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 5 * slack()
    assert err.strip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize(("end", "code"), [("", 0), ("raise SystemExit(3)", 3)])
def test_a_program_that_forgets_to_close_ends_all_the_same(place: Place, end: str, code: int) -> None:
    body = f"transport.run(target, Script('s', 'echo hello\\n'))\n{end}"
    text = program(place, body).replace(f"with {place.code} as transport:", f"transport = {place.code}\nif True:")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_traceback_that_shows_local_variables_shows_no_secret(place: Place) -> None:
    try:
        place.transport.run(place.target, script("sleep 60", "A"), secrets={"A": Secret("s3cr3t-value")}, timeout_s=0.2)
    except TimedOut as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "timeout_s = 0.2" in shown
    assert "s3cr3t" not in shown.replace('Secret("s3cr3t-value")', "")


def test_nothing_is_printed(anywhere: Place, capfd: pytest.CaptureFixture[str]) -> None:
    anywhere.run("echo out; echo err >&2; return 1")
    assert capfd.readouterr() == ("", "")
