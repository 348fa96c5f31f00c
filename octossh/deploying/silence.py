"""Steps that say nothing for too long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from octossh.errors import OctosshError
from octossh.shell import Frame

__all__ = ["Silence"]

_log = logging.getLogger("octossh")

_AGAIN_S = 5.0


class Silence:
    """Ends a run that has said nothing for too long. A context manager, for as long as it runs.

    Args:
        limit_s: Seconds; None: it may be silent as long as it likes.
        end: Ends it. Where that fails, it is tried again a little later.
    """

    def __init__(self, limit_s: float | None, end: Callable[[], None]) -> None:
        self._limit_s, self._end = limit_s, end
        self._heard_at = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Silence:
        if self._limit_s is not None:
            self._heard_at = time.monotonic()
            threading.Thread(target=self._listen, args=(self._limit_s,), name="octossh-silence", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()

    def line(self, on_line: Callable[[str], None]) -> Callable[[str], None]:
        """*on_line*, listened to."""

        def heard(line: str) -> None:
            self._heard_at = time.monotonic()
            on_line(line)

        return heard

    def frame(self, on_frame: Callable[[Frame], None]) -> Callable[[Frame], None]:
        """*on_frame*, listened to; that somebody still asks whether the link is there is silence, too."""

        def heard(frame: Frame) -> None:
            if frame.kind != "tick":
                self._heard_at = time.monotonic()
            on_frame(frame)

        return heard

    def _listen(self, limit_s: float) -> None:
        while not self._over.wait(max(0.0, self._heard_at + limit_s - time.monotonic())):
            if time.monotonic() - self._heard_at < limit_s:
                continue
            try:
                self._end()
            except OctosshError as error:
                _log.warning("a step that has said nothing for %g s could not be ended: %s", limit_s, error)
                self._heard_at = time.monotonic() + _AGAIN_S - limit_s
            else:
                return
