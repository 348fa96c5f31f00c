"""One open SSH connection and the scripts that run over it. Imports fabric and paramiko."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import paramiko
from attrs import frozen

from octossh.errors import ConnectError, ConnectionLost, TimedOut
from octossh.shell import Result, Script
from octossh.transport import sockets
from octossh.transport.contract import Feed
from octossh.transport.elevation import Start
from octossh.transport.faults import Fault, Where, connect_fault
from octossh.transport.framing import LINGER_NOTE, Collector
from octossh.transport.gates import Gate
from octossh.transport.handshakes import Handshake
from octossh.transport.host_keys import HostKeyPolicy
from octossh.transport.logins import Ask, Keys, Login
from octossh.transport.pools import NotSent
from octossh.transport.pulse import THREAD_S, Pulse
from octossh.transport.routes import Route
from octossh.transport.runners import ScriptRunner, connected
from octossh.transport.sessions import Session, let_go
from octossh.transport.spares import Spares

__all__ = ["Link", "Options"]

_SETTLE_S = 0.5
_TICK_S = 0.1
_NAP_S = 0.01
_AUTH_S = 20.0
_CHANNEL_S = 20.0

_paramiko_log = logging.getLogger("paramiko")
_paramiko_log.addHandler(logging.NullHandler())
if _paramiko_log.level == logging.NOTSET:
    # It logs a traceback at ERROR for what we raise anyway.
    _paramiko_log.setLevel(logging.CRITICAL + 1)


@frozen
class Options:
    """How links are opened: the keys and the password of the user, deadlines in seconds, and compression."""

    keys: Keys
    password: Ask
    connect_timeout_s: float
    keepalive_s: float
    compress: bool


class Link:
    """An open connection to one host. `Link.open` makes one."""

    def __init__(self, where: Where, client: paramiko.SSHClient, keepalive_s: float) -> None:
        self.where = where
        self._client = client
        transport = client.get_transport()
        assert isinstance(transport, Handshake)
        self._transport = transport
        self._connection = connected(transport)
        self._why_lost = ""
        self._asking = threading.Lock()
        self._spares = Spares(transport.open_running, self._ask, str(where))
        self.pulse = Pulse(self._ask, keepalive_s, self._silent)

    @classmethod
    def open(
        cls,
        route: Route,
        options: Options,
        deadline: float,
        way: sockets.Socket | Link | None,
        gate: Gate | None = None,
    ) -> Link | Fault:
        """Connect, check the host key and log in; what went wrong is returned, not raised.

        Args:
            route: The way there.
            options: What is the same for all.
            deadline: When the key exchange has to be through, by `time.monotonic`.
            way: A socket of the host, or the open connection to the one that the way goes through.
            gate: What the login waits at.
        """
        where = route.where
        opening = _Opening(route, options, deadline, way, gate)
        try:
            return cls(where, opening.client(), options.keepalive_s)
        except Exception as error:  # noqa: BLE001 - connect_fault knows them all
            late = time.monotonic() > deadline - _TICK_S and opening.stage in ("greeting", "kex")
            if late and not isinstance(error, ConnectError):
                # paramiko has several words for it, none of which is timeout.
                error = TimeoutError(f"no {opening.stage} within {options.connect_timeout_s:g} s")
            fault = opening.explained(error) or connect_fault(
                error, where, stage=opening.stage, greeting=opening.oddity
            )
            opening.abandon()
            return fault
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
        if isinstance(sock := self._transport.sock, sockets.Socket):
            sock.hang_up()
        self._client.close()

    def join(self) -> None:
        """Wait for the threads of a link that has been closed."""
        self.pulse.join(THREAD_S)
        self._transport.join(THREAD_S)

    def ahead(self, start: Start, *, now: bool = False) -> None:
        """Begin a session for the next script, once one runs, or *now*. Does not block."""
        (self._spares.now if now else self._spares.want)(start.command)

    def tunnel(self, address: str, port: int, timeout_s: float) -> sockets.Tunnel:
        """A connection from that host to another one, through this one.

        Raises:
            SSHException: It did not come about.
        """
        return sockets.Tunnel(
            self._transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout_s)
        )

    def run(
        self,
        script: Script,
        start: Start,
        sent: bytes,
        collector: Collector,
        timeout_s: float,
        feed: Feed | None = None,
    ) -> Result:
        """Run one script over it.

        Raises:
            NotSent: There was no session for it.
            ConnectionLost, TimedOut, ReadError: As `Transport.run` says.
        """
        try:
            channel = self._session(start.command, sure=not script.repeatable)
        except Exception as error:
            raise NotSent(str(error)) from error
        try:
            session = Session(channel, sent, collector, self.pulse, feed)
        except Exception as error:  # there may be no more threads
            let_go(channel)
            raise NotSent(str(error)) from error
        self._spares.started()
        try:
            runner = ScriptRunner(self._connection, session, collector, self.pulse, timeout_s)
            # Everything is set, so that no default of anybody counts; in_stream=False leaves our stdin alone.
            runner.run(
                start.command, hide=True, warn=True, in_stream=False, pty=False, echo=False, encoding="utf-8", env={},
                dry=False, watchers=[], asynchronous=False, disown=False,
            )  # fmt: skip
        except Exception as error:  # whatever it was, the end was not seen
            session.abandon()
            raise self._lost(script, error) from error
        except BaseException:
            session.abandon()
            raise
        finally:
            self._spares.ended()
        if collector.error is not None:
            raise collector.error
        if runner.timed_out_here:
            raise TimedOut(
                f"{self.where}: {script.name} did not end within {timeout_s:g} s; it may still be running there. "
                "Look at the host before you try again, or give it more time"
            )
        return self._result(script, runner, collector)

    def _session(self, command: str, *, sure: bool) -> paramiko.Channel:
        """One in which *command* runs: the one that was begun ahead, or else a new one."""
        if spare := self._spares.take(command, sure=sure):
            return spare
        try:
            # OpenSSH takes no input before it has answered this, so not to wait for the answer would win nothing.
            return self._transport.open_running(command)
        except paramiko.ChannelException:
            if spare := self._spares.take(command, sure=sure):  # begun meanwhile
                return spare
            if not self._spares.make_room():
                raise
        return self._transport.open_running(command)

    def _result(self, script: Script, runner: ScriptRunner, collector: Collector) -> Result:
        channel = runner.channel
        if runner.session.abandoned:
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
            time.sleep(_NAP_S)
        return not self.alive

    def _lost(self, script: Script, error: BaseException | None = None) -> ConnectionLost:
        why = self._why_lost or " ".join(str(error or self._transport.get_exception() or "").split())
        return ConnectionLost(
            f"{self.where}: the connection was lost while {script.name} ran ({why or 'the host closed it'}); "
            "it may have run to its end, or still be running. Look at the host before you try again"
        )

    def _ask(self) -> bool:
        with self._asking:  # paramiko takes any answer for that of the last question
            self._transport.global_request("keepalive@openssh.com", wait=True)
        return bool(self._transport.is_active())

    def _silent(self, seconds: float) -> None:
        self.close(f"the host was silent for {seconds:.0f} s")


class _Opening:
    """A connection while it is being opened: how far it came, and how to be rid of it."""

    def __init__(
        self, route: Route, options: Options, deadline: float, way: sockets.Socket | Link | None, gate: Gate | None
    ) -> None:
        self._route, self._where, self._options, self._deadline = route, route.where, options, deadline
        self._via, self._gate = way if isinstance(way, Link) else None, gate
        self._policy = HostKeyPolicy(route)
        self._sock: sockets.Socket | sockets.Tunnel | None = way if isinstance(way, sockets.Socket) else None
        self._client: paramiko.SSHClient | None = None
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

    def client(self) -> paramiko.SSHClient:
        """What is logged in."""
        options, where = self._options, self._where
        if self._sock is None:
            self._sock = self._dialled()
        self._client = made = paramiko.SSHClient()
        made.set_missing_host_key_policy(self._policy)
        made.connect(
            where.address,
            username=where.user,
            port=where.port,
            sock=self._sock,  # type: ignore[arg-type]
            timeout=self._left(),
            banner_timeout=self._left(),
            auth_timeout=_AUTH_S,
            channel_timeout=_CHANNEL_S,
            compress=options.compress,
            auth_strategy=Login(options.keys, self._route, options.password, self._gate),  # type: ignore[arg-type]
            transport_factory=self._made,
        )
        return made

    def _dialled(self) -> sockets.Tunnel:
        if self._via is not None:
            return self._via.tunnel(self._where.address, self._where.port, self._left())
        return sockets.Piped(self._route.command)

    def explained(self, error: Exception) -> Fault | None:
        """What went wrong on the way there, where there is somebody on the way."""
        if isinstance(error, ConnectError) or self.stage not in ("tcp", "greeting"):
            return None
        if self._via is not None and self._sock is None:
            said = " ".join(str(error).split())
            made = ConnectError(
                f"{self._where}: {self._via.where} did not open a connection to it ({said}); check that it is up and "
                "reached from there, and that sshd there allows it (AllowTcpForwarding)", "unreachable",
            )  # fmt: skip
        elif isinstance(self._sock, sockets.Piped) and not self._sock.heard:
            said = self._sock.said() or " ".join(str(error).split())
            made = ConnectError(
                f"{self._where}: the ProxyCommand of ssh's configuration gave no connection ({said}); try it by hand: "
                f"{self._route.command}", "unreachable",
            )  # fmt: skip
        else:
            return None
        made.__cause__ = error
        return Fault(made)

    def _made(self, sock: Any, **options: Any) -> paramiko.Transport:
        self._transport = transport = Handshake(sock, **options)
        security = transport.get_security_options()
        transport.our_keys = self._policy.prefer(tuple(security.key_types))
        # One pass over each packet: of the others, paramiko compares the check sums byte by byte.
        security.ciphers = tuple(sorted(security.ciphers, key=lambda name: "gcm" not in name))
        transport.handshake_timeout = self._left()
        return transport

    def _left(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def abandon(self) -> None:
        if isinstance(self._sock, sockets.Socket):
            self._sock.hang_up()
        if self._client is not None:
            self._client.close()
        if self._sock is not None:
            self._sock.close()
        if self._transport is not None and self._transport.is_alive():
            self._transport.join(THREAD_S)
