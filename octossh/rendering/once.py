"""The values for ``run_once.sh.j2`` and ``forget.sh.j2``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from octossh.model import LABELS, RunOnce
from octossh.rendering.containers import creating
from octossh.rendering.files import files_base
from octossh.rendering.orders import owner_format

if TYPE_CHECKING:
    from octossh.planning import Wanted
    from octossh.rendering.orders import Order, Secrets

__all__ = ["left_behind", "run_once"]


def _name(order: Order, wanted: Wanted) -> str:
    return f"{wanted.name}--{order.deployment}"


def run_once(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, RunOnce)
    assert wanted is not None
    mine = {"project": order.project, "environment": order.environment, "step": step.name}
    return {
        **creating(order, secrets),
        "name": _name(order, wanted),
        "restart": "no",
        "filters": [f"label={LABELS[key]}={value}" for key, value in mine.items()],
        "prefix": f"{wanted.name}--",
        "id_format": "{{.ID}} {{.Names}}",
        "state_format": "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} "
        + owner_format(order, ".Config.Labels"),
        "json_format": "{{json .}}",
        "limit_cs": math.ceil(step.timeout_s * 100),
        "idle_cs": math.ceil((step.idle_timeout_s or 0) * 100),
        "idle_timeout_s": f"{step.idle_timeout_s or 0:g}",
        "timeout_s": f"{step.timeout_s:g}",
        "stop_grace_s": step.stop_grace_s,
        "outputs": step.outputs,
    }


def left_behind(order: Order) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    assert order.wanted is not None
    return {"name": _name(order, order.wanted), "files_folder": f"{files_base(order)}/{order.wanted.name}"}
