"""A session that is begun before there is a script for it, which then waits for one answer only. Imports paramiko."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import paramiko

from octossh.promises import NoThreads, promised
from octossh.transport.sessions import let_go

__all__ = ["FRESH_S", "Spares"]

FRESH_S = 0.3
"""Seconds for which that a host has granted a session shows that it is there."""

_ENDS_S = 2.0


class Spares:
    """At most one session that is begun ahead over one connection. Safe to use from many threads.

    None takes the place of one that is in use: whoever starts a script takes the one that was begun, if there is one,
    and where the host has no room for another, the one that was begun makes room.

    Args:
        begin: Begins a session in which a command runs; raises when that cannot be.
        ask: Asks the host whether it is there, and waits for the answer; False means that there was none.
        name: Of the host, for threads.
    """

    def __init__(self, begin: Callable[[str], paramiko.Channel], ask: Callable[[], bool], name: str) -> None:
        self._begin, self._ask, self._name = begin, ask, name
        self._lock = threading.Lock()
        self._full = False
        self._running = 0
        self._wish = ""
        self._granted_at = 0.0
        self._made: tuple[str, Future[paramiko.Channel | None]] | None = None

    def want(self, command: str) -> None:
        """Begin one in which *command* runs: now where a script runs, or else once one does. Does not block."""
        with self._lock:
            if not self._running:
                self._wish = command
            elif self._made is None:
                self._open(command)

    def now(self, command: str) -> None:
        """Begin one in which *command* runs, if there is none. Does not block."""
        with self._lock:
            if self._made is None:
                self._open(command)

    def take(self, command: str, *, sure: bool) -> paramiko.Channel | None:
        """The one in which *command* runs, which is then nobody else's; None where there is none that lives.

        Where what is sent must be *sure* of somebody who hears it, the host is asked, unless it has just granted it.
        """
        with self._lock:
            if self._made is None or self._made[0] != command:
                return None
            made, self._made = self._made[1], None
            stale = made.done() and time.monotonic() - self._granted_at > FRESH_S
        session = made.result()
        if session is None:
            return None
        try:
            heard = not (sure and stale) or self._ask()
        except BaseException:
            let_go(session)  # nobody else knows of it
            raise
        # The answer comes behind all else that the host has to say of it.
        if not heard or session.closed or session.eof_received or session.exit_status_ready():
            let_go(session)
            return None
        return session

    def make_room(self) -> bool:
        """End the one that was begun, and begin no more, since the host has no room. False: it is not there."""
        with self._lock:
            self._full = True
            made, self._made = self._made, None
        session = made[1].result() if made is not None else None
        if session is not None:
            # sshd counts a session until its shell has ended.
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                session.shutdown_write()
            session.status_event.wait(_ENDS_S)
            let_go(session)
        return self._ask()  # by its answer it has also done with what was closed before

    def started(self) -> None:
        """A script has been started."""
        with self._lock:
            self._running += 1
            if self._wish and self._made is None:
                self._open(self._wish)
            self._wish = ""

    def ended(self) -> None:
        """One that was started has ended."""
        with self._lock:
            self._running -= 1

    def _open(self, command: str) -> None:
        if self._full:
            return

        def begin() -> paramiko.Channel | None:
            try:
                session = self._begin(command)
            except Exception:  # noqa: BLE001 - whoever needs a session hears of it when it opens one itself
                return None
            self._granted_at = time.monotonic()
            return session

        with contextlib.suppress(NoThreads):
            self._made = command, promised(begin, f"octossh ahead {self._name}")
