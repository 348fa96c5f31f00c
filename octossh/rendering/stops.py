"""The values for ``stop_resource.sh.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octossh.model import LABELS, StopResource
from octossh.rendering.orders import go_text, label_format, label_of

if TYPE_CHECKING:
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
        "container_format": _format(order, step, "container", "{{.ID}}", ".Names"),
        "network_format": _format(order, step, "network", "{{.ID}}", ".Name"),
        "local_format": _format(order, step, "network", "{{.ID}}", ".Name", '(ne .Driver "overlay")'),
        "volume_format": _format(order, step, "volume", "{{.Name}}", ".Name"),
        "service_format": _format(order, step, "service", "{{.ID}}", ".Spec.Name"),
        "patience_s": step.grace_s + 30,
        "verb": "removing" if step.remove else "stopping",
        "done": "removed" if step.remove else "stopped",
        "remove": step.remove,
        "networks": step.networks,
        "volumes": step.volumes,
        "grace_s": step.grace_s,
    }


def _format(order: Order, step: StopResource, kind: str, handle: str, name: str, *conditions: str) -> str:
    """Go template: a line with what docker takes and its name, or an empty line for what is spared."""
    line = f"{handle} {{{{{name}}}}}"

    def label(key: str) -> str:
        # A list of services tells no labels, so that they are inspected.
        return label_format(key, ".Spec.Labels") if kind == "service" else label_of(key)

    asked = list(conditions)
    if step.releases == "older":
        asked += [f"(ne {label('release')} {go_text(order.release)})"]
        asked += [f"(ne {name} {go_text(kept)})" for of, kept in order.kept if of == kind]
        asked += [f"(ne {label('step')} {go_text(of)})" for of in order.spared]
    return f"{{{{if and {' '.join(asked)}}}}}{line}{{{{end}}}}" if asked else line
