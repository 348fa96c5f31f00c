"""The command that prints the JSON schemas of the documents that other commands print."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh
from octossh.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from octossh.model.schemas import Schemas

__all__ = ["COMMANDS", "NAMES", "schema"]


@command(octossh, "schema")
@click.argument("name", required=False)
def _schema(_options: Options, name: str | None) -> None:
    """Print the JSON schema of the document NAME. Without it, the names that there are."""
    if name is None:
        width = max(map(len, NAMES))
        click.echo("\n".join(f"{one.ljust(width)}  {text}" for one, text in NAMES.items()))
        return
    click.echo(json.dumps(schema(name), indent=2))


COMMANDS = {
    "approve": ("schedule",),
    "audit export": ("audit-export",),
    "audit list": ("audit",),
    "audit send": ("audit-send",),
    "audit verify": ("audit-verify",),
    "board": ("board",),
    "cancel": ("deployment",),
    "check": ("check",),
    "continue": ("deployment",),
    "deploy": ("deployment", "schedule", "outdated"),
    "deployment show": ("deployment",),
    "drift": ("drift",),
    "exec": ("executions",),
    "freeze add": ("freeze",),
    "freeze list": ("freezes",),
    "freeze remove": ("freeze-remove",),
    "history": ("history", "deployment"),
    "images": ("images",),
    "import compose": ("import", "files"),
    "import kamal": ("import", "files"),
    "init": ("files",),
    "logs": ("container-line",),
    "maintain end": ("maintain-end",),
    "maintain list": ("maintain",),
    "maintain start": ("maintain-start",),
    "plan": ("plan",),
    "promote": ("deployment", "schedule"),
    "prune": ("plan", "deployment"),
    "release allow": ("release-allow",),
    "release create": ("release",),
    "release diff": ("release-diff",),
    "release export": ("release",),
    "release import": ("release",),
    "release list": ("releases",),
    "release prevent": ("release-prevent",),
    "release prevented": ("release-prevented",),
    "release show": ("release",),
    "render": ("scripts",),
    "resume": ("deployment",),
    "rollback": ("deployment", "schedule"),
    "run-due": ("schedules",),
    "schedule cancel": ("schedule",),
    "schedule list": ("schedules",),
    "status": ("status",),
    "tags": ("tags",),
    "tidy": ("tidy",),
    "values list": ("values",),
    "values new-key": ("values-key",),
    "values remove": ("value",),
    "values rotate": ("values-rotate",),
    "values set": ("value",),
    "who": ("who",),
}
"""What each command prints with --json; those that are not here print text alone."""


def _names() -> dict[str, str]:
    """The documents, and which command prints them."""
    said = {
        "error": "of every command that fails",
        "event": "a line of --events",
        "hook-call": "what hooks are told",
    }
    by: dict[str, list[str]] = {}
    for name, documents in COMMANDS.items():
        for document in documents:
            by.setdefault(document, []).append(repr(name))
    for document, names in by.items():
        *first, last = names
        line = "a line of " if document == "container-line" else "of "
        said[document] = f"{line}{', '.join(first)}{' and ' if first else ''}{last}"
    return dict(sorted(said.items()))


NAMES = _names()


def schema(name: str) -> dict[str, Any]:
    """The JSON schema of a document; more fields may come with later versions.

    Raises:
        ModelError: There is no such document.
    """
    from octossh.model.schemas import DIALECT, Schemas

    if name not in NAMES:
        raise ModelError(f"there is no document {name!r}; {did_you_mean(name, NAMES)}")
    make = Schemas()
    own = {**_facts(make), **_views(make)}
    whole = own[name]() if name in own else make.of(_nouns()[name])
    return {"$schema": DIALECT, "title": f"octossh {name}", **whole, "$defs": make.definitions}


def _nouns() -> dict[str, type]:
    """The documents that are a noun as it is."""
    from octossh import model
    from octossh.board.writing import Written
    from octossh.recording import Verification

    return {
        "audit-verify": Verification,
        "board": Written,
        "check": oc.Checkup,
        "container-line": oc.ContainerLine,
        "deployment": oc.Deployment,
        "event": oc.Event,
        "executions": oc.Executions,
        "freeze": oc.Freeze,
        "hook-call": oc.HookCall,
        "images": model.Repositories,
        "maintain-start": oc.Maintenance,
        "release": oc.Release,
        "release-diff": oc.ReleaseDiff,
        "release-prevent": oc.Prevention,
        "schedule": oc.Schedule,
        "schedules": model.ScheduleList,
        "tidy": oc.Tidying,
        "values": model.StoredValues,
        "who": oc.Whereabouts,
    }


def _facts(make: Schemas) -> dict[str, Callable[[], dict[str, Any]]]:
    """The documents that say in a few words what was done."""
    text, count, flag = make.of(str), make.of(int), make.of(bool)
    return {
        "audit-export": lambda: _object(events=count, file=text),
        "error": lambda: _object(error=_object(kind=text, message=text, hosts=make.of(oc.Hosts))),
        "files": lambda: _object(files=_many(text), next=_many(text)),
        "freeze-remove": lambda: _object(removed=text),
        "import": lambda: _object(octofile=text, notes=_many(_object(place=text, why=text, advice=text))),
        "maintain": lambda: _object(maintenance={"type": "object", "additionalProperties": text}),
        "maintain-end": lambda: _object(target=text),
        "outdated": lambda: _object(outdated=_many(text)),
        "value": lambda: _object(value=text, stored=flag),
        "values-key": lambda: _object(key=text),
        "values-rotate": lambda: _object(rotated=count),
    }


def _views(make: Schemas) -> dict[str, Callable[[], dict[str, Any]]]:
    """The documents that are made of nouns where they are printed."""
    from octossh.model import Standing
    from octossh.sinks import Backlog

    of, text, flag = make.of, make.of(str), make.of(bool)
    task = {"step": text, "kind": text, "target": text, "action": of(oc.Action), "why": text}
    verdict = _object(tag=text, accepted=flag, reason=text, rule=text)
    return {
        "audit": lambda: _object(entries=_many(of(oc.AuditEntry))),
        "audit-send": lambda: _object(backlog=_many(of(Backlog))),
        "drift": lambda: _object(ok=flag, drifted=flag, places=_many(of(oc.Drift))),
        "freezes": lambda: _object(freezes=_many(_with(make, of(oc.Freeze), "holds", flag))),
        "history": lambda: _object(deployments=_many(_without(make, of(oc.Deployment), "outcomes"))),
        "plan": lambda: _object(
            project=text,
            release=text,
            environment=text,
            mode=of(oc.Mode),
            options=of(oc.Options),
            left_out=_many(text),
            has_changes=flag,
            tasks=_many(_object(**task)),
        ),
        "release-allow": lambda: _object(allowed=of(oc.Prevention)),
        "release-prevented": lambda: _object(prevented=_many(of(oc.Prevention))),
        "releases": lambda: _object(releases=_many(of(oc.Release))),
        "scripts": lambda: _object(scripts=_many(_object(**task, script=of(str | None)))),
        "status": lambda: _object(standings=_many(of(Standing))),
        "tags": lambda: _object(chosen=of(str | None), notes=_many(text), ambiguous=text, verdicts=_many(verdict)),
    }


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _without(make: Schemas, made: dict[str, Any], field: str) -> dict[str, Any]:
    """The same, where *field* may be left out."""
    found = make.definitions[made["$ref"].rpartition("/")[2]]
    found["required"] = [name for name in found["required"] if name != field]
    return made


def _with(make: Schemas, made: dict[str, Any], field: str, kind: dict[str, Any]) -> dict[str, Any]:
    """The same, with one *field* more."""
    found = make.definitions[made["$ref"].rpartition("/")[2]]
    found["properties"] = {**found["properties"], field: kind}
    found["required"] = [*found["required"], field]
    return made
