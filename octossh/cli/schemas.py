"""The command that prints the JSON schemas of the documents that other commands print."""

from __future__ import annotations

import json
from typing import Any

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh
from octossh.errors import ModelError, did_you_mean

__all__ = ["NAMES", "schema"]


@command(octossh, "schema")
@click.argument("name", required=False)
def _schema(_options: Options, name: str | None) -> None:
    """Print the JSON schema of the document NAME; without it, the names that there are."""
    if name is None:
        width = max(map(len, NAMES))
        click.echo("\n".join(f"{one.ljust(width)}  {text}" for one, text in NAMES.items()))
        return
    click.echo(json.dumps(schema(name), indent=2))


NAMES = {
    "audit": "of 'audit list'",
    "container-line": "a line of 'logs --json'",
    "deployment": "of 'deploy', 'promote', 'rollback', 'continue' and 'deployment show'",
    "drift": "of 'drift'",
    "error": "of every command that fails",
    "event": "a line of --events",
    "executions": "of 'exec'",
    "history": "of 'history'",
    "hook-call": "what hooks are told",
    "plan": "of 'plan'",
    "release": "of 'release create' and 'release show'",
    "status": "of 'status'",
}
"""The documents, and which command prints them."""


def schema(name: str) -> dict[str, Any]:
    """The JSON schema of a document; more fields may come with later versions.

    Raises:
        ModelError: There is no such document.
    """
    from octossh.model import Standing
    from octossh.model.schemas import DIALECT, Schemas

    if name not in NAMES:
        raise ModelError(f"there is no document {name!r}; {did_you_mean(name, NAMES)}")
    make = Schemas()
    whole: dict[str, Any] = {
        "audit": lambda: _object(entries=_many(make.of(oc.AuditEntry))),
        "container-line": lambda: make.of(oc.ContainerLine),
        "deployment": lambda: make.of(oc.Deployment),
        "drift": lambda: _object(ok=make.of(bool), drifted=make.of(bool), places=_many(make.of(oc.Drift))),
        "error": lambda: _object(
            error=_object(kind=make.of(str), message=make.of(str), hosts=make.of(oc.Hosts)),
        ),
        "event": lambda: make.of(oc.Event),
        "executions": lambda: make.of(oc.Executions),
        "history": lambda: _object(deployments=_many(_without(make, make.of(oc.Deployment), "outcomes"))),
        "hook-call": lambda: make.of(oc.HookCall),
        "plan": lambda: _plan(make),
        "release": lambda: make.of(oc.Release),
        "status": lambda: _object(standings=_many(make.of(Standing))),
    }[name]()
    return {"$schema": DIALECT, "title": f"octossh {name}", **whole, "$defs": make.definitions}


def _plan(make: Any) -> dict[str, Any]:
    task = _object(
        step=make.of(str), kind=make.of(str), target=make.of(str), action=make.of(oc.Action), why=make.of(str)
    )
    return _object(
        project=make.of(str),
        release=make.of(str),
        environment=make.of(str),
        mode=make.of(oc.Mode),
        options=make.of(oc.Options),
        left_out=_many(make.of(str)),
        has_changes=make.of(bool),
        tasks=_many(task),
    )


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _without(make: Any, made: dict[str, Any], field: str) -> dict[str, Any]:
    """The same, where *field* may be left out."""
    found = make.definitions[made["$ref"].rpartition("/")[2]]
    found["required"] = [name for name in found["required"] if name != field]
    return made
