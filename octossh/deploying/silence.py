"""Steps that say nothing for too long."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from octossh.errors import OctosshError
from octossh.promises import started

if TYPE_CHECKING:
    from octossh.shell import Frame

__all__ = ["END_S", "Silence"]

_log = logging.getLogger("octossh")

_AGAIN_S = 5.0
END_S = 30.0
_LOOK_S = 60.0


class Silence:
    """Ends a run that has said nothing for too long. A context manager, for as long as it runs.

    Args:
        limit_s: Seconds; None: it may be silent as long as it likes.
        end: Ends it, and tells whether it was there. Where it was not, or could not be ended, that is tried again a
            little later.

    Raises:
        OctosshError: There is no thread to listen with, so the run must not begin.
    """

    def __init__(self, limit_s: float | None, end: Callable[[], bool]) -> None:
        self._limit_s, self._end = limit_s, end
        self._heard_at = time.monotonic()
        self._lost = False
        self._over = threading.Event()
        self._ending = threading.RLock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Silence:
        if self._limit_s is not None:
            self._heard_at = time.monotonic()
            self._thread = started(functools.partial(self._listen, self._limit_s), "octossh-silence")
            if self._thread is None:
                raise OctosshError(
                    "this process can have no more threads, so nobody would see whether the script is silent for too "
                    "long: let fewer hosts be in work at once, with Rollout(parallel=...)"
                )
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(END_S)  # an end that is on its way would hit the next try of the same step

    def lost(self) -> None:
        """The link is lost: until it is back, nobody knows whether the run says anything.

        Where that is since the run is being ended, its end is waited for: the host may have room for one session only.
        """
        with self._ending:
            self._lost, self._heard_at = True, math.inf

    def line(self, on_line: Callable[[str], None]) -> Callable[[str], None]:
        """*on_line*, listened to."""

        def heard(line: str) -> None:
            if not self._lost:  # else it is a word of octossh's own
                self._heard_at = time.monotonic()
            on_line(line)

        return heard

    def frame(self, on_frame: Callable[[Frame], None]) -> Callable[[Frame], None]:
        """*on_frame*, listened to; that somebody still asks whether the link is there is silence, too."""

        def heard(frame: Frame) -> None:
            if frame.kind != "tick" or self._lost:
                self._lost, self._heard_at = False, time.monotonic()
            on_frame(frame)

        return heard

    def _listen(self, limit_s: float) -> None:
        again_at, said = -math.inf, ""
        while not self._over.wait(self._wait_s(limit_s, again_at)):
            if time.monotonic() < max(self._heard_at + limit_s, again_at):
                continue
            if self._over.is_set():
                return
            try:
                with self._ending:
                    if self._end():
                        return
            except OctosshError as error:
                if str(error) != said:  # it may be the same for as long as it runs
                    _log.warning("a step that has said nothing for %g s could not be ended: %s", limit_s, error)
                said = str(error)
            again_at = time.monotonic() + _AGAIN_S

    def _wait_s(self, limit_s: float, again_at: float) -> float:
        """Seconds until it may be too long; never more than the limit, as the link may come back meanwhile."""
        left_s = max(self._heard_at + limit_s, again_at) - time.monotonic()
        return min(_LOOK_S, limit_s, max(0.0, left_s))
