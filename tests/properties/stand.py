"""A host without docker: each script runs in a shell of its own, and `docker_stand_in` answers it."""

from __future__ import annotations

import functools
import marshal
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from octossh.reading import Answer, read_answer
from octossh.shell import Result, Script, Secret, payload
from octossh.transport.framing import Collector

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "ash": ["busybox", "ash"]}
CHECKS = {"sh": ["sh", "-n"], "dash": ["dash", "-n"], "bash": ["bash", "-n"], "ash": ["busybox", "ash", "-n"]}
OTHERS = ("flock", "cat", "sleep", "mktemp", "rm", "base64", "tr", "id")
BRIDGE = {"Id": "b" * 64, "Name": "bridge", "Driver": "bridge", "Labels": {}}


@frozen
class Call:
    """One call of docker: its words, its environment and its standard input, as bytes."""

    argv: tuple[bytes, ...]
    environ: Mapping[bytes, bytes] = field(repr=False)
    stdin: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The command, such as ``network connect``."""
        words = [word.decode(errors="replace") for word in self.argv[:2]]
        return " ".join(words) if words[0] in {"container", "network", "image"} else words[0]


@functools.cache
def unique() -> str:
    """Part of the project names of this process: locks in /dev/shm are shared by all who test on this machine."""
    return f"standin{uuid.uuid4().hex[:12]}"


class Host:
    """A folder with a ``bin`` that has docker in it, and what that docker knows."""

    def __init__(self, folder: Path, shell: str = "dash", **state: Any) -> None:
        self.folder, self.shell = folder, shell
        for name in ("bin", "calls", "home"):
            (folder / name).mkdir(parents=True)
        python = os.path.realpath(sys.executable)
        here = str(Path(__file__).parent)
        stub = f"import sys; sys.path[:] = [{here!r}] + sys.path; import docker_stand_in; docker_stand_in.main(__file__)\n"
        self._program("docker", f"#!{python} -SEs\n{stub}")
        for name in OTHERS:
            real = shutil.which(name)
            record = f'cat "/proc/$$/cmdline" >>"{folder}/others"' if name != "cat" else ":"
            self._program(name, f'#!/bin/sh\n{record}\nexec {real} "$@"\n')
        self.state: dict[str, Any] = {
            "containers": {}, "networks": {BRIDGE["Id"]: BRIDGE}, "images": [], "registry": [], "ways": {}, "noise": False,
            "down": False, "fails": "", "fails_for": "", "kill_at": -1, "kill_when": "before", **state,
        }  # fmt: skip
        self._save()

    def _program(self, name: str, text: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    def curl(self, code: int) -> None:
        """From now on there is a curl, which ends with *code*."""
        self._program("curl", f'#!/bin/sh\ncat "/proc/$$/cmdline" >>"{self.folder}/others"\nexit {code}\n')

    def _save(self) -> None:
        (self.folder / "state").write_bytes(marshal.dumps(self.state))

    def set(self, **state: Any) -> None:
        """Change what docker knows."""
        self.state.update(state)
        self._save()

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.folder / "home")}

    def send(self, data: bytes) -> subprocess.CompletedProcess[bytes]:
        """Run a shell with *data* on its standard input, whatever that is."""
        shutil.rmtree(self.folder / "calls")
        (self.folder / "calls").mkdir()
        done = subprocess.run(
            [*SHELLS[self.shell], "-s"],
            input=data,
            env=self.environ,
            cwd=self.folder / "home",
            capture_output=True,
            start_new_session=True,
            timeout=60,
        )
        self.state = marshal.loads((self.folder / "state").read_bytes())
        return done

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

    def run_and_kill(self, script: Script, at: int, when: str, secrets: Mapping[str, str] | None = None) -> bool:
        """Run *script*, and kill it all before or after call number *at*; False when it ended before that."""
        self.set(kill_at=at, kill_when=when)
        answer, result = self.run(script, secrets)
        self.set(kill_at=-1)
        assert answer.ended == (result.exit_code != -signal.SIGKILL)
        return not answer.ended

    @property
    def calls(self) -> list[Call]:
        """What docker was called with during the last run."""
        made = []
        for file in sorted((self.folder / "calls").iterdir()):
            raw, environ, stdin = marshal.loads(file.read_bytes())
            pairs = (pair.partition(b"=") for pair in environ.split(b"\0") if pair)
            made.append(Call(tuple(raw.split(b"\0")[3:-1]), {name: text for name, _, text in pairs}, stdin))
        return made

    @property
    def raw_argv(self) -> bytes:
        """The words of all programs that have been started so far."""
        others = self.folder / "others"
        return b"\0".join(b"\0".join(call.argv) for call in self.calls) + (others.read_bytes() if others.exists() else b"")

    @property
    def containers(self) -> dict[str, dict[str, Any]]:
        return {seen["Name"][1:]: seen for seen in self.state["containers"].values()}

    @property
    def wrong(self) -> str:
        """What must never be, and was."""
        file = self.folder / "wrong"
        return file.read_text() if file.exists() else ""


def syntax_errors(files: list[Path]) -> str:
    """What the shells and shellcheck find wrong in *files*."""
    # These four say that a word in single quotes holds $, ` or quotes: that is what single quotes are for.
    words = "SC1003,SC2016,SC2089,SC2090"
    found = []
    for check in CHECKS.values():
        for file in files:
            done = subprocess.run([*check, str(file)], capture_output=True, text=True)
            if done.returncode or done.stderr:
                found.append(f"{' '.join(check)} {file.name}: {done.stderr}")
    done = subprocess.run(["shellcheck", "-s", "sh", "-e", words, "-f", "gcc", *map(str, files)], capture_output=True, text=True)
    return "\n".join(found) + done.stdout + done.stderr


def clear_locks() -> Iterator[None]:
    """For a fixture: afterwards, the locks of this process's projects are gone."""
    yield
    for file in Path("/dev/shm").glob(f"octossh-{unique()}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
