"""A script that runs on a host, and what it is sent. Imports paramiko."""

from __future__ import annotations

import contextlib
import logging

import paramiko

from octossh.promises import NoThreads, started
from octossh.transport.contract import Feed
from octossh.transport.framing import CHUNK, Collector
from octossh.transport.pulse import THREAD_S, Pulse

__all__ = ["Session", "let_go"]

_log = logging.getLogger("octossh")


class Session:
    """Feeds what runs in a channel, in a thread.

    Args:
        channel: In which a shell runs.
        sent: What its standard input begins with.
        collector: Takes what it says, and tells what it asks for.
        pulse: That of the connection.
        feed: Gives what it asks for.

    Raises:
        NoThreads: There is none to feed it.

    Attributes:
        abandoned: Whether it was given up.
    """

    def __init__(
        self, channel: paramiko.Channel, sent: bytes, collector: Collector, pulse: Pulse, feed: Feed | None
    ) -> None:
        self.channel, self.abandoned = channel, False
        self._sent, self._more, self._wants, self._pulse = sent, feed, collector.wants, pulse
        collector.start()
        if (feeder := started(self._feed, "octossh-feed")) is None:
            raise NoThreads
        self._feeder = feeder

    def _feed(self) -> None:
        try:
            for at in range(0, len(self._sent), CHUNK):
                self.channel.sendall(self._sent[at : at + CHUNK])
                self._pulse.heard()
            while self._more is not None and (frame := self._wants.get()) is not None:
                for piece in self._more(frame):
                    self.channel.sendall(piece)
                    self._pulse.heard()
            self.channel.shutdown_write()
        except OSError:
            return  # the end of a script that does not read all of itself
        except (paramiko.SSHException, EOFError):
            self.abandon()  # the shell must not wait for the rest
        except Exception:  # noqa: BLE001 - whatever it was, the script must not wait for more
            _log.exception("what a script asked for could not be given")
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self.channel.shutdown_write()

    def abandon(self) -> None:
        """Give it up."""
        self.abandoned = True
        self.hang_up()

    def hang_up(self) -> None:
        """Let go of it."""
        let_go(self.channel)

    def end(self) -> None:
        """Let go of it, and wait for the thread that feeds it."""
        self.hang_up()
        self._wants.put(None)
        self._feeder.join(THREAD_S)


def let_go(channel: paramiko.Channel) -> None:
    """Close *channel*, also where its connection is dead."""
    # The message that says so may find it dead.
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.close()
