"""The values for ``compose_up.sh.j2``, and compose files as they are sent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from octossh.errors import ModelError
from octossh.model import GROUPS, LABELS, ComposeUp
from octossh.model.steps.compose_files import labels_of, variables_of
from octossh.planning import count_of
from octossh.rendering.orders import Env, go_text, is_ours, label_format, read_by_others
from octossh.rendering.pulls import one_pull

if TYPE_CHECKING:
    from octossh.model import ComposeStep
    from octossh.model.steps.compose_files import Document
    from octossh.planning import Wanted
    from octossh.rendering.orders import Order, Secrets
    from octossh.shell import Words

__all__ = ["compose_env", "compose_up", "literal", "owned", "owner_labels", "unset_names"]


def compose_up(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, ComposeUp)
    assert wanted is not None
    services = [
        {
            "name": name,
            "count": count_of(part.fields),
            "spec": part.spec,
            "how": "job" if part.fields.get("job") else "lasting",
            "number": number,
        }
        for number, (name, part) in enumerate(wanted.parts.items())
    ]
    numbers = {str(service["name"]): service["number"] for service in services}

    def origin(service: str) -> Mapping[str, str]:
        return {key: f"${{octossh_{key}_{numbers[service]}}}" for key in ("release", "deployment")}

    (of_project, of_service), *_ = GROUPS.items()
    return {
        "name": wanted.name,
        "services": services,
        "document": json.dumps(_labelled(order, step, wanted, origin), ensure_ascii=False, indent=1),
        "exported": compose_env(step, secrets),
        "unset": unset_names(step),
        "release": order.release,
        "deployment": order.deployment,
        "pulls": _pulls(order, wanted, secrets),
        "pull": "missing",
        "remove_orphans": step.remove_orphans,
        "extra_args": step.extra_args,
        "project_filter": f"label={of_project}={wanted.name}",
        "lasting_filter": "label=com.docker.compose.oneoff=False",
        "look_format": _look_format(order, of_service),
        "json_format": "{{json .}}",
        "foreign": f"the compose project {wanted.name} was not made by this step; remove it, or give this step "
        "another compose_name",
        "name_format": "{{.Name}}",
        "healthy_timeout_s": f"{step.healthy_timeout_s:g}",
        "healthy_cs": math.ceil(step.healthy_timeout_s * 100),
        "monitor_cs": math.ceil(step.monitor_s * 100),
    }


def _pulls(order: Order, wanted: Wanted, secrets: Secrets) -> list[tuple[Any, ...]]:
    """The images of the release that the services run, for ``_pull.sh.j2``; once for each platform."""
    made = {}
    names = ("image", "login", "platform", "platform_format", "platform_start")
    logins = dict(order.pulls)
    for part in wanted.parts.values():
        image, platform = part.fields["image"], part.fields.get("platform")
        if image in logins:
            values = one_pull(image, logins[image], platform, secrets)
            made[image, platform] = tuple(values[name] for name in names)
    return list(made.values())


def _look_format(order: Order, of_service: str) -> str:
    """Go template: words about a container; what others may have written comes last, its service in the end."""
    labels = ".Config.Labels"

    def word(key: str) -> str:
        return f"{{{{with {label_format(key, labels)}}}}}{{{{.}}}}{{{{else}}}}-{{{{end}}}}"

    return (
        "{{.ID}} {{.State.Status}} "
        "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} "
        "{{with .HostConfig.RestartPolicy.Name}}{{.}}{{else}}no{{end}} "
        f"{{{{if and {is_ours(order, labels)}}}}}ours{{{{else}}}}other{{{{end}}}} "
        f"{word('spec')} {word('release')} {word('deployment')} "
        f"{{{{index {labels} {go_text(of_service)}}}}}"
    )


def compose_env(step: ComposeStep, secrets: Secrets) -> list[tuple[Words, str]]:
    """The variables for the compose file, as compose's own environment."""
    env = Env(step.env, secrets)
    if env.lines:
        raise ModelError(
            f"step {step.name!r}: the shell or docker itself uses the variable {env.lines[0][0]!r}; rename it in the "
            "compose file"
        )
    return env.exported


def unset_names(step: ComposeStep) -> list[str]:
    """The variables that the file reads and that have no value: what the host says of them must not count."""
    return [name for name in variables_of(step.document) if name not in step.env and not read_by_others(name)]


def _labelled(order: Order, step: ComposeStep, wanted: Wanted, origin: Callable[[str], Mapping[str, str]]) -> Document:
    """The compose file as it is sent: digests for tags, and our labels on all that it makes.

    Args:
        order: For the labels.
        step: Has the file.
        wanted: Has the digests, and the hash of each service.
        origin: Gives the labels that say which release made a service, as compose shall read them.
    """
    document = step.document
    ours = owner_labels(order)
    for name, service in document["services"].items():
        part = wanted.parts[name]
        service["image"] = part.fields["image"]
        made_by = {LABELS[key]: text for key, text in origin(name).items()}
        what = {LABELS["spec"]: part.spec, LABELS["fields"]: literal(part.text)}
        service["labels"] = {**service.get("labels", {}), **ours, **made_by, **what}
    return owned(document, ours)


def owner_labels(order: Order) -> dict[str, str]:
    """The labels that say whose something is, as a compose file has them."""
    mine = {"project": order.project, "environment": order.environment, "step": order.step.name}
    return {LABELS[key]: literal(text) for key, text in mine.items()}


def owned(document: Document, ours: Mapping[str, str]) -> Document:
    """*document* with the labels *ours* on the networks and volumes that it makes."""
    for kind in ("networks", "volumes"):
        entries = dict(document.get(kind) or {})
        if kind == "networks" and any(_joins_default(service) for service in document["services"].values()):
            entries.setdefault("default", {})
        for name, entry in entries.items():
            if not (entry or {}).get("external"):
                entries[name] = {**(entry or {}), "labels": {**labels_of(entry or {}), **ours}}
        if entries:
            document[kind] = entries
    return document


def _joins_default(service: Mapping[str, Any]) -> bool:
    networks = service.get("networks")
    return "default" in networks if networks else "network_mode" not in service


def literal(text: str) -> str:
    """*text* so that compose reads no variable in it."""
    return text.replace("$", "$$")
