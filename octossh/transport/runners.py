"""Fabric's runner with its slow parts replaced. Imports fabric and paramiko."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

import paramiko
from fabric import Config, Connection
from fabric.runners import Remote
from paramiko.config import SSHConfig

from octossh.transport.framing import CHUNK, LINGER_S, Collector
from octossh.transport.pulse import Pulse
from octossh.transport.sessions import Session

__all__ = ["ScriptRunner", "connected"]

_TICK_S = 0.1
_PATIENCE_S = 5.0


class _Connection(Connection):  # type: ignore[misc]
    """Fabric's connection without its habit of opening itself again: that would hide a host that was away."""

    def open(self) -> Any:
        """It is open, or refused."""
        if not self.is_connected:
            raise EOFError("the connection was dropped")


_LIKE_ALL = _Connection("octossh", user="octossh", port=22, config=Config(lazy=True, ssh_config=SSHConfig()))
"""It reads no configuration, and its names are not used."""


def connected(transport: paramiko.Transport) -> Any:
    """Fabric's connection of one that is open."""
    # To make one takes Fabric a millisecond; whoever runs a script only reads the configuration, which all can share.
    made = copy.copy(_LIKE_ALL)
    made.transport = transport
    return made


class ScriptRunner(Remote):  # type: ignore[misc]
    """Reads what one script says, to its end, and tells how it went by its attributes.

    invoke feeds standard input by the character, joins all output again on each chunk, and decodes each chunk by
    itself; here the `Session` feeds bytes, and the output goes to a `Collector`.
    """

    def __init__(self, context: Any, session: Session, collector: Collector, pulse: Pulse, timeout_s: float) -> None:
        super().__init__(context=context, inline_env=True)
        self.session, self.channel = session, session.channel
        self._collector, self._pulse, self._timeout_s = collector, pulse, timeout_s
        self._streams = 2
        self._lock = threading.Lock()
        self._drained = threading.Event()
        self._died_at = 0.0
        self.timed_out_here = self.lingered = False

    def start(self, command: str, shell: str, env: dict[str, Any], timeout: float | None = None) -> None:
        """It runs already."""

    def handle_stdout(self, **_given: Any) -> None:
        """Thread body: standard output, to its end."""
        self._drain(self.channel.recv, self._collector.feed_out)

    def handle_stderr(self, **_given: Any) -> None:
        """Thread body: standard error, to its end."""
        self._drain(self.channel.recv_stderr, self._collector.feed_err)

    def _drain(self, receive: Any, feed: Any) -> None:
        try:
            while data := receive(CHUNK):
                self._pulse.heard()
                feed(data)
        except (OSError, EOFError, paramiko.SSHException):
            self.session.abandon()  # reading also tells the host to send more, which fails on a dead connection
        finally:
            with self._lock:
                self._streams -= 1
            if not self._streams:
                self._drained.set()

    def wait(self) -> None:
        """Until it has ended and all output is read, or there is a reason to give it up."""
        while not (self.channel.status_event.is_set() and self._drained.is_set()):
            if self._give_up():
                self.session.hang_up()
                return
            event = self._drained if self.channel.status_event.is_set() else self.channel.status_event
            event.wait(_TICK_S)

    def _give_up(self) -> bool:
        if self._collector.error is not None or self.has_dead_threads:
            return True
        if not self.context.is_connected:
            self.session.abandoned = self.session.abandoned or self._dead_for_long()
        elif self._collector.spent_s > self._timeout_s:
            self.timed_out_here = True
        elif self.channel.exit_status >= 0 and not self.channel.closed:
            self.lingered = self._silence_is_the_end()
        return self.timed_out_here or self.lingered or self.session.abandoned

    def _dead_for_long(self) -> bool:
        """Whether the connection has ended and somebody's callback still does not let us see the end of the log."""
        now = time.monotonic()
        self._died_at = self._died_at or now
        return now - self._died_at > _PATIENCE_S

    def _silence_is_the_end(self) -> bool:
        """Whether the shell has ended, and the silence since then is not that of a slow network."""
        since = self._collector.silent_since()
        unread = self._collector.busy or self.channel.recv_ready() or self.channel.recv_stderr_ready()
        if unread or time.monotonic() - since < LINGER_S:
            return False
        if self._pulse.proved_since(since + LINGER_S / 2):
            return True
        self._pulse.nudge()
        return False

    def _thread_join_timeout(self, target: Any) -> float | None:
        del target
        # A callback that hangs must not keep a run that has been given up.
        return 1.0 if self.timed_out_here or self.session.abandoned else None

    def returncode(self) -> int:
        """For invoke; `Link` looks at the channel itself."""
        return self.channel.exit_status

    def send_interrupt(self, interrupt: BaseException) -> None:
        """Ctrl-C: let go of the script at once, where Fabric would wait for its end."""
        self.session.abandon()
        raise interrupt

    def stop(self) -> None:
        """Close the session, and leave signal handlers alone, which Fabric's own does not."""
        self.session.end()
