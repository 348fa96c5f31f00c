"""Steps that go to a host of the stand-in in one script, and what docker is asked for them."""

from __future__ import annotations

import uuid

from golden.cases import order
from properties.stand import Host, forget_runs, unique

from octossh.model import Step
from octossh.rendering import fused, render
from octossh.shell import Script


class Sender:
    """Sends steps, or scripts of such, together, as one deployment after the other; their runs are forgotten in the end."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.runs: list[str] = []

    def script(self, *steps: Step | Script) -> Script:
        self.runs = [f"test-{uuid.uuid4().hex[:12]}" for _ in steps]
        made = [step if isinstance(step, Script) else render(order(step, project=unique())) for step in steps]
        return fused(list(zip(made, self.runs, strict=True)))

    def send(self, *steps: Step | Script) -> list[str]:
        """The frames of the ends; what docker was asked is in `calls`."""
        try:
            _, result = self.host.run(self.script(*steps))
        finally:
            for run in self.runs:
                forget_runs(run)
        return [frame.text for frame in result.frames if frame.kind == "end"]

    @property
    def calls(self) -> list[str]:
        return [call.name for call in self.host.calls]
