"""The values for ``create_volume.sh.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octossh.model import CreateVolume, options
from octossh.planning import differing
from octossh.rendering.orders import foreign, label_options, owner_format, settled_format

if TYPE_CHECKING:
    from octossh.rendering.orders import Order, Secrets

__all__ = ["create_volume"]


def create_volume(order: Order, _secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, CreateVolume)
    assert wanted is not None
    return {
        "name": wanted.name,
        "spec": wanted.spec,
        "options": ["--driver", step.driver, *options(step), *label_options(order, wanted, step.labels)],
        "look_format": "{{.Name}} " + owner_format(order, ".Labels") + "\n{{json .}}",
        "settled_format": settled_format(order, wanted, "Mountpoint"),
        "marked": False,
        "replace": step.replace,
        "differs": differing(wanted),
        "foreign": foreign(wanted),
    }
