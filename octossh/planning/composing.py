"""What a compose file keeps: its services with the digests of the release, and all that matters of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from octossh.model.steps.compose_files import variables_of

if TYPE_CHECKING:
    from octossh.model import ComposeStep, Release, SecretRef
    from octossh.model.steps.compose_files import Document

__all__ = ["count_of", "pinned_document", "service_fields"]

_SHARED = ("networks", "volumes", "secrets", "configs")


def pinned_document(step: ComposeStep, release: Release) -> Document:
    """The compose file of *step* as it is sent: each image that the release pins by its digest."""
    document = step.document
    for name, service in document["services"].items():
        if name in step.images:
            service["image"] = release.pin(step.images[name]).reference
    return document


def service_fields(
    step: ComposeStep, release: Release, mark: Callable[[str | SecretRef], Any]
) -> dict[str, dict[str, Any]]:
    """All that matters of each service, as fields.

    Args:
        step: With its expressions evaluated.
        release: Knows the digests.
        mark: Gives a variable as it may stand among fields: of a secret its name and version.
    """
    document = pinned_document(step, release)
    variables = {name: mark(value) for name, value in step.env.items()}
    secret = {name for name, value in variables.items() if isinstance(value, Mapping)}
    made = {}
    for name, service in document["services"].items():
        shared = {kind: used for kind in _SHARED if (used := _used(document.get(kind) or {}, service, kind))}
        read = variables_of([service, shared])
        environment = service.get("environment", {})
        hidden = {key: next((v for v in variables_of(text) if v in secret), None) for key, text in environment.items()}
        # What the file says counts, also where it says nothing of something: `command: []` is not the image's own.
        said = {key: value for key, value in service.items() if value is not None and key != "environment"}
        more = {
            "tag": release.pin(step.images[name]).tag if name in step.images else "",
            "environment": {key: text for key, text in environment.items() if hidden[key] is None},
            "env": {key: {**variables[v], "in": environment[key]} for key, v in hidden.items() if v is not None},
            "variables": {key: variables[key] for key in read if key in variables},
            "shared": shared,
        }
        made[name] = {**said, **{key: value for key, value in more.items() if value}}
    return made


def _used(entries: Mapping[str, Any], service: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What *service* uses of the entries of one kind at the top of the file."""
    given = service.get(kind)
    if given is None and kind == "networks" and "network_mode" not in service:
        given = ["default"]
    names = set()
    for item in given or ():
        if isinstance(item, Mapping):
            names.add(str(item.get("source", "")))
        else:
            names.add(str(item).partition(":")[0] if kind == "volumes" else str(item))
    return {name: entry for name, entry in entries.items() if name in names}


def count_of(fields: Mapping[str, Any]) -> int:
    """How many containers a service has; 0 where only compose knows, since a variable says it."""
    deploy = fields.get("deploy")
    given = fields.get("scale", deploy.get("replicas", 1) if isinstance(deploy, Mapping) else 1)
    return int(given) if isinstance(given, int) or (isinstance(given, str) and given.isdecimal()) else 0
