"""One open SSH connection and the scripts that run over it. Imports fabric, paramiko and invoke."""

from __future__ import annotations

import logging
import time
from typing import Any

import paramiko
from attrs import frozen
from fabric import Config, Connection
from paramiko.config import SSHConfig

from octossh.errors import ConnectError, ConnectionLost, HostKeyError, TimedOut
from octossh.shell import Result, Script
from octossh.transport import sockets
from octossh.transport.contract import Feed
from octossh.transport.faults import Fault, Where, connect_fault
from octossh.transport.framing import LINGER_NOTE, Collector
from octossh.transport.known_hosts import KnownHosts, fingerprint
from octossh.transport.logins import Keys, Login
from octossh.transport.pulse import Pulse
from octossh.transport.runners import ScriptRunner

__all__ = ["Link", "NotSent", "Options"]

COMMAND = "exec sh -s"
_SETTLE_S = 0.5
_TICK_S = 0.1
_AUTH_S = 20.0
_CHANNEL_S = 20.0
_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")

_paramiko_log = logging.getLogger("paramiko")
_paramiko_log.addHandler(logging.NullHandler())
if _paramiko_log.level == logging.NOTSET:
    # It logs a traceback at ERROR for what we raise anyway.
    _paramiko_log.setLevel(logging.CRITICAL + 1)


class NotSent(Exception):
    """No session could be opened over the link: nothing of the script has been sent. Never leaves the package."""


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
        self.accepted = False

    def prefer(self, key_types: tuple[str, ...]) -> tuple[str, ...]:
        """The algorithms, with those of the keys that are known for the host in front."""
        first: list[str] = []
        for entry in self._entries:
            first += _RSA if entry.key_type == "ssh-rsa" else (entry.key_type,)
        return tuple(sorted(key_types, key=lambda name: first.index(name) if name in first else len(first)))

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        """Accept *key* or raise `HostKeyError`."""
        del client, hostname  # ours knows the target
        blob, kind = key.asbytes(), key.get_name()
        shown = f"{kind} {fingerprint(blob)}"
        for entry in self._revoked:
            if entry.key == blob:
                raise HostKeyError(
                    f"{self._where}: its host key {shown} is revoked at {entry.place}. Do not connect: "
                    "the key has been given up; the host needs a new one"
                )
        if any(entry.key == blob for entry in self._entries):
            self.accepted = True
            return
        where = self._where
        named = [entry for entry in self._entries if self._known.names(entry, where.address, where.port)]
        for entry in named:
            if entry.key_type == kind:
                raise HostKeyError(
                    f"{where}: its host key has changed: it shows {shown}, and {entry.place} has "
                    f"{entry.key_type} {fingerprint(entry.key)}. Somebody may be in between, or the host was "
                    f"installed anew; if so, take out the old key with {self._keygen('-R', entry.place)}, and "
                    "add the new one"
                )
        others = f", which has only {', '.join(sorted({e.key_type for e in named}))} of it" if named else ""
        raise HostKeyError(
            f"{where}: its host key {shown} is not known: it is not in {' or '.join(self._known.files)}{others}. "
            f"Compare the fingerprint with the one on the host, then add the key with ssh-keyscan -t "
            f"{_scan_name(kind)} -p {where.port} {where.address} >> {self._known.files[0]} "
            f"(to look: {self._keygen('-F', self._known.files[0])})"
        )

    def _keygen(self, option: str, place: str) -> str:
        where = self._where
        name = where.address if where.port == 22 else f"'[{where.address}]:{where.port}'"
        return f"ssh-keygen {option} {name} -f {place.rsplit(':', 1)[0]}"


def _scan_name(kind: str) -> str:
    return {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind, "ecdsa" if kind.startswith("ecdsa") else kind)


class _Connection(Connection):  # type: ignore[misc]
    """Fabric's connection without its habit of opening itself again: that would hide a host that was away."""

    def open(self) -> Any:
        if self.transport is not None and not self.is_connected:
            raise EOFError("the connection was dropped")
        return super().open()


class Link:
    """An open connection to one host. `Link.open` makes one."""

    def __init__(self, where: Where, connection: _Connection, keepalive_s: float) -> None:
        self.where = where
        self._connection = connection
        self._transport: paramiko.Transport = connection.transport
        self._why_lost = ""
        self.pulse = Pulse(self._ask, keepalive_s, self._silent)

    @classmethod
    def open(cls, where: Where, options: Options) -> Link | Fault:
        """Connect, check the host key and log in; what went wrong is returned, not raised."""
        deadline = time.monotonic() + options.connect_timeout_s
        opening = _Opening(where, options, deadline)
        try:
            return cls(where, opening.connection(), options.keepalive_s)
        except Exception as error:  # noqa: BLE001 - connect_fault knows them all
            late = time.monotonic() > deadline - _TICK_S and opening.stage in ("greeting", "kex")
            if late and not isinstance(error, ConnectError):
                # paramiko has several words for it, none of which is timeout.
                error = TimeoutError(f"no {opening.stage} within {options.connect_timeout_s:g} s")
            opening.abandon()
            return connect_fault(error, where, stage=opening.stage, greeting=opening.oddity)
        except BaseException:
            opening.abandon()
            raise

    @property
    def alive(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        return not self._why_lost and bool(self._transport.is_active())

    def close(self, why: str = "") -> None:
        """End the connection; what runs over it ends with `ConnectionLost`, which says *why*. Does not block."""
        self._why_lost = self._why_lost or why or "it was closed"
        self.pulse.stop()
        self._connection.client.close()

    def join(self) -> None:
        """Wait for the threads of a link that has been closed."""
        self.pulse.join(1)
        self._transport.join(1)

    def run(
        self, script: Script, sent: bytes, collector: Collector, timeout_s: float, feed: Feed | None = None
    ) -> Result:
        """Run one script over it.

        Raises:
            NotSent: There was no session for it.
            ConnectionLost, TimedOut, ReadError: As `Transport.run` says.
        """
        runner = ScriptRunner(self._connection, sent, collector, self.pulse, timeout_s, feed)
        try:
            # Everything is set, so that no default of anybody counts; in_stream=False leaves our stdin alone.
            runner.run(
                COMMAND, hide=True, warn=True, in_stream=False, pty=False, echo=False, encoding="utf-8", env={},
                dry=False, watchers=[], asynchronous=False, disown=False,
            )  # fmt: skip
        except Exception as error:  # whatever it was, the end was not seen
            if not runner.sent:
                raise NotSent(str(error)) from error
            raise self._lost(script, error) from error
        if collector.error is not None:
            raise collector.error
        if runner.timed_out_here:
            raise TimedOut(
                f"{self.where}: {script.name} did not end within {timeout_s:g} s; it may still be running there. "
                "Look at the host before you try again, or give it more time"
            )
        return self._result(script, runner, collector)

    def _result(self, script: Script, runner: ScriptRunner, collector: Collector) -> Result:
        channel = runner.channel
        if runner.abandoned:
            raise self._lost(script)
        whole = channel.eof_received or runner.lingered
        if (channel.exit_status < 0 or not whole) and self._goes_down():
            raise self._lost(script)
        if channel.exit_status < 0:
            # paramiko drops the message that would say which signal it was.
            return collector.result(255, "the shell on the host was ended by a signal")
        return collector.result(min(channel.exit_status, 255), LINGER_NOTE if runner.lingered else "")

    def _goes_down(self) -> bool:
        # paramiko ends the channels a moment before it calls the connection inactive.
        deadline = time.monotonic() + _SETTLE_S
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.alive

    def _lost(self, script: Script, error: BaseException | None = None) -> ConnectionLost:
        why = self._why_lost or " ".join(str(error or self._transport.get_exception() or "").split())
        return ConnectionLost(
            f"{self.where}: the connection was lost while {script.name} ran ({why or 'the host closed it'}); "
            "it may have run to its end, or still be running. Look at the host before you try again"
        )

    def _ask(self) -> bool:
        self._transport.global_request("keepalive@openssh.com", wait=True)
        return bool(self._transport.is_active())

    def _silent(self, seconds: float) -> None:
        self.close(f"the host was silent for {seconds:.0f} s")


class _Opening:
    """A connection while it is being opened: how far it came, and how to be rid of it."""

    def __init__(self, where: Where, options: Options, deadline: float) -> None:
        self._where, self._options, self._deadline = where, options, deadline
        self._policy = HostKeyPolicy(options.known_hosts, where)
        self._sock: sockets.Socket | None = None
        self._connection: _Connection | None = None
        self._transport: paramiko.Transport | None = None

    @property
    def stage(self) -> str:
        if self._sock is None:
            return "tcp"
        if self._policy.accepted:
            return "login"
        return "kex" if self._sock.heard else "greeting"

    @property
    def oddity(self) -> str:
        """What the server said first, when that was no greeting of SSH."""
        heard = self._sock.heard if self._sock else b""
        return "" if b"SSH-" in heard else heard.decode("utf-8", "replace").strip().partition("\n")[0].strip()

    def connection(self) -> _Connection:
        options, where = self._options, self._where
        self._sock = sockets.dial(where.address, where.port, options.connect_timeout_s, options.keepalive_s)
        self._connection = made = _Connection(
            where.address,
            user=where.user,
            port=where.port,
            config=Config(lazy=True, ssh_config=SSHConfig()),
            connect_kwargs={
                "sock": self._sock,
                "timeout": self._left(),
                "banner_timeout": self._left(),
                "auth_timeout": _AUTH_S,
                "channel_timeout": _CHANNEL_S,
                "auth_strategy": Login(options.keys, where),
                "transport_factory": self._made,
            },
        )
        made.client.set_missing_host_key_policy(self._policy)
        made.open()
        return made

    def _made(self, sock: Any, **options: Any) -> paramiko.Transport:
        self._transport = transport = paramiko.Transport(sock, **options)
        security = transport.get_security_options()
        security.key_types = self._policy.prefer(tuple(security.key_types))
        transport.handshake_timeout = self._left()
        return transport

    def _left(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def abandon(self) -> None:
        # Fabric's own close() does nothing for a connection that never came to be, and leaks its thread.
        if self._connection is not None:
            self._connection.client.close()
        if self._sock is not None:
            self._sock.close()
        if self._transport is not None and self._transport.is_alive():
            self._transport.join(1)
