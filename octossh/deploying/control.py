"""Whether a deployment goes on: it can be stopped by whoever deploys, by somebody else, and by the clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from octossh.errors import OctosshError
from octossh.promises import NoThreads, started

if TYPE_CHECKING:
    from octossh.model import Cancellation

__all__ = ["Control", "Watch"]

_log = logging.getLogger("octossh")

# timeout(1) and others signal a process and then its group: that is one interrupt, and not the second one.
_ONE_INTERRUPT_S = 0.5
_POLL_S = 1.0
_TICK_S = 0.2


class Control:
    """Two levels: *stopping* sees what runs on the hosts end and starts nothing more; *leaving* waits for nothing.

    Safe to use from many threads.

    Attributes:
        bell: Rings at each change, of this or of what is waited for beside it.
        stopping: Whether nothing more is started.
        leaving: Whether what runs is not waited for any more.
        why: Why, in words; empty while it goes on.
        late: Whether it is the clock that stops it.
        by_user: Whether it is the user of this process.
        leaves: With what code of the user's wants to end the process, once the deployment has its end.
    """

    def __init__(self, grace_s: float = 6.0) -> None:
        self.bell = threading.Condition()
        self.stopping = self.leaving = self.late = self.by_user = False
        self.why = ""
        self.leaves: BaseException | None = None
        self._grace_s = grace_s
        self._stopped_at = 0.0
        self.on_stop: Callable[[], None] = lambda: None

    def stop(self, why: str, *, late: bool = False) -> None:
        """Start nothing more."""
        with self.bell:
            if self.stopping:
                return
            self.stopping, self.why, self.late, self._stopped_at = True, why, late, time.monotonic()
            self.bell.notify_all()
        self.on_stop()

    def leave(self) -> None:
        """Wait for nothing any more."""
        with self.bell:
            self.leaving = True
            self.bell.notify_all()

    def interrupt(self) -> None:
        """Somebody pressed Ctrl-C: once to stop, and once more to leave."""
        if not self.stopping:
            # What has been sent goes on on the hosts either way: see it end, and start nothing more.
            _log.warning(
                "interrupted: waiting up to %g s for what runs on the hosts; once more to leave at once", self._grace_s
            )
            self.by_user = True
            self.stop("interrupted by the user")
        elif time.monotonic() - self._stopped_at > _ONE_INTERRUPT_S:
            self.leave()

    def exit(self, error: BaseException, who: str) -> None:
        """*who*, which is code of the user's, ends the process by *error*, such as SystemExit: stop, however often."""
        with self.bell:
            first, self.leaves = self.leaves is None, self.leaves or error
        if first and not self.stopping:
            _log.warning("ended by %s: waiting up to %g s for what runs on the hosts", who, self._grace_s)
            self.stop(f"ended by {who}")

    def cancel(self, cancellation: Cancellation) -> None:
        """Somebody else wants it to stop."""
        if not self.stopping:
            reason = f": {cancellation.why}" if cancellation.why else ""
            _log.warning("cancelled by %s%s", cancellation.by, reason)
            self.stop(f"cancelled by {cancellation.by}{reason}")
        if cancellation.now:
            self.leave()

    def tick(self) -> None:
        """Leave once what runs has had its time to end."""
        if self.stopping and not self.leaving and time.monotonic() - self._stopped_at >= self._grace_s:
            _log.warning("what still runs on the hosts is left: its end is unknown")
            self.leave()

    def pause(self, seconds: float) -> bool:
        """Wait so long, unless it is stopped meanwhile; whether it goes on."""
        with self.bell:
            self.bell.wait_for(lambda: self.stopping, seconds)
            return not self.stopping

    def gets(self, answer: Future[Any]) -> bool:
        """Wait until *answer* is there, unless it is stopped meanwhile; whether it is there."""
        answer.add_done_callback(self._ring)
        with self.bell:
            self.bell.wait_for(lambda: answer.done() or self.stopping)
            return answer.done()

    def _ring(self, _answer: Future[Any]) -> None:
        with self.bell:
            self.bell.notify_all()


class Watch:
    """A thread that looks at the clock, and at what somebody else may have said. A context manager.

    Args:
        control: Is told.
        left_s: Seconds that are left for all of it; None: any number.
        timeout_s: Those that it was given, for the message.
        cancelled: Is asked once in a second whether somebody wants it to stop.

    Raises:
        NoThreads: There is none for it.
    """

    def __init__(
        self,
        control: Control,
        left_s: float | None,
        timeout_s: float | None,
        cancelled: Callable[[], Cancellation | None] | None,
    ) -> None:
        self._control, self._timeout_s, self._cancelled = control, timeout_s, cancelled
        self._ends_at = None if left_s is None else time.monotonic() + left_s
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if (thread := started(self._look, "octossh-watch")) is None:
            raise NoThreads
        self._thread = thread

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(_POLL_S)  # what it has asked is answered before the store is closed

    def _look(self) -> None:
        asked_at = 0.0
        while not self._done.wait(min(_TICK_S, _POLL_S)):
            now = time.monotonic()
            if self._ends_at is not None and now >= self._ends_at:
                self._control.stop(f"it did not end within {self._timeout_s:g} s", late=True)
            if self._cancelled is not None and now - asked_at >= _POLL_S:
                asked_at = now
                self._ask(self._cancelled)
            self._control.tick()

    def _ask(self, cancelled: Callable[[], Cancellation | None]) -> None:
        try:
            if (found := cancelled()) is not None:
                self._control.cancel(found)
        except OctosshError as error:
            _log.warning("whether somebody wants the deployment to stop cannot be seen: %s", error)
        except Exception:  # noqa: BLE001 - whatever the caller's function raises, the clock goes on
            _log.exception("whether somebody wants the deployment to stop cannot be seen")
