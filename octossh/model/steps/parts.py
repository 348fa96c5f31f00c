"""Values inside of the steps that make containers: mounts, networks to join, health checks."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of, words
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import MAY_BE_SECRET, SHELL, Part
from octossh.model.steps.fields import check_content, check_host_name, check_network_name, option_pairs, seconds
from octossh.model.steps.flagging import flag, flags, normalised, text
from octossh.model.steps.normal import address, argument, number, one_of, plain, size, target_of
from octossh.templating import has_expression

__all__ = [
    "ConfigFile",
    "HealthCheck",
    "Join",
    "Mount",
    "SecretFile",
    "config_files",
    "joins",
    "mounts",
    "secret_files",
]

_TYPE = one_of("bind", "volume", "tmpfs")
_PROPAGATION = one_of("rprivate", "private", "shared", "rshared", "slave", "rslave")


def _owner(given: str) -> str:
    if not re.fullmatch(r"\d{1,7}(:\d{1,7})?", given):
        raise ModelError(f"{given!r} is not an owner; write '1000' or '1000:1000', since names are the container's own")
    user, _, group = given.partition(":")
    return f"{int(user)}:{int(group or user)}"


_OCTAL = argument(r"0?[0-7]{3,4}", "a mode in octal, such as '0700'")


@frozen(field_transformer=normalised)
class Mount(Part):
    """What docker mounts into a container, one for each ``--mount``.

    Attributes:
        target: Where in the container.
        type: ``bind`` (a path of the host, which must be there), ``volume`` or ``tmpfs``.
        source: The path on the host, or the name of the volume; a volume without one is empty in each new container.
        read_only: The container cannot write there.
        propagation: Of a bind: ``rprivate`` (docker's default), ``private``, ``shared``, ``rshared``, ``slave``
            or ``rslave``.
        volume_driver: Makes the volume where there is none of that name.
        volume_options: Of that driver, by name.
        volume_nocopy: A new volume starts empty, without what the image has there.
        tmpfs_size: The most that a tmpfs may hold, such as ``64m``.
        tmpfs_mode: Of the tmpfs, in octal; docker's default is 1777.
    """

    target: str = field(converter=text, validator=of(str), metadata=flag("target", target_of))
    type: str = field(default="volume", kw_only=True, converter=text, metadata=flag("type", _TYPE))
    source: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("source", plain))
    read_only: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("readonly"))
    propagation: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("bind-propagation", _PROPAGATION)
    )
    volume_driver: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("volume-driver", plain))
    volume_options: Pairs[str] = field(factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("volume-opt"))
    volume_nocopy: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("volume-nocopy"))
    tmpfs_size: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("tmpfs-size", size))
    tmpfs_mode: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("tmpfs-mode", _OCTAL))

    def __attrs_post_init__(self) -> None:
        own = {"bind": ("propagation",), "tmpfs": ("tmpfs_size", "tmpfs_mode"),
               "volume": ("volume_driver", "volume_options", "volume_nocopy")}  # fmt: skip
        for kind, names in own.items():
            if kind != self.type and (given := next((name for name in names if getattr(self, name)), None)):
                raise ModelError(f"mount at {self.target}: {given} is for type {kind!r}, and this one is {self.type!r}")
        if self.type == "bind" and not (self.source or "").startswith(("/", "{")):
            raise ModelError(f"mount at {self.target}: a bind needs an absolute path of the host as its source")
        if self.type == "tmpfs" and self.source:
            raise ModelError(f"mount at {self.target}: a tmpfs has no source; leave it out")

    def __str__(self) -> str:
        """As ``--mount`` takes it."""
        cells = []
        for name, made in flags(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, Pairs):
                cells += [f"{made.name}={key}={item}" for key, item in value.items()]
            elif value:
                cells.append(made.name if value is True else f"{made.name}={value}")
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(cells)
        return line.getvalue()


def mounts(value: Any) -> tuple[Mount, ...]:
    """A list of mounts."""
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    if wrong := [item for item in items if not isinstance(item, Mount)]:
        raise ModelError(f"{wrong[0]!r} is not an octossh.Mount; write octossh.Mount('/in/container', source='name')")
    return items


@frozen(field_transformer=normalised)
class Join(Part):
    """A network that a container joins, with what it is called and which address it has there.

    Attributes:
        network: Its name.
        aliases: Names by which other containers there find it.
        ip: Its IPv4 address there; the network needs a subnet of its own.
        ip6: Its IPv6 address there.
    """

    network: str = field(validator=checked(check_network_name), metadata=flag("--network"))
    aliases: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, validator=checked(check_host_name), metadata=flag("--network-alias")
    )
    ip: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--ip", address))
    ip6: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--ip6", address))

    def __attrs_post_init__(self) -> None:
        if self.ip and ":" in self.ip:
            raise ModelError(f"network {self.network}: {self.ip} is an IPv6 address; write ip6={self.ip!r}")
        if self.ip6 and ":" not in self.ip6 and "{" not in self.ip6:
            raise ModelError(f"network {self.network}: {self.ip6} is an IPv4 address; write ip={self.ip6!r}")

    def words(self, alias: str, more: tuple[str, ...] = ()) -> list[str]:
        """Options for joining it; *alias* is docker's option for  *more* are aliases in all networks."""
        names = dict.fromkeys([*more, *self.aliases])
        words = [word for name in names for word in (alias, name)]
        words += ["--ip", self.ip] if self.ip else []
        return words + (["--ip6", self.ip6] if self.ip6 else [])

    def __str__(self) -> str:
        """The name, and what is special there."""
        return " ".join([self.network, *self.words("--alias")])


def joins(value: Any) -> tuple[str | Join, ...]:
    """Networks: names, and `Join` where there is more to say than the name."""
    if isinstance(value, str | Join):
        raise ModelError(f"it takes a list of networks; write [{str(value)!r}]")
    try:
        items = tuple(value)
    except TypeError:
        raise ModelError(f"it takes a list of networks, not {value!r}; write ['name']") from None
    made: list[str | Join] = []
    for item in items:
        if not isinstance(item, str | Join):
            raise ModelError(f"{item!r} is not the name of a network; put it in quotes, or write octossh.Join(...)")
        made.append(item.network if isinstance(item, Join) and item == Join(item.network) else item)
    return tuple(made)


@frozen(field_transformer=normalised)
class SecretFile(Part):
    """A secret as a file inside of a container: it stands in the memory of the host, and nowhere on its disk.

    Attributes:
        secret: `octossh.secret`, or the expression of a variable that is one.
        owner: Numbers of user and group.
        mode: In octal; docker's own secrets have this one, too: everybody in the container may read it.
    """

    secret: str | SecretRef = field(metadata=MAY_BE_SECRET)
    owner: str = field(default="0:0", kw_only=True, converter=text, metadata=flag("uid", _owner))
    mode: str = field(default="0444", kw_only=True, converter=text, metadata=flag("mode", _OCTAL))

    @secret.validator
    def _check_secret(self, _attribute: object, secret: object) -> None:
        if not isinstance(secret, SecretRef) and not (isinstance(secret, str) and has_expression(secret)):
            raise ModelError("a secret file is made of a secret, not of text; write octossh.secret('NAME')")


@frozen(field_transformer=normalised)
class ConfigFile(Part):
    """A text as a file inside of a container.

    Attributes:
        content: At most 1 MiB; `octossh.read_text` reads it from a file of this machine.
        owner: Numbers of user and group.
        mode: In octal.
    """

    content: str = field(repr=False, validator=of(str, hidden=True))
    owner: str = field(default="0:0", kw_only=True, converter=text, metadata=flag("uid", _owner))
    mode: str = field(default="0644", kw_only=True, converter=text, metadata=flag("mode", _OCTAL))

    @content.validator
    def _check_content(self, _attribute: object, content: str) -> None:
        check_content(content)


def config_files(value: Any) -> Pairs[ConfigFile]:
    """Paths in a container, each with a text."""
    made = {}
    for place, item in Pairs[Any](value).items():
        if isinstance(item, SecretRef):
            raise ModelError(f"{place}: a secret does not go to a disk; write secret_files={{{place!r}: ...}}")
        made[target_of(place)] = item if isinstance(item, ConfigFile) else ConfigFile(item)
    return Pairs(made)


def secret_files(value: Any) -> Pairs[SecretFile]:
    """Paths in a container, each with a secret."""
    made = {}
    for place, item in Pairs[Any](value).items():
        made[target_of(place)] = item if isinstance(item, SecretFile) else SecretFile(item)
    return Pairs(made)


def _seconds(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None:
        seconds(instance, attribute, value)


@frozen(field_transformer=normalised)
class HealthCheck(Part):
    """A health check that docker runs inside of the container, in place of the image's own HEALTHCHECK.

    Attributes:
        cmd: Shell text that the container's ``/bin/sh`` runs; exit code 0 is healthy. None: the image's own
            command, with other times.
        interval_s: Seconds between two checks; docker's default is 30.
        timeout_s: Seconds that one may take; docker's default is 30.
        retries: Failures in a row that make it unhealthy; docker's default is 3.
        start_period_s: Seconds in which failures do not count; docker's default is 0.
        start_interval_s: Seconds between two checks during that period (docker 25); docker's default is 5.
    """

    cmd: str | None = field(
        default=None, validator=of(str, optional=True), metadata=flag("--health-cmd", metadata=SHELL)
    )
    interval_s: float | None = field(
        default=None, kw_only=True, validator=_seconds, metadata=flag("--health-interval", form="{:g}s")
    )
    timeout_s: float | None = field(
        default=None, kw_only=True, validator=_seconds, metadata=flag("--health-timeout", form="{:g}s")
    )
    retries: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--health-retries", number(1, 1000))
    )
    start_period_s: float | None = field(
        default=None, kw_only=True, validator=_seconds, metadata=flag("--health-start-period", form="{:g}s")
    )
    start_interval_s: float | None = field(
        default=None,
        kw_only=True,
        validator=_seconds,
        metadata=flag("--health-start-interval", form="{:g}s", since="25.0"),
    )

    def __attrs_post_init__(self) -> None:
        if not any(getattr(self, name) is not None for name in flags(type(self))):
            raise ModelError("a health check says nothing; give cmd='...', or the times that differ")
