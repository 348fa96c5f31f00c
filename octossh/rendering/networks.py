"""The values for ``create_network.sh.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octossh.model import LABELS, CreateNetwork, options
from octossh.rendering.orders import foreign, go_text, label_options, owner_format, settled_format

if TYPE_CHECKING:
    from octossh.rendering.orders import Order, Secrets

__all__ = ["create_network"]


def create_network(order: Order, _secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, CreateNetwork)
    assert wanted is not None
    ours = {"project": order.project, "environment": order.environment}
    mine = " ".join(f"(eq (.Label {go_text(LABELS[key])}) {go_text(value)})" for key, value in ours.items())
    return {
        "name": wanted.name,
        "spec": wanted.spec,
        "options": ["--driver", step.driver, *options(step), *label_options(order, wanted, step.labels)],
        "look_format": "{{.Name}} " + owner_format(order, ".Labels") + "\n{{json .}}",
        "settled_format": settled_format(order, wanted, "ID"),
        "marked": False,
        "differs": f"the network {wanted.name} is there and differs from what is wanted; containers hang on it, so it "
        "is not replaced: remove it yourself, or give this step another name",
        "foreign": foreign(wanted),
        "replace": step.replace,
        "member_format": f"{{{{if and {mine}}}}}ours{{{{else}}}}!{{{{end}}}} {{{{.Names}}}}",
    }
