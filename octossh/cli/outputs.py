"""Outputs of the command: that a result cannot be written is an error of its own, that progress cannot is none."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

__all__ = ["OutputLost", "open_outputs"]


class OutputLost(Exception):
    """A result was due, and standard output takes none."""


class _Output(io.FileIO):
    """What the command writes to; what comes behind something that could not be written goes nowhere."""

    def __init__(self, number: int, why: str = "") -> None:
        super().__init__(number, "w", closefd=False)
        self._why, self._lost = why, False

    def write(self, data: Any, /) -> int:
        """Write *data*.

        Raises:
            BrokenPipeError: Whoever read standard output has gone.
            OutputLost: Standard output cannot be written, for another reason.
        """
        if self._lost or not data:  # click tries with nothing what kind of a file it is
            return len(data)
        try:
            if not self._why:
                return super().write(data)
        except OSError as error:
            if isinstance(error, BrokenPipeError) and self.fileno() == 1:
                raise
            self._why = str(error.strerror)
        self._lost = True
        if self.fileno() == 1:
            raise OutputLost(f"the output cannot be written: {self._why}")
        return len(data)


def open_outputs() -> None:
    """Take over the outputs, and open to nowhere what is closed: what is opened next would be taken for it."""
    whys = {"stdout": "", "stderr": ""}
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            whys[name] = "it is closed"
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    sys.stdout = _taken(sys.stdout, 1, whys["stdout"])
    sys.stderr = _taken(sys.stderr, 2, whys["stderr"])


def _taken(now: Any, number: int, why: str) -> Any:
    buffer = getattr(now, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED, one is the other
    if type(raw) is not io.FileIO or raw.fileno() != number:
        return now  # a test has put it there
    made: Any = _Output(number, why)
    return io.TextIOWrapper(
        made if buffer is raw else io.BufferedWriter(made),
        encoding=now.encoding,
        errors=now.errors,
        line_buffering=now.line_buffering,
        write_through=now.write_through,
    )
