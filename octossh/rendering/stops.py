"""The values for ``stop_resource.sh.j2``."""

from __future__ import annotations

from typing import Any

from octossh.model import LABELS, StopResource
from octossh.rendering.orders import Order, Secrets

__all__ = ["stop_resource"]


def stop_resource(order: Order, _secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step = order.step
    assert isinstance(step, StopResource)
    mine = [f"label={LABELS['project']}={order.project}", f"label={LABELS['environment']}={order.environment}"]
    return {
        "filter_sets": [[*mine, f"label={LABELS['step']}={name}"] for name in step.steps] or [mine],
        "scope": ["-a"] if step.remove else [],
        "id_format": "{{.ID}}",
        "verb": "removing" if step.remove else "stopping",
        "done": "removed" if step.remove else "stopped",
        "remove": step.remove,
        "networks": step.networks,
        "grace_s": step.grace_s,
    }
