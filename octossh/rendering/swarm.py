"""The values for ``swarm_service.sh.j2`` and ``swarm_stack.sh.j2``, and stacks as they are sent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octossh.model import LABELS, SecretRef, SwarmService, SwarmStack
from octossh.model.steps.compose_files import labels_of
from octossh.planning import file_contents, service_document
from octossh.rendering.compose import compose_env, literal, owned, owner_labels, unset_names
from octossh.rendering.orders import is_ours, label_format
from octossh.shell import Words

if TYPE_CHECKING:
    from octossh.model.steps.compose_files import Document
    from octossh.planning import Wanted
    from octossh.rendering.orders import Order, Secrets

__all__ = ["swarm_service", "swarm_stack"]

_VERSION = "3.8"  # of compose's format, without which `docker stack deploy` 20.10 does not read a file
_NAMESPACE = "com.docker.stack.namespace"


def swarm_stack(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, SwarmStack)
    assert wanted is not None
    document = step.document
    document.setdefault("version", _VERSION)
    for place, name in wanted.fields.get("files", {}).items():
        document["secrets"][place.partition(" ")[2]] = {"external": True, "name": name}
    return {
        **_common(order, wanted, document, secrets),
        "exported": compose_env(step, secrets),
        "unset": unset_names(step),
        "prune": step.prune,
        "whole": True,
    }


def swarm_service(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, SwarmService)
    assert wanted is not None
    exported: list[tuple[Words, str]] = []
    environment = {}
    for number, (name, value) in enumerate(step.env.items()):
        # By a detour, so that any name and any text can be a variable of the service.
        variable = Words(f"octossh_env_{number}")
        text = Words(f'"{secrets.variable(value.name)}"') if isinstance(value, SecretRef) else value
        exported.append((variable, text))
        environment[name] = f"${{{variable}}}"
    return {
        **_common(order, wanted, _document(step, wanted, environment), secrets),
        "exported": exported,
        "unset": [],
        "prune": False,
        "whole": False,
    }


def _document(step: SwarmService, wanted: Wanted, environment: Mapping[str, str]) -> Document:
    """A stack of one service. Names that are the user's stand behind keys of ours."""
    service: dict[str, Any] = {**_escaped(service_document(step)), "environment": dict(environment)}
    document: Document = {"version": _VERSION, "services": {step.service: service}}
    if step.networks:
        keys = {f"network{number}": name for number, name in enumerate(step.networks)}
        service["networks"] = {key: {"aliases": list(step.aliases)} if step.aliases else {} for key in keys}
        document["networks"] = {key: {"external": True, "name": literal(name)} for key, name in keys.items()}
    named = [text.partition(":")[0] for text in step.volumes if not text.startswith("/")]
    if named:
        document["volumes"] = {name: {"name": name} for name in named}
    for number, (place, name) in enumerate(wanted.fields.get("files", {}).items()):
        kind, _, target = place.partition(" ")
        document.setdefault(f"{kind}s", {})[f"{kind}{number}"] = {"external": True, "name": name}
        service.setdefault(f"{kind}s", []).append({"source": f"{kind}{number}", "target": literal(target)})
    return document


def _escaped(value: Any) -> Any:
    """*value* with each dollar doubled: there it is only a dollar."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _common(order: Order, wanted: Wanted, document: Document, secrets: Secrets) -> dict[str, Any]:
    step = order.step
    assert isinstance(step, SwarmService | SwarmStack)
    contents = file_contents(step)
    files = [
        (place.partition(" ")[0], name, _content(contents[place], secrets))
        for place, name in wanted.fields.get("files", {}).items()
    ]
    labels = ".Spec.Labels"
    mine = {"project": order.project, "environment": order.environment, "step": step.name}
    return {
        "name": wanted.name,
        "services": [(f"{wanted.name}_{name}", part.spec) for name, part in wanted.parts.items()],
        "document": json.dumps(_labelled(order, wanted, document), ensure_ascii=False, indent=1),
        "files": files,
        "file_labels": [word for key, text in mine.items() for word in ("--label", f"{LABELS[key]}={text}")],
        "file_filters": [word for key, text in mine.items() for word in ("--filter", f"label={LABELS[key]}={text}")],
        "logins": [secrets.variable(login) for login in dict.fromkeys(login for _, login in order.pulls) if login],
        "namespace_filter": f"label={_NAMESPACE}={wanted.name}",
        "swarm_format": "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Error}}",
        "look_format": "{{.Spec.Name}} "
        f"{{{{if and {is_ours(order, labels)}}}}}ours{{{{else}}}}other{{{{end}}}} "
        f"{{{{with {label_format('spec', labels)}}}}}{{{{.}}}}{{{{else}}}}-{{{{end}}}} "
        "{{if .UpdateStatus}}{{with .UpdateStatus.State}}{{.}}{{else}}none{{end}} {{.UpdateStatus.Message}}"
        "{{else}}none{{end}}",
        "list_format": "{{.Name}} {{.Replicas}}",
        "task_format": "{{.Name}} on {{.Node}}: {{.CurrentState}} {{.Error}}",
        "name_format": "{{.Name}}",
        "json_format": "{{json .}}",
        "foreign": " was not made by this step; remove it, or give this step another name or stack",
        "timeout_s": f"{step.converge_timeout_s:g}",
        "converge_cs": math.ceil(step.converge_timeout_s * 100),
        # Swarm takes a moment until it says that it is updating.
        "monitor_cs": max(100, math.ceil(step.monitor_s * 100)),
    }


def _content(content: str | SecretRef, secrets: Secrets) -> str:
    return Words(f'"{secrets.variable(content.name)}"') if isinstance(content, SecretRef) else content


def _labelled(order: Order, wanted: Wanted, document: Document) -> Document:
    """The stack as it is sent: digests for tags, and our labels on its services, networks and volumes."""
    made_by = {LABELS["release"]: literal(order.release), LABELS["deployment"]: literal(order.deployment)}
    ours = owner_labels(order)
    for name, service in document["services"].items():
        part = wanted.parts[name]
        service["image"] = part.fields["image"]
        what = {LABELS["spec"]: part.spec, LABELS["fields"]: literal(part.text)}
        deploy = service.get("deploy") or {}
        service["deploy"] = {**deploy, "labels": {**labels_of(deploy), **ours, **made_by, **what}}
    return owned(document, ours)
