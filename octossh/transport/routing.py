"""From a target to the way there: the target's own fields first, then the transport's, then ssh's configuration."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from octossh.errors import ConnectError
from octossh.model.targets import Target
from octossh.transport.configs import Configuration, Options
from octossh.transport.faults import Where
from octossh.transport.known_hosts import KnownHosts
from octossh.transport.routes import Hop, Identity, Route, hops

__all__ = ["Routing", "expand"]

_DEEP = 8
_NONE = ("", "none")
_ONLY_SSH = {"revokedhostkeys": _NONE, "knownhostscommand": _NONE, "proxyusefdpass": ("", "no")}
"""What may not be passed over, and the values that ask for nothing."""


@frozen
class Routing:
    """What is the same for all hosts of a transport.

    Attributes:
        configuration: That of ssh.
        user: Who logs in where a target does not say.
        identity: Paths of the only keys to offer; None: as the configuration says.
        known_hosts: Files of trusted host keys; None: as the configuration says.
        whole: Whether whoever goes there understands all that the configuration can say.
    """

    configuration: Configuration
    user: str | None = None
    identity: tuple[str, ...] | None = None
    known_hosts: KnownHosts | None = None
    whole: bool = False

    def route(self, target: Target) -> Route:
        """The way to *target*.

        Raises:
            ConnectError: The configuration cannot be read, or asks for what cannot be done.
        """
        hop = Hop(target.address, target.user or self.user, target.port)
        return self._route(target.name, hop, target.jump, target.host_key, ())

    def _route(self, name: str, hop: Hop, jump: str | None, pins: tuple[str, ...], behind: tuple[str, ...]) -> Route:
        options = self.configuration.about(hop.host, hop.user, hop.port)
        where = Where(
            name,
            hop.user or _one(options, "user") or me(),
            _one(options, "hostname") or hop.host,
            hop.port or int(_one(options, "port") or 22),
        )
        if not self.whole:
            _refuse(options, where)
        alias = _one(options, "hostkeyalias")
        tokens = _tokens(where, hop.host, alias)
        chain = jump if jump is not None else _one(options, "proxyjump")
        command = "" if jump is not None else _one(options, "proxycommand")
        if command.lower() in _NONE:
            command = ""
        return Route(
            where,
            self.known_hosts or _known_hosts(options, tokens, where),
            self._identity(options, tokens, where),
            "" if alias.lower() == "none" else alias,
            pins,
            expand(command, tokens, where, variables=False),
            self._via(where, chain, (*behind, hop.host)),
            hop.host,
        )

    def _via(self, where: Where, chain: str, behind: tuple[str, ...]) -> Route | None:
        try:
            found = hops(chain)
        except ValueError as error:
            raise ConnectError(f"{where}: the jump {str(error)!r} is no host; write user@host:port") from None
        if not found:
            return None
        if len(behind) > _DEEP or found[-1].host in behind:
            raise ConnectError(
                f"{where}: the hosts to go through lead back to themselves: {' -> '.join((*behind, found[-1].host))}; "
                "give one of them 'ProxyJump none'"
            )
        *before, last = found
        # What stands before the last one is its own way; otherwise the configuration has a say in that, too.
        own = ",".join(_spelled(one) for one in before) if before else None
        return self._route(f"{last.host} on the way to {where.name}", last, own, (), behind)

    def _identity(self, options: Options, tokens: Mapping[str, str], where: Where) -> Identity:
        agent = _agent(_one(options, "identityagent"), tokens, where)
        if self.identity is not None:
            return Identity(self.identity, must=True, only=True, agent=agent)
        files, certificates = (
            tuple(expand(value, tokens, where) for value in options.get(name, ()) if value.lower() != "none")
            for name in ("identityfile", "certificatefile")
        )
        only = _one(options, "identitiesonly").lower() in ("yes", "true")
        return Identity(files or None, only=only, certificates=certificates, agent=agent)


def me() -> str:
    """The current user of this machine."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()


def expand(text: str, tokens: Mapping[str, str], where: Where, *, variables: bool = True) -> str:
    """*text* with ssh's tokens (``%h``) and, if they count there, ``${VARIABLES}`` replaced.

    Raises:
        ConnectError: A token or a variable that there is not.
    """

    def token(match: re.Match[str]) -> str:
        if match[1] not in tokens:
            raise ConnectError(
                f"{where}: ssh's configuration has {text!r}, and {match[0]} is known to ssh alone; write it out, or "
                "use the transport OpenSSH"
            )
        return tokens[match[1]]

    def variable(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConnectError(
                f"{where}: ssh's configuration has {text!r}, and there is no variable {match[1]}; set it"
            )
        return os.environ[match[1]]

    made = re.sub(r"%(.?)", token, text)
    return re.sub(r"\$\{(\w+)\}", variable, made) if variables else made


def _tokens(where: Where, asked: str, alias: str) -> dict[str, str]:
    host = socket.gethostname()
    return {
        "%": "%",
        "d": str(Path("~").expanduser()),
        "h": where.address,
        "i": str(os.getuid()),
        "k": alias or asked,
        "L": host.partition(".")[0],
        "l": host,
        "n": asked,
        "p": str(where.port),
        "r": where.user,
        "u": me(),
    }


def _one(options: Options, name: str) -> str:
    return options.get(name, ("",))[0]


def _refuse(options: Options, where: Where) -> None:
    for name, harmless in _ONLY_SSH.items():
        if _one(options, name).lower() not in harmless:
            raise ConnectError(
                f"{where}: ssh's configuration has {name} for it, which this transport cannot do; "
                "use the transport OpenSSH"
            )


def _known_hosts(options: Options, tokens: Mapping[str, str], where: Where) -> KnownHosts:
    names = ("userknownhostsfile", "globalknownhostsfile")
    given = [value for name in names for value in options.get(name, ())]
    files: Sequence[str] = [expand(value, tokens, where) for value in given if value.lower() != "none"]
    if given and not files:
        return KnownHosts.of(os.devnull)  # it says that no file counts, and so the usual ones do not
    # ssh's second files are of long ago: where there are none, no message has to name them.
    return KnownHosts.of([file for file in files if not file.endswith("known_hosts2") or Path(file).exists()] or None)


def _agent(given: str, tokens: Mapping[str, str], where: Where) -> str:
    """The socket of the agent; empty for none."""
    if given.lower() == "none":
        return ""
    if given in ("", "SSH_AUTH_SOCK"):
        return os.environ.get("SSH_AUTH_SOCK", "")
    if given.startswith("$") and not given.startswith("${"):
        return os.environ.get(given[1:], "")
    return str(Path(expand(given, tokens, where)).expanduser())


def _spelled(hop: Hop) -> str:
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    return (f"{hop.user}@" if hop.user else "") + host + (f":{hop.port}" if hop.port else "")
