"""How far a connection may come before anybody wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Gate"]

_PATIENCE_S = 20.0
_TICK_S = 0.2


class Gate:
    """What a login waits at until a connection is wanted. Once open, it stays so.

    Args:
        is_open: Whether it is wanted from the beginning.

    Attributes:
        gave_up: Whether somebody waited at it in vain.
    """

    def __init__(self, *, is_open: bool) -> None:
        self._bell = threading.Event()
        self._shut = self.gave_up = False
        if is_open:
            self._bell.set()

    @property
    def is_open(self) -> bool:
        """Whether somebody wants the connection."""
        return self._bell.is_set() and not self._shut

    def open(self) -> None:
        """It is wanted."""
        self._bell.set()

    def shut(self) -> None:
        """Nobody will want it."""
        self._shut = True
        self._bell.set()

    def passed(self, alive: Callable[[], bool]) -> bool:
        """Wait until it is wanted; False: nobody has wanted it for long, or the connection is not *alive* any more.

        Where it was wanted from the beginning, nothing is waited for or asked.
        """
        if self._bell.is_set():
            return not self._shut
        ends_at = time.monotonic() + _PATIENCE_S
        while not self._bell.wait(_TICK_S):
            if time.monotonic() > ends_at or not alive():
                self.gave_up = True
                return False
        self.gave_up = not alive()  # it may have gone since it was last asked
        return not (self._shut or self.gave_up)
