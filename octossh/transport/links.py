"""One open SSH connection and the scripts that run over it. Imports fabric, paramiko and invoke."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Any

import paramiko
from attrs import frozen
from fabric import Config, Connection
from fabric.runners import Remote
from paramiko.config import SSHConfig

from octossh.errors import ConnectionLost, HostKeyError, TimedOut
from octossh.shell import Result, Script
from octossh.transport import sockets
from octossh.transport.faults import Where, connect_fault
from octossh.transport.framing import CHUNK, LINGER_NOTE, LINGER_S, Collector
from octossh.transport.known_hosts import KnownHosts, fingerprint
from octossh.transport.logins import Keys, Login
from octossh.transport.pulse import Pulse

__all__ = ["Link", "NotSent", "Options"]

COMMAND = "exec sh -s"
_TICK_S = 0.1
_SETTLE_S = 0.5
_AUTH_S = 20.0
_CHANNEL_S = 20.0
_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")

_paramiko_log = logging.getLogger("paramiko")
_paramiko_log.addHandler(logging.NullHandler())
if _paramiko_log.level == logging.NOTSET:
    # It logs a traceback at ERROR for what we raise anyway.
    _paramiko_log.setLevel(logging.CRITICAL + 1)


class NotSent(Exception):
    """No session could be opened over the link: nothing of the script has been sent."""


@frozen
class Options:
    """How links are opened: who we are, whom we trust, and the deadlines in seconds."""

    keys: Keys
    known_hosts: KnownHosts
    connect_timeout_s: float
    keepalive_s: float


class HostKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Asks our own known_hosts. paramiko has been given none, so it asks here about every key, before any login."""

    def __init__(self, known: KnownHosts, where: Where) -> None:
        self._known, self._where = known, where
        entries = known.about(where.address, where.port)
        self._revoked = [entry for entry in entries if entry.revoked]
        self._entries = [entry for entry in entries if not entry.revoked]

    def prefer(self, key_types: tuple[str, ...]) -> tuple[str, ...]:
        """The algorithms, with those of the keys that are known for the host in front."""
        first: list[str] = []
        for entry in self._entries:
            first += _RSA if entry.key_type == "ssh-rsa" else (entry.key_type,)
        return tuple(sorted(key_types, key=lambda name: first.index(name) if name in first else len(first)))

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        """Accept *key* or raise `HostKeyError`."""
        blob, kind = key.asbytes(), key.get_name()
        shown = f"{kind} {fingerprint(blob)}"
        for entry in self._revoked:
            if entry.key == blob:
                raise HostKeyError(
                    f"{self._where}: its host key {shown} is revoked at {entry.place}. Do not connect: "
                    "the key has been given up; the host needs a new one"
                )
        if any(entry.key == blob for entry in self._entries):
            return
        where = self._where
        named = [entry for entry in self._entries if self._known.names(entry, where.address, where.port)]
        for entry in named:
            if entry.key_type == kind:
                raise HostKeyError(
                    f"{where}: its host key has changed: it shows {shown}, and {entry.place} has "
                    f"{entry.key_type} {fingerprint(entry.key)}. Somebody may be in between, or the host was "
                    f"installed anew; if so, take out the old key with {self._keygen('-R')}, and add the new one"
                )
        others = f", which has only {', '.join(sorted({e.key_type for e in named}))} of it" if named else ""
        raise HostKeyError(
            f"{where}: its host key {shown} is not known: it is not in {' or '.join(self._known.files)}{others}. "
            f"Compare the fingerprint with the one on the host, then add the key with ssh-keyscan -t "
            f"{_scan_name(kind)} -p {where.port} {where.address} >> {self._known.files[0]} "
            f"(and look with {self._keygen('-F')})"
        )

    def _keygen(self, option: str) -> str:
        where = self._where
        name = where.address if where.port == 22 else f"'[{where.address}]:{where.port}'"
        return f"ssh-keygen {option} {name}"


def _scan_name(kind: str) -> str:
    return {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind, "ecdsa" if kind.startswith("ecdsa") else kind)


class _Connection(Connection):
    """Fabric's connection without its habit of opening itself again: that would hide a host that was away."""

    def open(self) -> Any:
        if self.transport is not None and not self.is_connected:
            raise EOFError("the connection was dropped")
        return super().open()


class Link:
    """An open connection to one host. Use `Link.open`."""

    def __init__(self, where: Where, connection: _Connection, keepalive_s: float) -> None:
        self.where = where
        self._connection = connection
        self._transport: paramiko.Transport = connection.transport
        self._lost = ""
        self.pulse = Pulse(self._ask, keepalive_s, self._silent)

    @classmethod
    def open(cls, where: Where, options: Options) -> Link:
        """Connect, check the host key, log in.

        Raises:
            Fault: Wrapped in `LinkFault`.
        """
        stage, said = "tcp", ""
        deadline = time.monotonic() + options.connect_timeout_s
        sock: socket.socket | None = None
        connection: _Connection | None = None
        policy = HostKeyPolicy(options.known_hosts, where)
        try:
            sock = sockets.dial(where.address, where.port, options.connect_timeout_s, options.keepalive_s)
            stage = "greeting"
            said = sockets.greeting(sock, max(0.1, deadline - time.monotonic()))
            stage = "kex"
            left = max(0.1, deadline - time.monotonic())
            connection = _connection(where, sock, policy, Login(options.keys, where), left)
            connection.open()
        except BaseException as error:
            if connection is not None:
                connection.client.close()
            if sock is not None:
                sock.close()
            if not isinstance(error, Exception):
                raise
            if stage == "kex" and time.monotonic() >= deadline - 0.05 and "No existing session" in str(error):
                error = TimeoutError(f"no key exchange within {options.connect_timeout_s:g} s")
            raise LinkFault(connect_fault(error, where, stage=stage, greeting=_odd(said))) from error
        return cls(where, connection, options.keepalive_s)
