"""Live progress at a terminal: what is going on stands below what has happened, and is drawn anew."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from octossh.promises import started

if TYPE_CHECKING:
    import octossh as oc

__all__ = ["Progress"]

_UP, _REST, _NO_WRAP, _WRAP = "\x1b[{}A", "\x1b[J", "\x1b[?7l", "\x1b[?7h"
_EVERY_S = 1.0
_MOST_STEPS, _MOST_HOSTS = 8, 6


class _Going:
    """A step that is going on: where since when, and how far its wave has come."""

    def __init__(self) -> None:
        self.since: dict[str, float] = {}
        self.wave, self.of, self.hosts = 0, 0, 0
        self.done = self.failed = 0


class Progress:
    """Tells events line by line, and draws below them which steps are going on, in which wave, on which hosts.

    Args:
        say: Tells an event for good.
        clean: Makes text harmless for a terminal.
        out: The terminal.
    """

    def __init__(self, say: Callable[[oc.Event], None], clean: Callable[[str], str], out: TextIO | None = None) -> None:
        self._say, self._clean, self._out = say, clean, out or sys.stderr
        self._steps: dict[str, _Going] = {}
        self._drawn = 0
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._asking = False
        self._ticker: threading.Thread | None = None

    def __call__(self, event: oc.Event) -> None:
        """Tell *event*."""
        with self._lock:
            self._erase()
            self._say(event)
            self._note(event)
            self._draw()

    def close(self) -> None:
        """Take away what is drawn."""
        self._over.set()
        with self._lock:
            self._erase()
            self._steps.clear()
        if self._ticker is not None:
            self._ticker.join(_EVERY_S)

    def _note(self, event: oc.Event) -> None:
        step = self._steps.setdefault(event.step, _Going()) if event.step and event.target else None
        if event.type == "wave_started":
            going = self._steps.setdefault(event.step, _Going())
            going.wave, going.of, going.hosts = event.data["wave"], event.data["of"], len(event.data["hosts"])
            going.done = going.failed = 0
        elif event.type == "step_started" and step is not None:
            step.since[event.target] = time.monotonic()
            self._tick()
        elif event.type == "step_finished" and step is not None:
            step.since.pop(event.target, None)
            step.done += 1
            step.failed += event.data["state"] != "succeeded"
        elif event.type in {"asked", "answered"}:
            # Somebody types below: nothing may be drawn there meanwhile.
            self._asking = event.type == "asked"
        elif event.type == "deployment_finished":
            self._steps.clear()

    def _tick(self) -> None:
        if self._ticker is None:
            self._ticker = started(self._run, "octossh-progress")

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            with self._lock:
                self._erase()
                self._draw()

    def _erase(self) -> None:
        if self._drawn:
            self._out.write(_UP.format(self._drawn) + "\r" + _REST)
            self._out.flush()
        self._drawn = 0

    def _draw(self) -> None:
        lines = [] if self._asking or self._over.is_set() else self.lines()
        if lines:
            text = "".join(f"{self._clean(line)}\n" for line in lines)
            self._out.write(f"{_NO_WRAP}{text}{_WRAP}")
            self._out.flush()
        self._drawn = len(lines)

    def lines(self) -> list[str]:
        """What is going on, a line for each step."""
        going = {name: step for name, step in self._steps.items() if step.since}
        made = [_line(name, step) for name, step in list(going.items())[:_MOST_STEPS]]
        return [*made, f"... {len(going) - _MOST_STEPS} steps more"] if len(going) > _MOST_STEPS else made


def _line(name: str, step: _Going) -> str:
    now = time.monotonic()
    hosts = [f"{host} {now - since:.0f} s" for host, since in list(step.since.items())[:_MOST_HOSTS]]
    more = f" and {len(step.since) - _MOST_HOSTS} more" if len(step.since) > _MOST_HOSTS else ""
    wave = f"  wave {step.wave} of {step.of}" if step.of > 1 else ""
    done = f"  {step.done} of {step.hosts} done" if step.hosts > 1 else f"  {step.done} done" if step.done else ""
    failed = f", {step.failed} failed" if step.failed else ""
    return f"> {name}{wave}{done}{failed}  {', '.join(hosts)}{more}"
