"""What ssh's own configuration says of a host: asked of ssh itself, or read by paramiko where there is no ssh."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from octossh.errors import ConnectError, ModelError

__all__ = ["OFF", "Configuration", "Options", "home_differs", "of_home"]

Options = Mapping[str, tuple[str, ...]]
"""Values by the name of their option in small letters; those that may stand several times have several."""

OFF: Options = {}
_ASK_S = 10.0
_SYSTEM = "/etc/ssh/ssh_config"
_WORDS = ("userknownhostsfile", "globalknownhostsfile")


class Configuration:
    """Asks once about each host, and remembers the answers.

    Args:
        file: The file to read, and no other. True: those that ssh reads. False: none.

    Raises:
        ModelError: There is no such file.
    """

    def __init__(self, file: bool | str | Path) -> None:
        self.on = file is not False
        self.file = "" if isinstance(file, bool) else str(Path(file).expanduser())
        if self.file and not Path(self.file).is_file():
            raise ModelError(f"there is no file {self.file} with a configuration of ssh; give another path, or False")
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, str | None, int | None], threading.Lock] = {}
        self._answers: dict[tuple[str, str | None, int | None], Options] = {}

    def about(self, host: str, user: str | None = None, port: int | None = None) -> Options:
        """What it says of *host*; a user and a port that are given take the place of those in it.

        Raises:
            ConnectError: It cannot be read, or ssh does not take it.
        """
        if not self.on:
            return OFF
        asked = (host, user, port)
        with self._lock:
            alone = self._asking.setdefault(asked, threading.Lock())
        with alone:  # about each host once, and about all of them beside each other
            if asked not in self._answers:
                ssh = shutil.which("ssh")
                self._answers[asked] = _ask_ssh(ssh, self.file, *asked) if ssh else _ask_paramiko(self._files(), *asked)
            return self._answers[asked]

    def _files(self) -> tuple[str, ...]:
        return (self.file,) if self.file else (str(Path("~/.ssh/config").expanduser()), _SYSTEM)


def home_differs() -> bool:
    """Whether HOME is not the home folder that the system knows, which ssh would look into all the same."""
    import pwd

    try:
        return Path("~").expanduser() != Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (KeyError, RuntimeError):
        return False


def _ask_ssh(ssh: str, file: str, host: str, user: str | None, port: int | None) -> Options:
    command = [ssh, "-G"]
    command += ["-l", user] if user else []
    command += ["-p", str(port)] if port else []
    with tempfile.TemporaryFile() as own:
        if file:
            command += ["-F", file]
        elif home_differs():
            # ssh would read the files of another home: those of HOME take their place.
            own.write(of_home().encode())
            own.seek(0)
            command += ["-F", "/dev/stdin"]
        try:
            done = subprocess.run(  # noqa: S603 - ssh itself
                [*command, "--", host], stdin=own, capture_output=True, timeout=_ASK_S, check=False,
                env={**os.environ, "LC_ALL": "C"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ConnectError(
                f"{host}: ssh did not say within {_ASK_S:g} s what its configuration has of it; see what "
                f"'ssh -G {host}' waits for, such as a 'Match exec'"
            ) from None
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split()) or f"exit code {done.returncode}"
        raise ConnectError(
            f"{host}: ssh does not take its own configuration: {said}. Correct it there, or do without it: config=False"
        )
    return _parsed(done.stdout.decode("utf-8", "replace"))


def of_home() -> str:
    """A configuration that reads the files of HOME, and then those of the system."""
    home = Path("~/.ssh").expanduser()
    return (
        f'Include "{home}/config"\nMatch all\nInclude {_SYSTEM}\nMatch all\n'
        f'UserKnownHostsFile "{home}/known_hosts" "{home}/known_hosts2"\n'
    )


def _parsed(text: str) -> Options:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        name = name.lower()
        found[name] = (*found.get(name, ()), *(_words(value) if name in _WORDS else (value,)))
    return found


def _words(value: str) -> Iterator[str]:
    try:
        yield from shlex.split(value)
    except ValueError:
        yield from value.split()


def _ask_paramiko(files: tuple[str, ...], host: str, user: str | None, port: int | None) -> Options:
    import paramiko

    config = paramiko.SSHConfig()
    for name in files:
        try:
            text = Path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        _refuse_what_only_ssh_reads(name, text)
        try:
            config.parse(iter(text.splitlines()))
        except Exception as error:
            raise ConnectError(f"{host}: {name} cannot be read: {error}; correct it there") from error
    try:
        entry = config.lookup(host)
    except Exception as error:
        raise ConnectError(f"{host}: {' or '.join(files)} cannot be read: {error}; correct it there") from error
    raw: dict[str, Any] = dict(entry)
    found = {name: tuple(value) if isinstance(value, list) else (str(value),) for name, value in raw.items()}
    for name in found.keys() & set(_WORDS):
        found[name] = tuple(word for value in found[name] for word in _words(value))
    found |= {"user": (user,)} if user else {}
    found |= {"port": (str(port),)} if port else {}
    return found


def _refuse_what_only_ssh_reads(name: str, text: str) -> None:
    """Say so, since paramiko passes over Include, and takes a Match that it does not know for one that holds."""
    for number, line in enumerate(text.splitlines(), 1):
        word = line.strip().partition(" ")[0].partition("=")[0].lower()
        if word in ("include", "match"):
            raise ConnectError(
                f"{name}, line {number}: {word.capitalize()} is understood by ssh alone, and there is no ssh on this "
                "machine; install it (openssh-client), or do without this configuration: config=False"
            )
