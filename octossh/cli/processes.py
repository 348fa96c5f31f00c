"""The command as a process of its own."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

from octossh.cli import main

__all__ = ["run"]

_NOT_WRITTEN = 120


def run() -> NoReturn:
    """Run the command, and end the process.

    Threads are waited for and what is registered with `atexit` is called, as always. But nothing is taken apart piece
    by piece that goes with the process anyway: for a deployment that took 30 ms.
    """
    code = 0
    try:
        main()
    except SystemExit as said:
        code = said.code if isinstance(said.code, int) else int(said.code is not None)
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()  # noqa: SLF001 - what an end by os._exit leaves out
    for output in (sys.stdout, sys.stderr):
        try:
            output.flush()
        except Exception:  # noqa: BLE001 - whatever it is, Python itself says no more than this number
            code = _NOT_WRITTEN
    os._exit(code)
