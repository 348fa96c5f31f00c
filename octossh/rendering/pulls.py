"""The values for ``pull_image.sh.j2``, and for whatever else pulls an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octossh.model import ContainerStep
from octossh.rendering.orders import image_there

if TYPE_CHECKING:
    from octossh.model import Target
    from octossh.rendering.orders import Order, Secrets

__all__ = ["one_pull", "pull_image", "pulling"]


def pulling(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What ``_pull.sh.j2`` needs."""
    step = order.step
    platform, pull = (step.platform, step.pull) if isinstance(step, ContainerStep) else (None, "missing")
    return one_pull(order.image, order.login, platform, secrets, order.target) | {"pull": pull}


def one_pull(
    image: str, login: str | None, platform: str | None, secrets: Secrets, target: Target | None = None
) -> dict[str, Any]:
    """The same for one of several images."""
    return {
        "image": image_there(image, target),
        "wanted_image": image,
        "layers_format": "{{range .RootFS.Layers}}{{.}},{{end}}",
        "image_id_format": "{{.Id}}",
        "host_platform_format": "{{.Server.Os}}/{{.Server.Arch}}",
        "pull": "missing",
        "platform": platform,
        "platform_format": "{{.Os}}/{{.Architecture}}",
        "platform_start": "/".join(platform.split("/")[:2]) if platform else "",
        "login": secrets.variable(login) if login else None,
    }


def pull_image(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    # Whether it is there, its own look says.
    return {"json_format": "{{json .}}", **pulling(order, secrets), "pull": "always"}
