"""A connection that the system's ``ssh`` holds as a master, and the scripts that run over it."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from pathlib import Path

from attrs import frozen

from octossh.errors import ConnectError, ConnectionLost, HostKeyError, TimedOut
from octossh.shell import Result, Script
from octossh.transport.contract import Feed
from octossh.transport.elevation import Start
from octossh.transport.faults import ADVICE, Fault, Where, ssh_fault
from octossh.transport.framing import LINGER_NOTE, LINGER_S, Collector
from octossh.transport.known_hosts import fingerprint, spellings
from octossh.transport.mux import MuxError, Session, answers
from octossh.transport.piping import Pipes
from octossh.transport.pools import NotSent
from octossh.transport.routes import Route

__all__ = ["Master", "MasterOptions"]

_TICK_S = 0.1
_POLL_S = 0.01
_LOGIN_S = 20.0
_SESSION_S = 20.0
_SETTLE_S = 0.5
_END_S = 2.0

# Ends ssh when whoever holds the other end of its standard input is gone, however that came about.
_GUARD = """exec 3<&0 </dev/null
"$@" 3<&- & ssh=$!
{ read -r _ <&3; kill "$ssh"; } >/dev/null 2>&1 & watch=$!
exec 3<&-
wait "$ssh"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
"""

_ALWAYS = (
    "ControlMaster=yes",
    "ControlPersist=no",
    "StrictHostKeyChecking=yes",
    "NoHostAuthenticationForLocalhost=no",
    "UpdateHostKeys=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "Tunnel=no",
    "ConnectionAttempts=1",
    "NumberOfPasswordPrompts=1",
    "ServerAliveCountMax=2",
    "LogLevel=ERROR",
)
"""What no configuration changes."""

_NO_OTHERS = ("GlobalKnownHostsFile=none", "VerifyHostKeyDNS=no")
"""So that nobody vouches for a host but the keys that a target has, or the files that are given."""


@frozen
class MasterOptions:
    """How masters are started.

    Attributes:
        ssh: The command.
        configuration: The file of ssh's configuration as ``-F`` takes it; empty for those that ssh reads.
        identity: Keys to offer besides those that the configuration names; None: as the configuration says.
        known_hosts: Files of trusted keys; None: as the configuration says.
        ask: Whether ssh may ask the user, by the program that ``SSH_ASKPASS`` names.
        more: Further options.
        connect_timeout_s: Seconds up to the login.
        keepalive_s: Seconds between questions whether the host is there.
    """

    ssh: str
    configuration: str
    identity: tuple[str, ...] | None
    known_hosts: tuple[str, ...] | None
    ask: bool
    more: tuple[str, ...]
    connect_timeout_s: float
    keepalive_s: float

    def command(self, route: Route, path: str, via: Master | None) -> list[str]:
        """The words that start a master for *route* with its control socket at *path*."""
        where = route.where
        options = [*_ALWAYS, f"ControlPath={path}", f"BatchMode={'no' if self.ask else 'yes'}"]
        options.append(f"ConnectTimeout={max(1, round(self.connect_timeout_s))}")
        options.append(f"ServerAliveInterval={max(1, round(self.keepalive_s))}")
        if route.pins:
            options += [*_NO_OTHERS, "UserKnownHostsFile=none", f"KnownHostsCommand={_pinned(route)}"]
        elif self.known_hosts is not None:
            files = " ".join(f'"{file}"' for file in self.known_hosts)
            options += [*_NO_OTHERS, f"UserKnownHostsFile {files}", "KnownHostsCommand=none"]
        if self.identity is not None:
            options += ["IdentitiesOnly=yes", *(f'IdentityFile "{file}"' for file in self.identity or ("none",))]
        if via is not None:
            options.append(f"ProxyCommand={via.through(self.ssh)}")
        elif not route.command:
            options.append("ProxyCommand=none")
        command = [self.ssh, *(["-F", self.configuration] if self.configuration else []), "-N", "-n", "-T", "-a", "-x"]
        for option in (*options, *self.more):
            command += ["-o", option]
        return [*command, "-l", where.user, "-p", str(where.port), "--", route.asked or where.address]


def _pinned(route: Route) -> str:
    """A command that vouches for the target's keys, and for a key that ssh shows it if its fingerprint is right."""
    lines = [f'echo "$4 {pin}"' for pin in route.pins if " " in pin]
    prints = "|".join(pin for pin in route.pins if " " not in pin)
    lines += [f'case $1 in {prints}) echo "$4 $2 $3";; esac'] if prints else []
    return f'/bin/sh -c "{_doubled("; ".join(lines))}" sh %f %t %K %H'


def _doubled(script: str) -> str:
    return script.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


class Master:
    """An open connection to one host. `Master.open` makes one."""

    def __init__(self, where: Where, path: str, process: subprocess.Popen[bytes], said: Path) -> None:
        self.where = where
        self.path = path
        self._process, self._said = process, said
        self._why_lost = ""

    @classmethod
    def open(cls, route: Route, options: MasterOptions, path: str, via: Master | None = None) -> Master | Fault:
        """Start ``ssh``, and wait until it is logged in; what went wrong is returned, not raised."""
        try:
            _refuse_revoked_pins(route)
        except HostKeyError as error:
            return Fault(error)
        said = Path(f"{path}.said")
        try:
            with said.open("wb") as file:
                made = cls(route.where, path, _start(options, options.command(route, path, via), file.fileno()), said)
        except OSError as error:
            return Fault(ConnectError(f"{route.where}: {options.ssh} cannot be run: {error.strerror}; install it"))
        try:
            more = _told(route, via)
            return made._ready(options.connect_timeout_s, more, through=route.through) or made
        except BaseException:
            made.close()
            made.join()
            raise

    def _ready(self, timeout_s: float, more: str, *, through: bool) -> Fault | None:
        """Wait until it takes sessions; None when it does."""
        deadline = time.monotonic() + timeout_s + _LOGIN_S
        while not answers(self.path, _SETTLE_S):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = self._words()
                self.close()
                self.join()
                late = "" if ended else f"no login within {timeout_s + _LOGIN_S:g} s"
                if ended and not said and time.monotonic() > deadline - _LOGIN_S - _SETTLE_S:
                    late = f"no answer within {timeout_s:g} s"  # of which ssh says nothing at this level
                return ssh_fault(said, self.where, timed_out=late, more=more, through=through)
            time.sleep(_POLL_S)
        return None

    @property
    def alive(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        return not self._why_lost and self._process.poll() is None

    def _client(self, ssh: str) -> list[str]:
        """What every ``ssh`` begins with that has this very connection, and never makes another."""
        return [ssh, "-F", "none", "-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-S", self.path]

    def through(self, ssh: str) -> str:
        """The ``ProxyCommand`` of those who go through this host."""
        return f"{shlex.join(self._client(ssh))} -W '[%h]:%p' -- octossh"

    def terminal(self, ssh: str, command: str) -> list[str]:
        """The words of an ``ssh`` that runs *command* there, at a terminal where there is one here."""
        return [*self._client(ssh), "-o", "LogLevel=ERROR", "-t", "--", "octossh", command]

    def close(self, why: str = "") -> None:
        """End the connection; what runs over it ends with `ConnectionLost`, which says *why*. Does not block."""
        self._why_lost = self._why_lost or why or "it was closed"
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def join(self) -> None:
        """Wait for the end of an ssh that has been closed."""
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._said.unlink(missing_ok=True)
        Path(self.path).unlink(missing_ok=True)

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
            session = Session.open(self.path, start.command, _SESSION_S)
        except MuxError as error:
            if not error.refused:
                self._settle()
            raise NotSent(str(error)) from self._no_session(error)
        try:
            lingered = self._exchange(script, session, sent, collector, timeout_s, feed)
        finally:
            session.close()
        if collector.error is not None:
            raise collector.error
        # A dead master closes the pipes as a whole output does: only one that lives has seen it all.
        if not answers(self.path, _SETTLE_S):
            raise self._lost(script)
        if session.code is None:
            return collector.result(255, "the shell on the host was ended by a signal")
        return collector.result(min(session.code, 255), LINGER_NOTE if lingered else "")

    def _exchange(
        self, script: Script, session: Session, sent: bytes, collector: Collector, timeout_s: float, feed: Feed | None
    ) -> bool:
        """Feed and read until the end; True when something else still holds the output."""
        collector.start()
        with selectors.DefaultSelector() as selector:
            pipes = Pipes(session, sent, collector, selector, feed)
            while collector.error is None:
                if not self.alive:
                    raise self._lost(script)
                if collector.spent_s > timeout_s:
                    raise TimedOut(
                        f"{self.where}: {script.name} did not end within {timeout_s:g} s; it may still be running "
                        "there. Look at the host before you try again, or give it more time"
                    )
                session.poll()
                if not pipes.reading and (session.over or session.code is not None):
                    return False
                if session.code is not None and time.monotonic() - collector.silent_since() > LINGER_S:
                    return True
                pipes.move(_TICK_S)
        return False

    def _settle(self) -> None:
        """Give one that is dead the time to be known as such."""
        deadline = time.monotonic() + _SETTLE_S
        while self.alive and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self._why_lost = self._why_lost or ("" if answers(self.path, _SETTLE_S) else "its ssh does not answer")

    def _no_session(self, error: MuxError) -> ConnectError:
        if not error.refused:
            return ConnectError(f"{self.where}: no session could be opened over its connection ({error})", "timeout")
        # The master may also have reasons of its own.
        kind = "sessions" if "refused by peer" in str(error) else "other"
        return ConnectError(f"{self.where}: {ADVICE['sessions']} ({error})", kind)

    def _lost(self, script: Script) -> ConnectionLost:
        why = self._why_lost or " ".join(self._words().split()) or "the host closed it"
        return ConnectionLost(
            f"{self.where}: the connection was lost while {script.name} ran ({why}); "
            "it may have run to its end, or still be running. Look at the host before you try again"
        )

    def _words(self) -> str:
        """What ssh has written to its standard error."""
        with contextlib.suppress(OSError):
            return self._said.read_bytes()[-4096:].decode("utf-8", "replace")
        return ""


def _told(route: Route, via: Master | None) -> str:
    """What a message of ssh does not say, since it does not know."""
    pins = f"; the target has host_key {' or '.join(pin[:60] for pin in route.pins)}" if route.pins else ""
    return pins + (f"; it is reached through {via.where}" if via else "")


def _start(options: MasterOptions, command: list[str], said: int) -> subprocess.Popen[bytes]:
    env = {**os.environ, "LC_ALL": "C"}
    if options.ask:
        env["SSH_ASKPASS_REQUIRE"] = "force"
    # In a session of its own, so that Ctrl-C at the terminal does not end it under a run.
    return subprocess.Popen(  # noqa: S603 - ssh itself
        ["/bin/sh", "-c", _GUARD, "octossh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env=env,
        start_new_session=True,
    )


def _refuse_revoked_pins(route: Route) -> None:
    """A pin takes the place of the files of known hosts, but not of what they revoke."""
    for entry in route.known_hosts.about(*route.known_as) if route.pins else ():
        if entry.revoked and spellings(entry.key_type, entry.key) & set(route.pins):
            raise HostKeyError(
                f"{route.where}: its host_key {fingerprint(entry.key)} is revoked at {entry.place}. Do not connect: "
                "the key has been given up; the host needs a new one"
            )
