"""Runs that outlive their link: what they say is passed on once, and they are found again after it was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from octossh.errors import AuthError, ConnectError, ConnectionLost, HostKeyError
from octossh.model import Target
from octossh.shell import Frame, Result, Script
from octossh.transport import Transport

__all__ = ["Told", "find_again"]

RECONNECT_S = 120.0
"""Seconds for which a host that is not reached any more is tried again; there, a run is kept for longer than that."""

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Told:
    """What has been told of a run, so that of what is told again only the rest is passed on.

    Args:
        on_line: Gets each line of its log once.
        on_frame: Gets every frame.
        on_lost: Is called whenever the link is lost.
    """

    def __init__(
        self,
        on_line: Callable[[str], None],
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_line, self._on_frame, self.lost = on_line, on_frame, on_lost
        self._told = self._at = 0
        self._begun = self._again = False

    def say(self, line: str) -> None:
        """A line that is no part of the log."""
        self._on_line(line)

    def again(self) -> None:
        """From here on it is told from its beginning."""
        self._at, self._begun, self._again = 0, False, True

    def line(self, line: str) -> None:
        """The next line of the log."""
        if self._begun:
            self._at += 1
            if self._at <= self._told:
                return
            self._told = self._at
        elif self._again:
            return  # what the host greets everybody with
        self._on_line(line)

    def frame(self, frame: Frame) -> None:
        """The next frame."""
        if frame.kind == "log":
            self._begun = True
        elif frame.kind == "gap":
            # A line that says so follows in place of those that are missing.
            self._at += int(frame.text.split()[0]) - 1
        self._on_frame(frame)


def find_again(
    transport: Transport, target: Target, script: Script, told: Told, timeout_s: float, left: threading.Event
) -> Result:
    """What a run says from its beginning to its end, whenever that comes. Its link may be lost again meanwhile.

    Args:
        transport: Carries it.
        target: Where it runs.
        script: From `octossh.rendering.attach`.
        told: Knows what it has said already.
        timeout_s: Seconds that it may still take.
        left: Whether nobody waits for it any more.

    Raises:
        ConnectError: The host could not be reached again in two minutes, or is not who it was.
        TimedOut: It did not end.
    """
    lost_at, tries = time.monotonic(), 0
    while True:
        try:
            transport.connect(target)
            told.again()
            return transport.run(target, script, timeout_s=timeout_s, on_line=told.line, on_frame=told.frame)
        except (HostKeyError, AuthError):
            raise
        except (ConnectError, ConnectionLost) as error:
            told.lost()
            if isinstance(error, ConnectionLost) and time.monotonic() - lost_at > _PAUSES_S[-1]:
                lost_at, tries = time.monotonic(), 0  # it was there for a while
            if time.monotonic() - lost_at >= RECONNECT_S or left.wait(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)]):
                raise
            tries += 1
