"""The values for ``run_script.sh.j2``."""

from __future__ import annotations

from typing import Any

from octossh.errors import ModelError
from octossh.model import RunScript
from octossh.rendering.orders import Env, Order, Secrets

__all__ = ["run_script"]


def run_script(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step = order.step
    assert isinstance(step, RunScript)
    env = Env(step.env, secrets)
    if env.lines:
        raise ModelError(
            f"step {step.name!r}: the shell itself uses the variable {env.lines[0][0]!r}; choose another name"
        )
    return {"script": step.script, "exported": env.exported, "changed": "no" if step.reads_only else "yes"}
