"""The values for ``pull_image.sh.j2``, and for whatever else pulls an image."""

from __future__ import annotations

from typing import Any

from octossh.rendering.orders import Order, Secrets

__all__ = ["pull_image", "pulling"]


def pulling(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What ``_pull.sh.j2`` needs."""
    return {"image": order.image, "login": secrets.variable(order.login) if order.login else None}


def pull_image(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    return {"json_format": "{{json .}}", **pulling(order, secrets)}
