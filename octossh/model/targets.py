"""Hosts that octossh may reach, and the environments that they stand in."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, named, sorted_names, telling, unique_names

__all__ = ["CONTROLLER", "Environment", "Target"]

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")


@frozen
class Environment(Described):
    """A place in a lifecycle, such as Test or Production."""

    name: str = field(validator=named("environment"))

    def __str__(self) -> str:
        return self.name


def _address(instance: Target, _attribute: Any, address: Any) -> None:
    if not isinstance(address, str) or not address:
        raise ModelError(f"target {instance.name!r} has no address; give a host name or an IP address")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        if not _HOST.fullmatch(address):
            raise ModelError(
                f"target {instance.name!r}: {address!r} is neither a host name nor an IP address; "
                "the user and the port have fields of their own"
            ) from None


def _port(instance: Target, _attribute: Any, port: Any) -> None:
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise ModelError(
            f"target {instance.name!r}: port {port!r} is not a number from 1 to 65535; leave it out for 22"
        )


def _user(instance: Target, _attribute: Any, user: Any) -> None:
    if user is not None and (not isinstance(user, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?", user)):
        raise ModelError(
            f"target {instance.name!r}: {user!r} is not a user name; give one such as 'deploy', or leave it out"
        )


@frozen(field_transformer=telling)
class Target(Described):
    """A Linux host with a docker CLI and a POSIX shell.

    Attributes:
        name: What it is called in plans and records.
        address: Host name or IP address.
        user: Who logs in there. None: the user of the transport.
        port: Of its SSH server.
        roles: What it is for; steps choose their targets by role.
        environments: Where it stands.
    """

    name: str = field(validator=named("target"))
    address: str = field(validator=_address)
    user: str | None = field(default=None, kw_only=True, validator=_user)
    port: int = field(default=22, kw_only=True, validator=_port)
    roles: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    environments: tuple[str, ...] = field(default=(), kw_only=True, converter=unique_names)

    def __str__(self) -> str:
        return self.name


CONTROLLER = Target("(controller)", "localhost")
"""The machine that deploys, in the place of a target: where steps run that are for no host."""
