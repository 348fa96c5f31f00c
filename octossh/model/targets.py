"""Hosts that octossh may reach, and the environments that they stand in."""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, Pairs, check_name, named, of, sorted_names, telling, unique_names, words
from octossh.model.rollout import Rollout
from octossh.shell import MASK

__all__ = ["CONTROLLER", "Environment", "Target", "veiled"]

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]*")
_PIN = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|[a-z0-9@.-]+ [A-Za-z0-9+/]{24,}={0,2}")
_HOP = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.@\\-]*@)?([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


@frozen
class Environment(Described):
    """A place in a lifecycle, such as Test or Production.

    Attributes:
        name: Unique in its space.
        rollout: How deployments go over its hosts; None: as the project says.
    """

    name: str = field(validator=named("environment"))
    rollout: Rollout | None = field(default=None, kw_only=True, validator=of(Rollout, optional=True))

    def __str__(self) -> str:
        return self.name


def veiled(value: object) -> str:
    """*value* as messages show it: without what may be a password, behind the first colon or a blank."""
    text = value if isinstance(value, str) else repr(value)
    shown = re.sub(r"(:(?!//)|(?<=\S)\s+(?=\S)).*", lambda found: found[1] + MASK, text, flags=re.DOTALL)
    return repr(shown) if isinstance(value, str) else shown


def _name(_instance: Target, _attribute: Any, name: Any) -> None:
    if isinstance(name, str) and ":" in name and "@" in name:
        raise ModelError(
            f"target {veiled(name)}: that is a login; give a name such as 'h01', the host as address, who logs in as "
            "user, and a password to the transport"
        )
    check_name(name, "target")


def _address(instance: Target, _attribute: Any, address: Any) -> None:
    if not isinstance(address, str) or not address:
        raise ModelError(f"target {instance.name!r} has no address; give a host name or an IP address")
    try:
        # A zone (fe80::1%eth0) may be any text for Python, and here it may get into a ProxyCommand.
        good = _ZONE.fullmatch(getattr(ipaddress.ip_address(address), "scope_id", None) or "")
    except ValueError:
        good = _HOST.fullmatch(address)
    if not good:
        raise ModelError(
            f"target {instance.name!r}: {veiled(address)} is neither a host name nor an IP address; "
            "the user and the port have fields of their own"
        )


def _port(instance: Target, _attribute: Any, port: Any) -> None:
    if port is None:
        return
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise ModelError(
            f"target {instance.name!r}: port {veiled(port)} is not a number from 1 to 65535; leave it out for 22"
        )


def _user(instance: Target, _attribute: Any, user: Any) -> None:
    if user is not None and (not isinstance(user, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?", user)):
        raise ModelError(
            f"target {instance.name!r}: {veiled(user)} is not a user name; give one such as 'deploy', or leave it out"
        )


def _call(value: Any) -> tuple[str, ...]:
    """Words of a command, or one text of them as one writes it in a shell."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            raise ModelError(f"{veiled(value)} has a quote without its other half; write a list of words") from None
    return words(value)


def _docker(instance: Target, _attribute: Any, call: tuple[str, ...]) -> None:
    if not call:
        raise ModelError(f"target {instance.name!r}: docker has no words; leave it out for 'docker'")
    for word in call:
        if not re.fullmatch(r"[A-Za-z0-9_./:=@%+,-]+", word):
            raise ModelError(
                f"target {instance.name!r}: {veiled(word)} cannot be part of how docker is called; give words such as "
                "['sudo', '-n', 'docker']"
            )
    if call[0].startswith("-") or "=" in call[0]:
        raise ModelError(f"target {instance.name!r}: {veiled(call[0])} is no command; give one such as 'docker' first")
    if call[0].rpartition("/")[2] == "sudo" and "-n" not in call and "--non-interactive" not in call:
        raise ModelError(
            f"target {instance.name!r}: nobody is there to type a password for sudo; write ['sudo', '-n', 'docker']"
        )


def _images(instance: Target, _attribute: Any, way: Any) -> None:
    if way not in ("pull", "push"):
        raise ModelError(
            f"target {instance.name!r}: images {veiled(way)} is no way for images to come there; give 'pull' or 'push'"
        )


def _sudo(instance: Target, _attribute: Any, sudo: Any) -> None:
    if not isinstance(sudo, bool):
        raise ModelError(
            f"target {instance.name!r}: sudo is a {type(sudo).__name__}; "
            "give True or False, and the password to the transport"
        )
    if sudo and instance.images == "push":
        raise ModelError(
            f"target {instance.name!r}: images cannot be sent through sudo; give docker=['sudo', '-n', 'docker'] there"
        )


def _docker_host(instance: Target, _attribute: Any, host: Any) -> None:
    if host is not None and (not isinstance(host, str) or not re.fullmatch(r"unix:///[A-Za-z0-9_./@%+,-]+", host)):
        raise ModelError(
            f"target {instance.name!r}: docker_host {veiled(host)} is no socket on that host; give one such as "
            "'unix:///run/user/1000/docker.sock'"
        )


def _pins(value: Any) -> tuple[str, ...]:
    """One key or fingerprint, or several."""
    return unique_names((value,) if isinstance(value, str) else value)


def _host_key(instance: Target, _attribute: Any, pins: tuple[str, ...]) -> None:
    for pin in pins:
        if not _PIN.fullmatch(pin):
            raise ModelError(
                f"target {instance.name!r}: {pin[:80]!r} is no host key; give its fingerprint as ssh-keygen -l prints "
                "it, 'SHA256:' and 43 characters, or the key itself, such as 'ssh-ed25519 AAAA...'"
            )


def _jump(instance: Target, _attribute: Any, jump: Any) -> None:
    if jump is None:
        return
    if not isinstance(jump, str) or not all(_HOP.fullmatch(hop) for hop in jump.split(",")):
        raise ModelError(
            f"target {instance.name!r}: jump {veiled(jump)} names no hosts to go through; give one such as "
            "'deploy@bastion.example.com:22', several with commas between them, or 'none'"
        )


def _labels(value: Any) -> Pairs[str]:
    pairs: Pairs[Any] = Pairs(value)
    for name, text in pairs.items():
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", name) or name in {"role", "gateway"}:
            raise ModelError(f"label {name!r}: a name is letters, digits and _./-, and neither 'role' nor 'gateway'")
        if not isinstance(text, str) or not text.strip() or "\n" in text:
            raise ModelError(f"label {name}: {text!r} is no text on one line; put it in quotes")
    return pairs


@frozen(field_transformer=telling)
class Target(Described):
    """A Linux host with a docker CLI and a POSIX shell.

    Attributes:
        name: What it is called in plans and records.
        address: Host name or IP address.
        user: Who logs in there. None: the user of the transport, else as ssh's configuration says.
        port: Of its SSH server. None: as ssh's configuration says, else 22.
        host_key: The only host keys that are accepted there, whatever known_hosts has but for what it revokes:
            fingerprints (``SHA256:...``) or keys (``ssh-ed25519 AAAA...``); one text, or a list. A fingerprint is of
            one key: where a host has several, give that of the key which the host shows first, or the keys themselves.
        jump: The hosts to go through, as ssh's ``ProxyJump`` has them: ``deploy@bastion.example.com:22``, several with
            commas between them, or ``none``. None: as ssh's configuration says.
        roles: What it is for; steps choose their targets by role.
        environments: Where it stands.
        docker: How docker is called there: its name or path, or with what stands before it, such as
            ``["sudo", "-n", "docker"]``; ``podman`` where that takes its place.
        docker_host: The socket of its engine, such as ``unix:///run/user/1000/docker.sock`` of a rootless one.
            None: as the login of the user says, else docker's own.
        images: How images come there. ``"pull"``: docker there pulls them. ``"push"``: octossh gets them from the
            registry and sends them over the same connection as the script, for hosts that reach no registry.
        sudo: Whether all that is done there is done as root, by sudo. The password that sudo asks for is the
            ``sudo_password`` of the transport.
        labels: What else there is to know, such as ``{"rack": "r1"}``; `Rolling` and ``primary`` of steps go by them.
        maintenance: Why nothing is deployed there for now; empty: it is as the others. See `Space.maintain`.
    """

    name: str = field(validator=_name)
    address: str = field(validator=_address)
    user: str | None = field(default=None, kw_only=True, validator=_user)
    port: int | None = field(default=None, kw_only=True, validator=_port)
    host_key: tuple[str, ...] = field(default=(), kw_only=True, converter=_pins, validator=_host_key)
    jump: str | None = field(default=None, kw_only=True, validator=_jump)
    roles: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    environments: tuple[str, ...] = field(default=(), kw_only=True, converter=unique_names)
    docker: tuple[str, ...] = field(default=("docker",), kw_only=True, converter=_call, validator=_docker)
    docker_host: str | None = field(default=None, kw_only=True, validator=_docker_host)

    images: str = field(default="pull", kw_only=True, validator=_images)
    sudo: bool = field(default=False, kw_only=True, validator=_sudo)
    labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=_labels)
    maintenance: str = field(default="", kw_only=True, validator=of(str))

    @property
    def bare(self) -> bool:
        """Whether docker is started as it is, and so gets the environment: sudo and its like hand on none."""
        return len(self.docker) == 1

    def __str__(self) -> str:
        return self.name


CONTROLLER = Target("(controller)", "localhost")
"""The machine that deploys, in the place of a target: where steps run that are for no host."""
