"""Whether the other end of a connection is still there. Knows nothing of SSH: it asks by a function.

TCP does not notice a process that is stopped, and OpenSSH's answer to a keepalive is the only proof that there is
somebody. Asking may block, so each `Pulse` asks in a thread of its own, and one `Watch` looks at all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from octossh.promises import NoThreads, started

__all__ = ["THREAD_S", "Pulse", "Watch"]

THREAD_S = 1.0
"""For a thread of a link that has been closed to end."""


class Pulse:
    """Asks one peer again and again whether it is there.

    Args:
        ask: Asks and waits for the answer; False or an exception means that there was none.
        interval_s: Seconds between an answer and the next question.
        on_death: Called once, by the `Watch`, with the seconds of silence.

    Raises:
        NoThreads: There is none to ask in.
    """

    def __init__(self, ask: Callable[[], bool], interval_s: float, on_death: Callable[[float], None]) -> None:
        self._ask, self._on_death = ask, on_death
        self.interval_s = interval_s
        self._wake = threading.Event()
        self._stopped = False
        self._heard_at = time.monotonic()
        self._proved_at = 0.0
        self._dead = False
        if (thread := started(self._beat, "octossh-pulse")) is None:
            raise NoThreads
        self._thread = thread

    def heard(self) -> None:
        """Something came from the peer: it lives."""
        self._heard_at = time.monotonic()

    def nudge(self) -> None:
        """Ask now."""
        self._wake.set()

    def proved_since(self, moment: float) -> bool:
        """Whether a question that was asked after *moment* (monotonic) has been answered.

        Answers come in order, so all that the peer had sent before *moment* has arrived then.
        """
        return self._proved_at > moment

    def check(self) -> None:
        """Declare the peer dead when it has been silent for two and a half intervals."""
        silent = time.monotonic() - self._heard_at
        if silent > 2.5 * self.interval_s and not (self._dead or self._stopped):
            self._dead = True
            self._on_death(silent)

    def stop(self) -> None:
        """Ask no more. Does not wait for a question that is on its way."""
        self._stopped = True
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread, after `stop`."""
        self._thread.join(timeout_s)

    def _beat(self) -> None:
        while True:
            self._wake.wait(self.interval_s)
            self._wake.clear()
            if self._stopped:
                return
            asked_at = time.monotonic()
            try:
                answered = self._ask()
            except Exception:  # noqa: BLE001 - whatever it was, there was no answer
                answered = False
            if answered:
                self._proved_at = asked_at
                self.heard()


class Watch:
    """Looks at every `Pulse` that was added, in one thread that lives while there is any."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._lock = threading.Lock()
        self._pulses: list[Pulse] = []
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def add(self, pulse: Pulse) -> None:
        """Look at *pulse* from now on."""
        with self._lock:
            self._pulses.append(pulse)
            if self._thread is None:
                self._wake.clear()
                self._thread = started(self._look, "octossh-watch")  # or when the next one is added

    def remove(self, pulse: Pulse) -> None:
        """Look at it no more."""
        with self._lock:
            if pulse in self._pulses:
                self._pulses.remove(pulse)
            thread = None
            if not self._pulses:
                thread, self._thread = self._thread, None
                self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(THREAD_S)

    def _look(self) -> None:
        looked_at = time.monotonic()
        while not self._wake.wait(self._tick_s):
            now = time.monotonic()
            paused = now - looked_at > 1 + 2 * self._tick_s
            looked_at = now
            with self._lock:
                if self._thread is not threading.current_thread():
                    return
                pulses = tuple(self._pulses)
            for pulse in pulses:
                if paused:  # this process stood still (Ctrl-Z, a busy machine): the silence was ours
                    pulse.heard()
                else:
                    pulse.check()
