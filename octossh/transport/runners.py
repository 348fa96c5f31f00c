"""Fabric's runner with its slow parts replaced. Imports fabric and paramiko."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import paramiko
from fabric.runners import Remote

from octossh.transport.framing import CHUNK, LINGER_S, Collector
from octossh.transport.pulse import Pulse

__all__ = ["ScriptRunner"]

_TICK_S = 0.1


class ScriptRunner(Remote):  # type: ignore[misc]
    """Runs one script over an open connection, and tells how it went by its attributes.

    invoke feeds standard input by the character, joins all output again on each chunk, and decodes each chunk by
    itself; here one thread feeds bytes, and the output goes to a `Collector`.
    """

    channel: paramiko.Channel

    def __init__(self, context: Any, sent: bytes, collector: Collector, pulse: Pulse, timeout_s: float) -> None:
        super().__init__(context=context, inline_env=True)
        self._bytes, self._collector, self._pulse, self._timeout_s = sent, collector, pulse, timeout_s
        self._streams = 2
        self._lock = threading.Lock()
        self._drained = threading.Event()
        self.sent = self.timed_out_here = self.lingered = False

    def start(self, command: str, shell: str, env: dict[str, Any], timeout: float | None = None) -> None:
        """Open a session, start the command, and begin to feed it."""
        del shell, env, timeout
        self.channel = self.context.create_session()
        self.channel.exec_command(command)
        self.sent = True
        self._collector.start()
        threading.Thread(target=self._feed, name="octossh-feed", daemon=True).start()

    def _feed(self) -> None:
        # An OSError is the end of a script that does not read all of itself; anything else must not leave it
        # waiting for the rest.
        with contextlib.suppress(OSError):
            try:
                for at in range(0, len(self._bytes), CHUNK):
                    self.channel.sendall(self._bytes[at : at + CHUNK])
                    self._pulse.heard()
                self.channel.shutdown_write()
            except (paramiko.SSHException, EOFError):
                self.channel.close()

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
        finally:
            with self._lock:
                self._streams -= 1
            if not self._streams:
                self._drained.set()

    def wait(self) -> None:
        """Until it has ended and all output is read, or there is a reason to give it up."""
        while not (self.channel.status_event.is_set() and self._drained.is_set()):
            if self._give_up():
                self.channel.close()
                return
            event = self._drained if self.channel.status_event.is_set() else self.channel.status_event
            event.wait(_TICK_S)

    def _give_up(self) -> bool:
        if self._collector.error is not None or self.has_dead_threads:
            return True
        if self._collector.spent_s > self._timeout_s:
            self.timed_out_here = True
        elif self.channel.exit_status >= 0 and not self.channel.closed:
            self.lingered = self._silence_is_the_end()
        return self.timed_out_here or self.lingered

    def _silence_is_the_end(self) -> bool:
        """Whether the shell has ended, and the silence since then is not that of a slow network."""
        since = self._collector.heard_at
        if time.monotonic() - since < LINGER_S:
            return False
        if self._pulse.proved_since(since + LINGER_S / 2):
            return True
        self._pulse.nudge()
        return False

    def _thread_join_timeout(self, target: Any) -> float | None:
        del target
        # A callback that hangs must not keep a run that has been given up.
        return None if self._drained.is_set() or not self.channel.closed else 5.0

    def returncode(self) -> int:
        """For invoke; `Link` looks at the channel itself."""
        return self.channel.exit_status

    def send_interrupt(self, interrupt: BaseException) -> None:
        """Ctrl-C: let go of the script at once, where Fabric would wait for its end."""
        self.channel.close()
        raise interrupt

    def stop(self) -> None:
        """Close the session, and leave signal handlers alone, which Fabric's own does not."""
        if hasattr(self, "channel"):
            self.channel.close()
