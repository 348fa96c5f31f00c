"""Bring up a lab of real SSH + Docker hosts, and use it: for pytest and the demo.

>>> lab = Lab.up(2, rtt_ms=50)              # doctest: +SKIP
>>> lab.hosts                               # doctest: +SKIP
{'h01': '10.77.0.11', 'h02': '10.77.0.12'}
>>> lab.down()                              # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from .images import push_image, push_tags

LAB_SH = Path(__file__).with_name("lab.sh")

Action = Literal["stop", "start", "freeze", "thaw"]
Service = Literal["sshd", "dockerd"]


class LabError(Exception):
    """A lab command that failed: what it was, and what it said."""


@dataclass(frozen=True)
class RegistryAuth:
    """One of the registry's side doors: TLS by the lab's own CA, user and password."""

    server: str
    user: str
    password: str
    ca: Path


def lab_sh(*args: str, name: str | None = None, timeout_s: float = 180) -> str:
    """Run lab.sh; return what it printed on stdout."""
    command = [str(LAB_SH), *(["--name", name] if name else []), *args]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise LabError(f"{shlex.join(command)}: not done after {timeout_s} s") from e
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise LabError(f"{shlex.join(command)}: exit code {done.returncode}: {said}")
    return done.stdout


@dataclass(frozen=True)
class Lab:
    """A lab that is up; as a context manager it goes down at the end."""

    name: str
    state: Path
    net: str
    rtt_ms: float
    registry: str
    registry_auth: RegistryAuth
    registry_token: RegistryAuth
    token_log: Path
    key: Path
    known_hosts: Path
    ssh_config: Path
    hosts: dict[str, str] = field(hash=False)

    @classmethod
    def up(cls, n: int, rtt_ms: float = 0, name: str | None = None, owner: int | None = None, thin: int = 0) -> Self:
        """Bring up (or change) a lab of n hosts; it goes down when the owner, by default we, dies.

        Owner 0 is nobody: such a lab stays until it is taken down.
        """
        name = name or default_name()
        pid = os.getpid() if owner is None else owner
        words = ["up", str(n), "--rtt", f"{rtt_ms:g}", "--thin", str(thin), "--owner", str(pid)]
        lab_sh(*words, name=name, timeout_s=_patience_s(n + thin))
        return cls.named(name)

    @classmethod
    def named(cls, name: str | None = None) -> Self:
        """Return a lab that is up already."""
        name = name or default_name()
        path = Path("/var/lib/octossh-lab", name, "hosts.json")
        try:
            facts = json.loads(path.read_text())
        except FileNotFoundError:
            raise LabError(f"the lab {name!r} is not up") from None
        auth = facts["registry_auth"]
        return cls(
            name=name,
            state=path.parent,
            net=facts["net"],
            rtt_ms=facts["rtt_ms"],
            registry=facts["registry"],
            registry_auth=RegistryAuth(auth["server"], auth["user"], auth["password"], Path(auth["ca"])),
            registry_token=RegistryAuth(facts["registry_token"], auth["user"], auth["password"], Path(auth["ca"])),
            token_log=Path(facts["token_log"]),
            key=Path(facts["key"]),
            known_hosts=Path(facts["known_hosts"]),
            ssh_config=Path(facts["ssh_config"]),
            hosts=facts["hosts"],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.down()

    def _run(self, *args: str) -> str:
        return lab_sh(*args, name=self.name, timeout_s=_patience_s(len(self.hosts)))

    def down(self) -> None:
        """End and remove everything; done already is fine."""
        self._run("down")

    def status(self) -> dict[str, Any]:
        """Return what runs, with memory and CPU per host."""
        facts: dict[str, Any] = json.loads(self._run("status", "--json"))
        return facts

    def sh(self, host: str, command: str) -> str:
        """Run a shell command on a host as root, past SSH; return its stdout."""
        return self._run("sh", host, "sh", "-c", command)

    def ssh_sessions(self, host: str) -> int:
        """Count the exec, shell and sftp channels that this host's sshd has opened so far."""
        return self._count(host, "Starting session")

    def ssh_connections(self, host: str) -> int:
        """Count the logins that this host's sshd has accepted so far."""
        return self._count(host, "Accepted publickey")

    def _count(self, host: str, words: str) -> int:
        return (self.state / "hosts" / host / "log" / "sshd.log").read_text().count(words)

    def clean(self, *hosts: str) -> None:
        """Remove all containers, networks, volumes and anchors on these hosts, or on all."""
        self._run("clean", *hosts)

    def pull(self, *images: str) -> None:
        """Pull images (REPO:TAG, of the lab's registry) on all hosts."""
        self._run("pull", *(f"{self.registry}/{image}" for image in images))

    def rtt(self, ms: float) -> None:
        """Change the delay between here and the hosts; connections live on."""
        self._run("rtt", f"{ms:g}")

    def cut(self, host: str) -> None:
        """Unplug a host's network cable."""
        self._run("cut", host)

    def mend(self, host: str) -> None:
        """Plug it in again."""
        self._run("mend", host)

    def reboot(self, *hosts: str) -> None:
        """Switch hosts off and on again: memory lost, disk kept."""
        self._run("reboot", *hosts)

    def service(self, host: str, service: Service, action: Action) -> None:
        """Stop, start, freeze or thaw a host's sshd or dockerd."""
        self._run({"dockerd": "docker", "sshd": "sshd"}[service], host, action)

    def registry_service(self, action: Action) -> None:
        """Stop, start, freeze or thaw the registry."""
        self._run("registry", action)

    def push(self, repo: str, tag: str, mode: str = "ok") -> str:
        """Push one more image (a mode of images.MODES); return its digest."""
        return push_image(f"http://{self.registry}", repo, tag, mode)

    def push_tags(self, repo: str, count: int) -> str:
        """Push one image under so many tags (images.many_tags), for reading only; return its digest."""
        return push_tags(f"http://{self.registry}", repo, count, self.state / "registry/data")


def _patience_s(hosts: int) -> float:
    """How long a command may take for so many hosts, on a machine that has other things to do."""
    return 180 + 3 * hosts


def default_name() -> str:
    """Return the name that a lab has when none is given."""
    return os.environ.get("OCTOSSH_LAB", "lab")
