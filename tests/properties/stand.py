"""A host without docker: each script runs in a shell of its own, and `docker_stand_in` answers it."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import shutil
import signal
import subprocess
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen
from properties.docker_stand_in import Docker

from octossh.reading import Answer, read_answer
from octossh.shell import Result, Script, Secret, payload
from octossh.transport.framing import Collector

SHELLS = {"dash": ["/bin/dash"], "bash": ["/bin/bash", "--posix"], "ash": ["/usr/bin/busybox", "ash"]}
# The fast set asks one of them, the strictest.
EACH_SHELL = [pytest.param(name, marks=() if name == "dash" else pytest.mark.slow) for name in sorted(SHELLS)]
CHECKS = {"sh": ["sh", "-n"], "dash": ["dash", "-n"], "bash": ["bash", "-n"], "ash": ["busybox", "ash", "-n"]}
OTHERS = ("flock", "cat", "sleep", "mktemp", "rm", "base64", "tr", "id")


@frozen
class Call:
    """One call of docker: its words, the options ahead of them, its environment and its standard input, as bytes, and which files it was given."""

    argv: tuple[bytes, ...]
    ahead: Mapping[bytes, bytes]
    environ: Mapping[bytes, bytes] = field(repr=False)
    stdin: bytes = field(repr=False)
    descriptors: frozenset[int] = field(repr=False)

    @property
    def name(self) -> str:
        """The command, such as ``network connect``."""
        words = [word.decode(errors="replace") for word in self.argv[:2]]
        return " ".join(words) if words[0] in {"container", "network", "volume", "image"} else words[0]


@functools.cache
def unique() -> str:
    """Part of the project names of this process: locks in /dev/shm are shared by all who test on this machine."""
    return f"standin{uuid.uuid4().hex[:12]}"


class Host:
    """A folder with a ``bin`` that has docker in it: a script of two lines that asks the `Docker` in this process.

    Args:
        folder: Is made.
        shell: What the scripts run in.
        record: Keep the words of all other programs, too, that the scripts start.
        state: Of `Docker`.

    Attributes:
        kill_at: All that runs there is killed at the call of docker with this number; from 0 on, -1: at none.
        down_from: From this call on docker's daemon is down.
        away_after: After the first call of this name, docker's daemon is down for four; then it starts again.
        feed: Gives what is sent to a script that wants something, by the line in which it says so.
        drop_link_at: At this call the reading ends of the script's output are closed.
    """

    def __init__(self, folder: Path, shell: str = "dash", *, record: bool = False, **state: Any) -> None:
        self.folder, self.shell = folder, shell
        self.docker = Docker(**state)
        self.calls: list[Call] = []
        self.path = f"{folder}/bin:/usr/bin:/bin"
        self.environ: dict[str, str] = {}
        self.kill_at = self.down_from = self.drop_link_at = -1
        self.away_after = ""
        self.feed: Callable[[bytes], bytes] | None = None
        self._link: list[int] = []
        for name in ("bin", "home"):
            (folder / name).mkdir(parents=True)
        for name in ("request", "reply"):
            os.mkfifo(folder / name)
        ask = f'printf "%s\\n" "$$" >"{folder}/request"\nread -r code <"{folder}/reply"\nexit "$code"'
        self._ask = ask
        self.program("docker", f"#!/bin/dash\n{ask}\n")
        for name in OTHERS if record else ():
            keep = f'{shutil.which("cat")} "/proc/$$/cmdline" >>"{folder}/others"'
            self.program(name, f'#!/bin/sh\n{keep}\nexec {shutil.which(name)} "$@"\n')

    def one_by_one(self) -> None:
        """From now on a script may call docker while another call of its own still waits for the answer."""
        busy = f"{self.folder}/busy"
        wait = f'until mkdir "{busy}" 2>/dev/null; do sleep 0.01; done\ntrap \'rmdir "{busy}"\' EXIT'
        self.program("docker", f"#!/bin/dash\n{wait}\n{self._ask}\n")

    def program(self, name: str, text: str) -> None:
        """Put a program into the ``bin``."""
        file = self.folder / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    def sudo(self) -> None:
        """From now on there is a sudo: it hands on no environment, and of what is open only the first three."""
        close = " ".join(f"{number}>&-" for number in range(3, 10))
        self.program("sudo", f'#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\nexec env -i PATH="$PATH" "$@" {close}\n')

    def curl(self, code: int) -> None:
        """From now on there is a curl, which ends with *code*."""
        self.program("curl", f'#!/bin/sh\ncat "/proc/$$/cmdline" >>"{self.folder}/others"\nprintf 200\nexit {code}\n')

    def _serve(self) -> None:
        while True:
            pid = int((self.folder / "request").read_text())
            if not pid:
                return
            try:
                self._answer(pid)
            except Exception:
                # Whoever waits for an answer must not wait for ever.
                self.docker.wrong.append(traceback.format_exc())
                os.killpg(os.getpgid(pid), signal.SIGKILL)

    def _answer(self, pid: int) -> None:
        here = Path(f"/proc/{pid}")
        argv = tuple((here / "cmdline").read_bytes().split(b"\0")[2:-1])
        ahead = {}
        while argv and argv[0] in {b"--config", b"--host"}:
            ahead[argv[0]], argv = argv[1], argv[2:]
        words = (pair.partition(b"=") for pair in (here / "environ").read_bytes().split(b"\0") if pair)
        pairs = {name: text for name, _, text in words}
        read = argv[:1] == (b"load",) or argv[:2] == (b"cp", b"-") or b"/dev/stdin" in argv or b"--config" in ahead
        stdin = (here / "fd/0").read_bytes() if read else b""
        # From number 10 on they are dash's own.
        descriptors = frozenset(int(file.name) for file in (here / "fd").iterdir() if len(file.name) == 1)
        call = Call(argv, ahead, pairs, stdin, descriptors)
        number = len(self.calls)
        self.calls.append(call)
        if number == self.kill_at:
            # Until the caller is really gone, it would take the reply that is for the next one.
            caller = os.pidfd_open(pid)
            os.killpg(os.getpgid(pid), signal.SIGKILL)
            select.select([caller], [], [])
            os.close(caller)
            return
        if number == self.drop_link_at:
            while self._link:
                os.close(self._link.pop())
        self.docker.down |= 0 <= self.down_from <= number
        since = number - next((at for at, one in enumerate(self.calls) if one.name == self.away_after), number)
        self.docker.down |= since == 1
        if since == 5:
            self.docker.down = False
            self.docker.reboot()
        environ = {os.fsdecode(name): os.fsdecode(text) for name, text in call.environ.items()}
        code, out, err = self.docker.call([os.fsdecode(word) for word in argv], environ, os.fsdecode(stdin))
        try:
            for file, text in ((here / "fd/2", err), (here / "fd/1", out)):
                if text:
                    write(file, os.fsencode(text))
        except OSError:
            code = 141  # docker dies of a closed pipe, though the shell ignores the signal
        (self.folder / "reply").write_text(f"{code}\n")

    def send(self, data: bytes) -> subprocess.CompletedProcess[bytes]:
        """Run a shell with *data* on its standard input, whatever that is."""
        self.calls.clear()
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "busy").rmdir()  # of one that was killed
        server = threading.Thread(target=self._serve, daemon=True)
        server.start()
        try:
            return self._shell(data)
        finally:
            (self.folder / "request").write_text("0\n")
            server.join()

    def _shell(self, data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [*SHELLS[self.shell], "-s"]
        # Where the link will drop, nobody reads what the script says, and at one of its calls the reading ends go.
        self._link, ends = map(list, zip(*(os.pipe(), os.pipe()), strict=True))
        drops = self.drop_link_at >= 0
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=ends[0] if drops else subprocess.PIPE,
            stderr=ends[1] if drops else subprocess.PIPE,
            env={"PATH": self.path, "HOME": str(self.folder / "home"), **self.environ},
            cwd=self.folder / "home",
            start_new_session=True,
        ) as shell:
            for end in ends:
                os.close(end)
            try:
                out = self._fed(shell, data) if self.feed else b""
                more, err = shell.communicate(None if self.feed else data, timeout=60)
                out += more or b""
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
        while self._link:
            os.close(self._link.pop())
        return subprocess.CompletedProcess(command, shell.returncode, out or b"", err or b"")

    def _fed(self, shell: subprocess.Popen[bytes], data: bytes) -> bytes:
        """Send *data*, and then what is asked for; gives the answer up to the end of it."""
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert self.feed is not None
        shell.stdin.write(data)
        shell.stdin.flush()
        said = b""
        while line := shell.stdout.readline():
            said += line
            if b" want " in line:
                shell.stdin.write(self.feed(line))
                shell.stdin.flush()
        return said

    def run(self, script: Script, secrets: Mapping[str, str] | None = None) -> tuple[Answer, Result]:
        """Run *script*, and read its answer."""
        nonce = "0123456789abcdef"
        done = self.send(payload(script, nonce, {name: Secret(text) for name, text in (secrets or {}).items()}))
        collector = Collector(nonce)
        collector.start()
        collector.feed_out(done.stdout)
        collector.feed_err(done.stderr)
        result = collector.result(done.returncode)
        return read_answer(result), result

    def run_and_kill(self, script: Script, at: int, secrets: Mapping[str, str] | None = None) -> bool:
        """Run *script*, and kill all of it at call number *at*, so between two calls; False when it ended before."""
        self.kill_at = at
        answer, result = self.run(script, secrets)
        self.kill_at = -1
        assert answer.ended == (result.exit_code != -signal.SIGKILL), result
        return not answer.ended

    @property
    def argv(self) -> bytes:
        """The words of all programs that were started."""
        others = self.folder / "others"
        words = b"\0".join(b"\0".join(call.argv) for call in self.calls)
        return words + (others.read_bytes() if others.exists() else b"")

    @property
    def containers(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {seen["Name"][1:]: seen for seen in self.docker.containers.values()}


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until that is so."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def write(file: Path, data: bytes) -> None:
    """Into what another process has open, or an `OSError` where nobody reads it any more."""
    at = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(at, True)
    with os.fdopen(at, "wb") as pipe:
        pipe.write(data)


def syntax_errors(files: list[Path]) -> str:
    """What the shells and shellcheck find wrong in *files*."""
    # These four say that a word in single quotes holds $, ` or quotes: that is what single quotes are for.
    words = "SC1003,SC2016,SC2089,SC2090"
    command = ["shellcheck", "-s", "sh", "-e", words, "-f", "gcc"]
    halves = [half for half in (files[::2], files[1::2]) if half]
    checks = [subprocess.Popen([*command, *map(str, half)], stdout=subprocess.PIPE, text=True) for half in halves]
    found = []
    for check in CHECKS.values():
        for file in files:
            done = subprocess.run([*check, str(file)], capture_output=True, text=True)
            if done.returncode or done.stderr:
                found.append(f"{' '.join(check)} {file.name}: {done.stderr}")
    for running in checks:
        said, _ = running.communicate()
        if running.returncode:
            found.append(said)
    return "\n".join(found)


def clear_locks() -> Iterator[None]:
    """For a fixture: afterwards, the locks of this process's projects are gone."""
    yield
    for file in Path("/dev/shm").glob(f"octossh-{unique()}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()


def forget_runs(run: str) -> None:
    """Take away what the runs named *run* keep in memory, also while something of theirs still takes a note there."""
    for left in range(200, 0, -1):
        taken = subprocess.run(["sh", "-c", f"rm -rf /dev/shm/octossh-run-{run}.*"], check=left == 1)
        if taken.returncode == 0:
            return
        time.sleep(0.05)
