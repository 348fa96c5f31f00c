"""Runs and links that are lost: a run begins when its host is there, is found again, and is told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from octossh.errors import AuthError, ConnectError, ConnectionLost, HostKeyError
from octossh.promises import promised

if TYPE_CHECKING:
    from octossh.deploying.control import Control
    from octossh.model import Target
    from octossh.shell import Frame, Result, Script
    from octossh.transport import Transport

__all__ = ["Told", "begin", "find_again"]

RECONNECT_S = 120.0
"""Seconds for which a host that is not reached any more is tried again; there, a run is kept for longer than that."""

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_PASSES = {"dns", "kex", "not_ssh", "refused", "timeout", "unreachable"}
"""Kinds of a `ConnectError` that may be another one, or none, a little later."""


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


def begin(transport: Transport, target: Target, send: Callable[[], Result], told: Told, control: Control) -> Result:
    """What *send* gives. Where the link was lost before it, nothing has begun: the host is waited for.

    Args:
        transport: Carries it. One without ``reaches`` says how it is: what it cannot connect is not waited for.
        target: Where it runs; it has been reached before.
        send: Sends it.
        told: Is told that the link was lost.
        control: Whether it shall begin at all still.

    Raises:
        ConnectError: The host could not be reached again in two minutes, is not who it was, or nobody waits for it.
        TransportError: As *send* does.
    """
    reaches = getattr(transport, "reaches", None)
    if reaches is None:
        return send()
    ready = reaches(target)
    if not ready:
        told.lost()
    lost_at, tries = 0.0, 0
    while True:
        try:
            if not ready:
                _connect(transport, target, control)
            return send()
        except ConnectError as error:
            if error.kind not in _PASSES:
                raise
            if not tries:
                lost_at = time.monotonic()
                told.lost()
                told.say("octossh: the link was lost before the step began; connecting again to begin it")
            ready, late = False, time.monotonic() - lost_at >= RECONNECT_S
            if late or not control.pause(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)]):
                why = f"in {RECONNECT_S:g} s" if late else "before the deployment was stopped"
                raise ConnectError(
                    f"{error}; it was not there again {why}, so the step has not begun", error.kind
                ) from error
            tries += 1


def _connect(transport: Transport, target: Target, control: Control) -> None:
    """Connect, for as long as somebody waits for it: a host that does not answer is waited for elsewhere."""
    made = promised(lambda: transport.connect(target), f"octossh {target} connect", or_here=True)
    if not control.gets(made):
        raise ConnectError(f"{target}: the deployment was stopped while it connected again, so the step has not begun")
    made.result()


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
