"""Showing something again and again: redrawn at a terminal, and elsewhere line by line what has changed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

import click

import octossh as oc
from octossh.visible import visible

__all__ = ["watching"]

_OTHER_SCREEN, _OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_TOP, _REST, _NO_WRAP, _WRAP = "\x1b[H", "\x1b[J", "\x1b[?7l", "\x1b[?7h"
_END_OF_LINE = "\x1b[K"


def watching(look: Callable[[], oc.Status], every_s: float, *, as_json: bool) -> NoReturn:
    """Show what *look* gives each *every_s* seconds, until Ctrl-C, which ends it with 130."""
    drawn = sys.stdout.isatty() and not as_json
    try:
        if drawn:
            _draw(look, every_s)
        _tell(look, every_s, as_json=as_json)
    except KeyboardInterrupt:
        sys.exit(130)  # the only end that it has: there is nothing to tell


def _draw(look: Callable[[], oc.Status], every_s: float) -> NoReturn:
    shown = ""
    sys.stdout.write(_OTHER_SCREEN + _NO_WRAP)
    try:
        while True:
            shown = visible(f"{look()}\n\n{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            sys.stdout.write(_TOP + shown.replace("\n", f"{_END_OF_LINE}\n") + _END_OF_LINE + _REST)
            sys.stdout.flush()
            time.sleep(every_s)
    finally:
        # What was seen last stays, on the screen that was there before.
        sys.stdout.write(f"{_WRAP}{_OWN_SCREEN}{shown}\n" if shown else f"{_WRAP}{_OWN_SCREEN}")
        sys.stdout.flush()


def _tell(look: Callable[[], oc.Status], every_s: float, *, as_json: bool) -> NoReturn:
    before: dict[tuple[str, str], str] = {}
    while True:
        status = look()
        rows = str(status).splitlines()[1:]
        for standing, row in zip(status, rows, strict=True):
            place = standing.project, standing.environment
            now = json.dumps(standing.to_dict())
            if before.get(place) != now:
                before[place] = now
                said = now if as_json else visible(f"{datetime.now(UTC):%H:%M:%S}  {row}")
                click.echo(said)
        sys.stdout.flush()
        time.sleep(every_s)
