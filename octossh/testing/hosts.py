"""Hosts that are none: every step succeeds on them, unless a test says otherwise."""

from __future__ import annotations

import json
from typing import Any

from octossh.errors import ConnectError
from octossh.model import Target
from octossh.shell import Frame, Script
from octossh.transport import Call, Replay

__all__ = ["Hosts"]


class Hosts(Replay):
    """A `Replay` that answers as hosts do on which all goes well, and keeps what was sent in ``calls``.

    It answers for the machine that deploys, too: steps with ``where="controller"`` do not run.
    """

    def __init__(self) -> None:
        super().__init__(self._answered, self._connected, plays_controller=True)
        self._failing: list[tuple[str | None, str | None, str]] = []
        self._away: dict[str, str] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        self._outputs: dict[str, dict[str, str]] = {}

    def fail(self, step: str | None = None, target: str | None = None, why: str = "the test wants it so") -> None:
        """From now on *step* (None: each one) fails on *target* (None: on each), for the reason *why*."""
        self._failing.append((step, target, why))

    def unreachable(self, target: str, why: str = "connection refused") -> None:
        """From now on *target* cannot be reached, unless it has been already."""
        self._away[target] = why

    def inspect(self, step: str, **fields: Any) -> None:
        """What docker says of the container or network of *step*: later steps read it as ``steps.NAME.inspect``."""
        self._seen[step] = fields

    def output(self, step: str, **values: str) -> None:
        """What the script of *step* gives out: later steps read it as ``steps.NAME.outputs``."""
        self._outputs.setdefault(step, {}).update(values)

    def sent(self, step: str, target: str | None = None) -> tuple[Call, ...]:
        """What was sent for *step*, to *target* or to all, in order."""
        return tuple(
            call for call in self.calls if _step(call.script) == step and (target is None or call.target.name == target)
        )

    def _connected(self, target: Target) -> None:
        if target.name in self._away:
            raise ConnectError(f"{target}: {self._away[target.name]}", "refused")

    def _answered(self, target: Target, script: Script) -> list[Frame]:
        step = _step(script)
        if not step:
            return [Frame("end", "succeeded observed no ")]
        for failing, host, why in self._failing:
            if failing in {None, step} and host in {None, target.name}:
                return [Frame("end", f"failed none no {' '.join(why.split())}")]
        from base64 import b64encode

        seen = {"Id": f"{step} on {target.name}", "Name": step, **self._seen.get(step, {})}
        outputs = self._outputs.get(step, {})
        return [
            Frame("inspect", json.dumps(seen)),
            *(Frame("output", f"{name} {b64encode(value.encode()).decode()}") for name, value in outputs.items()),
            Frame("end", "succeeded created yes "),
        ]


def _step(script: Script) -> str:
    """The step that a script is of; empty for one that only looks, or tidies up."""
    kind, _, step = script.name.partition(" ")
    return "" if kind in {"attach", "end", "forget"} else step
