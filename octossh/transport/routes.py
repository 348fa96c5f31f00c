"""How a host is reached: who logs in where, by what, through whom, and whom we trust. Pure values."""

from __future__ import annotations

import re

from attrs import field, frozen

from octossh.transport.faults import Where
from octossh.transport.known_hosts import KnownHosts

__all__ = ["Hop", "Identity", "Route", "hops"]


@frozen
class Identity:
    """What is offered to a host, in place of a password.

    Attributes:
        files: Paths of private keys. None: the default ones of ssh.
        must: Whether each of them has to be usable; otherwise those that are not are passed over.
        only: Whether keys of the agent are offered only where one of *files* names them.
        certificates: Paths of certificates, besides those that stand beside the keys.
        agent: The socket of the agent; empty for none.
    """

    files: tuple[str, ...] | None = None
    must: bool = False
    only: bool = False
    certificates: tuple[str, ...] = ()
    agent: str = ""


@frozen
class Route:
    """The way to one host.

    Attributes:
        where: The host, and who logs in.
        known_hosts: The files of keys that are trusted.
        identity: What is offered.
        alias: The name in those files, when it is another one than the address.
        pins: The keys and fingerprints that alone are trusted; empty: those of the files.
        command: What to run to come there (``ProxyCommand``), in place of a connection of our own.
        via: The host to go through.
        asked: The name that ssh's configuration was asked about.
    """

    where: Where
    known_hosts: KnownHosts
    identity: Identity = field(factory=Identity)
    alias: str = ""
    pins: tuple[str, ...] = ()
    command: str = ""
    via: Route | None = None
    asked: str = ""

    @property
    def known_as(self) -> tuple[str, int]:
        """Name and port by which its key is looked up. As for ssh, an alias has no port."""
        return (self.alias.lower(), 22) if self.alias else (self.where.address.lower(), self.where.port)

    @property
    def through(self) -> bool:
        """Whether it is not reached by a connection from here."""
        return bool(self.via or self.command)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two targets one connection."""
        via = self.via.key if self.via else None
        return (*self.where.login, self.alias, self.pins, self.identity, self.command, via)


@frozen
class Hop:
    """A host to go through, as ``ProxyJump`` names it."""

    host: str
    user: str | None = None
    port: int | None = None


_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.+)@)?(?:\[(?P<v6>[^]]+)\]|(?P<host>[^:@/\[\]]+))(?::(?P<port>[0-9]{1,5}))?/?"
)


def hops(jump: str) -> tuple[Hop, ...]:
    """The hosts of a ``ProxyJump``, the nearest first; none for ``none``.

    Raises:
        ValueError: It is none.
    """
    if jump.strip().lower() in ("", "none"):
        return ()
    found = []
    for text in jump.split(","):
        match = _HOP.fullmatch(text.strip())
        if match is None:
            raise ValueError(text)
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(text)
        found.append(Hop(match["v6"] or match["host"], match["user"], port))
    return tuple(found)
