"""Fabric's runner with its slow parts replaced. Imports fabric and paramiko."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

import paramiko
from fabric.runners import Remote

from octossh.transport.contract import Feed
from octossh.transport.framing import CHUNK, LINGER_S, Collector
from octossh.transport.pulse import Pulse
from octossh.transport.spares import Spares

__all__ = ["ScriptRunner"]

_log = logging.getLogger("octossh")

_TICK_S = 0.1
_PATIENCE_S = 5.0


class ScriptRunner(Remote):  # type: ignore[misc]
    """Runs one script over an open connection, and tells how it went by its attributes.

    invoke feeds standard input by the character, joins all output again on each chunk, and decodes each chunk by
    itself; here one thread feeds bytes, and the output goes to a `Collector`.
    """

    channel: paramiko.Channel

    def __init__(
        self,
        context: Any,
        sent: bytes,
        collector: Collector,
        pulse: Pulse,
        spares: Spares,
        spare: paramiko.Channel | None,
        timeout_s: float,
        feed: Feed | None,
    ) -> None:
        super().__init__(context=context, inline_env=True)
        self._spares, self._spare = spares, spare
        self._bytes, self._collector, self._pulse, self._timeout_s = sent, collector, pulse, timeout_s
        self._more, self._wants = feed, collector.wants
        self._streams = 2
        self._lock = threading.Lock()
        self._drained = threading.Event()
        self._feeder: threading.Thread | None = None
        self._died_at = 0.0
        self.sent = self.timed_out_here = self.lingered = self.abandoned = False

    def start(self, command: str, shell: str, env: dict[str, Any], timeout: float | None = None) -> None:
        """Open a session, start the command, and begin to feed it."""
        del shell, env, timeout
        # OpenSSH takes no input before it has answered this, so not to wait for the answer would win nothing.
        self.channel = self._spare or self.context.transport.open_running(command)
        self.sent = True
        self._collector.start()
        self._feeder = threading.Thread(target=self._feed, name="octossh-feed", daemon=True)
        self._feeder.start()
        self._spares.started()

    def _feed(self) -> None:
        try:
            for at in range(0, len(self._bytes), CHUNK):
                self.channel.sendall(self._bytes[at : at + CHUNK])
                self._pulse.heard()
            while self._more is not None and (frame := self._wants.get()) is not None:
                for piece in self._more(frame):
                    self.channel.sendall(piece)
                    self._pulse.heard()
            self.channel.shutdown_write()
        except OSError:
            return  # the end of a script that does not read all of itself
        except (paramiko.SSHException, EOFError):
            self._abandon()  # the shell must not wait for the rest
        except Exception:  # noqa: BLE001 - whatever it was, the script must not wait for more
            _log.exception("what a script asked for could not be given")
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self.channel.shutdown_write()

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
            self._abandon()  # reading also tells the host to send more, which fails on a dead connection
        finally:
            with self._lock:
                self._streams -= 1
            if not self._streams:
                self._drained.set()

    def wait(self) -> None:
        """Until it has ended and all output is read, or there is a reason to give it up."""
        while not (self.channel.status_event.is_set() and self._drained.is_set()):
            if self._give_up():
                self._hang_up()
                return
            event = self._drained if self.channel.status_event.is_set() else self.channel.status_event
            event.wait(_TICK_S)

    def _give_up(self) -> bool:
        if self._collector.error is not None or self.has_dead_threads:
            return True
        if not self.context.is_connected:
            self.abandoned = self.abandoned or self._dead_for_long()
        elif self._collector.spent_s > self._timeout_s:
            self.timed_out_here = True
        elif self.channel.exit_status >= 0 and not self.channel.closed:
            self.lingered = self._silence_is_the_end()
        return self.timed_out_here or self.lingered or self.abandoned

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
        return 1.0 if self.timed_out_here or self.abandoned else None

    def returncode(self) -> int:
        """For invoke; `Link` looks at the channel itself."""
        return self.channel.exit_status

    def send_interrupt(self, interrupt: BaseException) -> None:
        """Ctrl-C: let go of the script at once, where Fabric would wait for its end."""
        self._abandon()
        raise interrupt

    def stop(self) -> None:
        """Close the session, and leave signal handlers alone, which Fabric's own does not."""
        if hasattr(self, "channel"):
            self._hang_up()
        if self._feeder is not None:
            self._spares.ended()
        self._wants.put(None)
        if self._feeder is not None:
            self._feeder.join(1)

    def _abandon(self) -> None:
        self.abandoned = True
        self._hang_up()

    def _hang_up(self) -> None:
        # The message that says so may find the connection dead.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self.channel.close()
