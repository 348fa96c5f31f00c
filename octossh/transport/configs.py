"""What ssh's own configuration says of a host: asked of ssh itself, or read by paramiko where there is no ssh."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from octossh.errors import ConnectError, ModelError

__all__ = ["OFF", "Configuration", "Options", "home_differs", "of_home"]

Options = Mapping[str, tuple[str, ...]]
"""Values by the name of their option in small letters; those that may stand several times have several."""

OFF: Options = {}
_ASK_S = 10.0
_SYSTEM = "/etc/ssh/ssh_config"
_WORDS = ("userknownhostsfile", "globalknownhostsfile")
_READ = re.compile(r"^debug1: Reading configuration data (?P<file>.+?)\s*$", re.MULTILINE)
_REMARK = re.compile(r"^(debug1: |OpenSSH_|Pseudo-terminal ).*\n?", re.MULTILINE)
_VERSION = re.compile(r"^(debug1: )?OpenSSH_", re.MULTILINE)  # from 10.0 on it is a remark
_ADDRESS = re.compile(r":|(^|\.)([0-9]+|0x[0-9a-f]*)$")
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._:-]*")
_NO_PLAIN_NAME = re.compile(r"^\.|[/%]")  # in a pattern: what it matches is none
_STDIN = "/dev/stdin"

_Asked = tuple[str, str | None, int | None]


class Configuration:
    """Asks once about each host, and remembers the answers; about all at once where nothing tells hosts apart.

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
        self._asking: dict[_Asked, threading.Lock] = {}
        self._answers: dict[_Asked, Options] = {}
        self._first: dict[tuple[str | None, int | None], _Answer] = {}

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
            of_all = self._asking.setdefault(("", user, port), threading.Lock())
        with alone:  # about each host once, and about all of them beside each other
            if asked in self._answers:
                return self._answers[asked]
            with of_all:
                if (first := self._first.get((user, port))) is None:
                    # Where it fails, the others are not held up by it once more.
                    self._first[user, port] = _Answer("", OFF, alike=False)
                    first = self._first[user, port] = self._ask(asked)
            found = first.of(host)
            self._answers[asked] = self._ask(asked).options if found is None else found
            return self._answers[asked]

    def _ask(self, asked: _Asked) -> _Answer:
        if ssh := shutil.which("ssh"):
            return _ask_ssh(ssh, self.file, *asked)
        return _Answer(asked[0], _ask_paramiko(self._files(), *asked), alike=False)

    def _files(self) -> tuple[str, ...]:
        return (self.file,) if self.file else (str(Path("~/.ssh/config").expanduser()), _SYSTEM)


@frozen
class _Answer:
    """What is said of one host, and whether it would be said of any other one as well."""

    host: str
    options: Options
    alike: bool

    def of(self, host: str) -> Options | None:
        """What is said of *host*; None where it has to be asked about by itself."""
        if host == self.host:
            return self.options
        plain = _stays_as_it_is(host) and _stays_as_it_is(self.host) and self.options.get("hostname") == (self.host,)
        if not (self.alike and plain):
            return None
        return {**self.options, "hostname": (host,)}


def _stays_as_it_is(host: str) -> bool:
    """Whether ssh would not write *host* in another way, as it does with capital letters and with addresses."""
    if not _PLAIN_NAME.fullmatch(host):
        return False
    if not _ADDRESS.search(host):
        return True
    try:
        return str(ipaddress.IPv4Address(host)) == host  # how to write those of IPv6 is up to ssh
    except ValueError:
        return False


def _alike(remarks: str) -> bool:
    """Whether what the files say that ssh remarks on is the same for all hosts. An ssh that is mute may read any."""
    if not _VERSION.search(remarks):
        return False
    files = _READ.findall(remarks)
    try:
        texts = [Path(file).read_text(encoding="utf-8", errors="replace") for file in files if file != _STDIN]
    except OSError:
        return False
    return all(map(_says_it_of_all, texts))


def _says_it_of_all(text: str) -> bool:
    """Whether a file says the same of all hosts with a plain name."""
    of_others = False
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        words = line.replace("=", " ", 1).lower().split()
        if words[0] in ("host", "match"):
            # Systemd brings such a section for its machines, "Host unix/* vsock/*", to each new system.
            of_others = words[0] == "host" and all(map(_NO_PLAIN_NAME.search, words[1:]))
            if not of_others and words not in (["host", "*"], ["match", "all"]):
                return False
        elif words[0].startswith('"') or not (of_others or _is_as_it_stands(words[0], line)):
            return False
    return True


def _is_as_it_stands(name: str, line: str) -> bool:
    # ssh fills in or looks up some things for each host; a path for sockets is none that counts here.
    asks = name == "hostname" or name.startswith("canonical") or "%" in line or "$" in line
    return not asks or name in ("controlpath", "sendenv", "setenv")


def home_differs() -> bool:
    """Whether HOME is not the home folder that the system knows, which ssh would look into all the same."""
    import pwd

    try:
        return Path("~").expanduser() != Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (KeyError, RuntimeError):
        return False


def _ask_ssh(ssh: str, file: str, host: str, user: str | None, port: int | None) -> _Answer:
    command = [ssh, "-v", "-G"]  # it names the files that it reads
    command += ["-l", user] if user else []
    command += ["-p", str(port)] if port else []
    with tempfile.TemporaryFile() as own:
        if file:
            command += ["-F", file]
        elif home_differs():
            # ssh would read the files of another home: those of HOME take their place.
            own.write(of_home().encode())
            own.seek(0)
            command += ["-F", _STDIN]
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
    remarks = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        said = " ".join(_REMARK.sub("", remarks).split()) or f"exit code {done.returncode}"
        raise ConnectError(
            f"{host}: ssh does not take its own configuration: {said}. Correct it there, or do without it: config=False"
        )
    return _Answer(host, _parsed(done.stdout.decode("utf-8", "replace")), _alike(remarks))


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
