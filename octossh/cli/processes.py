"""The command as a process of its own."""

from __future__ import annotations

import atexit
import logging
import os
import sys

from octossh.cli import main

__all__ = ["run"]

_NOT_WRITTEN = 120


def run() -> None:
    """Run the command, and end the process.

    What is registered with `atexit` is called, but nothing is taken apart piece by piece that goes with the process
    anyway: for a deployment that took 30 ms.
    """
    end = _End()
    atexit.register(end.leave)  # the first one to be registered is the last one to be called
    try:
        main()
    except SystemExit as said:
        end.code = said.code if isinstance(said.code, int) else int(said.code is not None)
        raise
    end.code = 0


class _End:
    """How the process ends; where `run` does not come to say it, by an error that nobody expected."""

    code = 1

    def leave(self) -> None:
        """End it."""
        logging.shutdown()
        for output in (sys.stdout, sys.stderr):
            try:
                output.flush()
            except Exception:  # noqa: BLE001 - whatever it is, Python itself says no more than this number
                self.code = _NOT_WRITTEN
        os._exit(self.code)
