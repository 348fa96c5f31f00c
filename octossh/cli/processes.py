"""The command as a process of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

import click

from octossh.cli import main

__all__ = ["run"]

_NOT_WRITTEN = 120


def run() -> None:
    """Run the command, and where it is the whole of the process, end that."""
    try:
        main()
    except SystemExit as said:
        if not _alone():
            raise
        code = said.code
    else:
        code = 0
    if _alone():
        _end(code)


def _alone() -> bool:
    """Whether nobody else began this process, such as pytest or a profiler, who would go on behind the command."""
    words = sys.orig_argv[1:3]
    return words == ["-m", "octossh"] or (bool(words) and Path(words[0]).name == "octossh")


def _end(code: object) -> NoReturn:
    """End the process as Python does, but for taking apart piece by piece what goes with it anyway.

    For a deployment, that took 30 ms.
    """
    if not isinstance(code, int | None):
        click.echo(code, err=True)
        code = 1
    with contextlib.suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - os._exit leaves it out, and the next one
    atexit._run_exitfuncs()  # noqa: SLF001
    for output in (sys.stdout, sys.stderr):
        try:
            output.flush()
        except Exception:  # noqa: BLE001 - whatever it is, Python itself says no more than this number
            code = _NOT_WRITTEN
    os._exit(code or 0)
