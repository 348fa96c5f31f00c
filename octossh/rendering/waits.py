"""The values for ``wait_for.sh.j2``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from octossh.model import WaitFor
from octossh.rendering.probes import SINCE, probe_values

if TYPE_CHECKING:
    from octossh.rendering.orders import Order, Secrets

__all__ = ["wait_for"]


def wait_for(order: Order, _secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step = order.step
    assert isinstance(step, WaitFor)
    return {
        "probe": probe_values(step.probe),
        "container": step.container,
        "address": step.address,
        "interval_s": f"{step.interval_s:g}",
        "whole_interval_s": math.ceil(step.interval_s),
        "limit_s": math.ceil(step.timeout_s),
        "timeout_s": f"{step.timeout_s:g}",
        "state_format": "{{.State.Status}} " + SINCE + "{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}",
        "needs_docker": step.container is not None,
    }
