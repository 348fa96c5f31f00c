"""Whether a host can be deployed to, by what it tells of itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from attrs import frozen

from octossh.model import Finding, Grade

__all__ = ["Visit", "judge"]

# What the templates of scripts call; the last two only where a health check asks by HTTP.
_TOOLS = {"flock": "util-linux", "base64": "coreutils", "tr": "coreutils", "sed": "sed", "mktemp": "coreutils"}
_OLDEST = (20, 10)
_FEW_KB = 500_000  # less, and the next pull of a common image may not fit
_LOW_KB = 3_000_000
_SKEW_S = 30
_LONG = 400
_FAR_SKEW_S = 300  # registry tokens and certificates begin to fail
_FIRST_USER = 1000  # from this number on, users are people


@frozen(kw_only=True)
class Visit:
    """What a checking script brought back.

    Attributes:
        facts: By name, as ``check.sh.j2`` tells them.
        at: When the host read its clock, by the clock here; aware.
        within_s: By how much *at* may be wrong.
        call: How docker is called there.
        socket: Of its engine, where the target says which.
        registries: Name and address of the registries that it was to ask, in their order.
        watched: Whether a connection to it that falls silent shall be noticed there by others.
    """

    facts: Mapping[str, str]
    at: datetime
    within_s: float = 0.0
    call: tuple[str, ...] = ("docker",)
    socket: str | None = None
    registries: tuple[tuple[str, str], ...] = ()
    watched: bool = False


def judge(target: str, visit: Visit) -> tuple[Finding, ...]:
    """What is well on *target*, and what is not, with what to do."""
    made = (*_system(visit), *_claims(visit), *_docker(visit), *_disk(visit), *_clock(visit), *_registries(visit))
    return tuple(
        Finding(target=target, subject=subject, grade=grade, found=found, advice=advice)
        for subject, grade, found, advice in made
    )


_Row = tuple[str, Grade, str, str]


def _system(visit: Visit) -> Iterator[_Row]:
    facts = visit.facts
    system = facts.get("system", "")
    if system.startswith("Linux "):
        yield "system", Grade.OK, system, ""
    else:
        yield "system", Grade.FAULT, system or "it says nothing of itself", "octossh deploys to Linux hosts only"
    yield "shell", Grade.OK, facts.get("shell", "").rpartition("/")[2] or "a POSIX shell", ""
    missing = [tool for tool in _TOOLS if f"tool.{tool}" not in facts]
    packages = sorted({_TOOLS[tool] for tool in missing})
    if missing:
        yield "tools", Grade.FAULT, f"there is no {', no '.join(missing)}", f"install {' and '.join(packages)}"
    elif not facts.keys() & {"tool.curl", "tool.bash", "tool.wget"}:
        what = "there is no curl, bash or wget"
        yield "tools", Grade.WARNING, what, "install one of them for steps that ask by HTTP whether a container is well"
    else:
        yield "tools", Grade.OK, f"{', '.join(_TOOLS)} are there", ""
    if "memory" not in facts:
        what = "there is no /dev/shm to write to"
        yield "memory", Grade.FAULT, what, "mount a tmpfs there: logins and secrets are kept in memory only"


def _claims(visit: Visit) -> Iterator[_Row]:
    """What may keep deployments from knowing of each other on the host, where several deploy to it."""
    facts = visit.facts
    server = facts.get("session", "")
    gone = "whether whoever deploys is there still after a silence cannot be seen"
    if "hidden" in facts:
        what = f"/proc hides what runs there from other users (hidepid), so {gone}"
        yield "claims", Grade.WARNING, what, "let the group of those who deploy see it: mount /proc with gid=GROUP"
    elif visit.watched and server and not re.match(r"sshd($|-)", server):
        what = f"its SSH server is {server} and not OpenSSH's sshd, so {gone}"
        yield "claims", Grade.WARNING, what, f"let {server} end dead connections by itself, such as after a minute"
    user = facts.get("user", "").partition(" ")[0]
    others = sorted({*facts.get("deployers", "").rpartition(":")[2].split(",")} - {"", "root", user})
    uid = facts.get("uid", "")
    if facts.get("removes") == "b true" and others and uid.isdigit() and int(uid) >= _FIRST_USER:
        yield (
            "claims",
            Grade.WARNING,
            f"what {user} has in /dev/shm goes when {user} logs out, also a lock that keeps {' and '.join(others)} out",
            "where they deploy the same project, set RemoveIPC=no in logind.conf and restart systemd-logind",
        )


def _docker(visit: Visit) -> Iterator[_Row]:
    facts = visit.facts
    user = facts.get("user", "").partition(" ")[0] or "this user"
    command = visit.call[0]
    if f"tool.{command}" not in facts:
        yield (
            "docker",
            Grade.FAULT,
            f"there is no {command} command for {user}",
            f"install {command}, or put it on the PATH",
        )
        return
    if "docker.silent" in facts:
        what = f"the docker daemon did not answer within {facts['docker.silent']} s"
        yield "docker", Grade.FAULT, what, "look at its log: journalctl -u docker"
        return
    if facts.get("docker.name", "").startswith("podman"):
        what = f"it is podman's own command ({facts['docker.name']}), which answers otherwise than docker's"
        yield "docker", Grade.FAULT, what, _PODMAN
        return
    if error := facts.get("docker.error"):
        yield (
            "docker",
            Grade.FAULT,
            f"docker does not answer {user}: {_end_of(error)}",
            _docker_advice(error, user, visit),
        )
        return
    client, server, system, arch, *parts = [*facts.get("docker", "").split(), "", "", "", ""]
    found = f"client {client}, server {server} on {system}/{arch}"
    if "Podman" in parts:
        what = f"client {client}, and podman {server} for an engine on {system}/{arch}"
        yield "docker", Grade.WARNING, what, "most steps work with it; see which in 'A host for octossh'"
    elif system != "linux":
        what = f"the docker engine runs {system or 'unknown'} containers"
        yield "docker", Grade.FAULT, what, "octossh deploys Linux containers: give a Linux host, reached over SSH"
    elif _number(client) < _OLDEST or _number(server) < _OLDEST:
        yield "docker", Grade.WARNING, found, "this is older than 20.10, with which nothing was tried; update it"
    else:
        yield "docker", Grade.OK, found, ""


_PODMAN = "install docker's command (docker-cli), start podman.socket, and say so: docker_host='unix:///run/podman/podman.sock'"


def _docker_advice(error: str, user: str, visit: Visit) -> str:
    if error.startswith("sudo:") or "not allowed to execute" in error:
        said = visit.call[-1]
        path = said if said.startswith("/") else visit.facts.get("tool.docker", "/usr/bin/docker")
        return f"let {user} call docker without a password: {user} ALL=(root) NOPASSWD: {path}"
    if visit.socket:
        return f"see whether the engine listens at {visit.socket}, and {user} may write to it"
    if "permission denied" in error.lower():
        return (
            f"add {user} to the group docker: sudo usermod -aG docker {user}; or log in as one who may talk to docker"
        )
    if "Cannot connect to the Docker daemon" in error or "connection refused" in error.lower():
        return "start docker: systemctl start docker; or see which DOCKER_HOST the user's login sets"
    return "run 'docker version' there to see more"


def _end_of(text: str) -> str:
    return text if len(text) <= _LONG else f"... {text[-_LONG:].partition(' ')[2]}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _disk(visit: Visit) -> Iterator[_Row]:
    words = visit.facts.get("disk", "").split()
    if len(words) < 6 or not words[1].isdigit() or not words[3].isdigit():
        return
    all_kb, free_kb = int(words[1]), int(words[3])
    found = f"{free_kb / 1e6:.1f} of {all_kb / 1e6:.1f} GB are free in {words[5]}, where docker keeps its data"
    if free_kb < _FEW_KB:
        yield "disk", Grade.FAULT, found, "make room: docker image prune"
    elif free_kb < _LOW_KB or free_kb < all_kb * 0.05:
        yield "disk", Grade.WARNING, found, "make room before long"
    else:
        yield "disk", Grade.OK, found, ""


def _clock(visit: Visit) -> Iterator[_Row]:
    text = visit.facts.get("time", "")
    if not text.isdigit():
        return
    off_s = int(text) - visit.at.timestamp()
    # A second, since the host's clock was read in whole ones.
    if abs(off_s) <= _SKEW_S + visit.within_s + 1:
        yield "clock", Grade.OK, "it agrees with the clock here", ""
        return
    found = f"it is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} the clock here"
    grade = Grade.FAULT if abs(off_s) > _FAR_SKEW_S + visit.within_s else Grade.WARNING
    yield "clock", grade, found, "set the clocks by NTP: certificates and logins of registries depend on them"


def _registries(visit: Visit) -> Iterator[_Row]:
    for number, (name, address) in enumerate(visit.registries):
        subject = f"registry {name}"
        said = visit.facts.get(f"registry.{number}", "")
        if re.fullmatch(r"[1-4]\d\d", said):
            yield subject, Grade.OK, f"{address} answers", ""
        elif re.fullmatch(r"5\d\d", said):
            yield subject, Grade.WARNING, f"{address} answers with HTTP status {said}", "look at its log"
        elif "tool.curl" not in visit.facts and "tool.wget" not in visit.facts:
            yield subject, Grade.WARNING, f"{address} was not asked", "install curl or wget to have it asked"
        else:
            reason = re.sub(r"^000|000$|curl: \(\d+\) ", "", said).strip() or "no answer"
            yield subject, Grade.FAULT, f"{address} cannot be reached: {reason}", "see DNS, routes and firewalls there"
