"""The values for ``prune.sh.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octossh.model import LABELS, Prune
from octossh.rendering.orders import go_text, image_there, label_of, many

if TYPE_CHECKING:
    from octossh.rendering.orders import Order, Secrets

__all__ = ["prune"]


def prune(order: Order, _secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step = order.step
    assert isinstance(step, Prune)
    images = [image_there(name, order.target) for name in step.images]
    return {
        "filters": [
            f"label={LABELS['project']}={order.project}",
            f"label={LABELS['environment']}={order.environment}",
            "status=created",
            "status=exited",
            "status=dead",
        ],
        "format": _format(step),
        "images": images,
        "asked": many(images),
        "id_format": "{{.Id}}",
    }


def _format(step: Prune) -> str:
    """Go template: a line with id and name, or an empty line for what stays."""
    spared = [(label_of("release"), number) for number in step.keep]
    spared += [(".Names", name) for name in step.containers] + [(label_of("step"), name) for name in step.steps]
    conditions = " ".join(f"(ne {of} {go_text(value)})" for of, value in spared)
    return f"{{{{if and true {conditions}}}}}{{{{.ID}}}} {{{{.Names}}}}{{{{end}}}}"
