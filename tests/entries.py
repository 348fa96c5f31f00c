"""Releases, deployments, outcomes and events, as a store is given them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs

from octossh.model import (
    CreateNetwork,
    Deployment,
    Event,
    Mode,
    Outcome,
    Pairs,
    Pin,
    Process,
    Registry,
    Release,
    RunContainer,
    State,
    Variable,
    secret,
)
from octossh.recording import controller_here

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
IMAGE = Registry("hub", "https://registry.example.com").image("acme/web")


def release(number, project="shop", **changes):
    values = {
        "project": project,
        "number": number,
        "channel": "stable",
        "process": Process([CreateNetwork("backend"), RunContainer("web", image=IMAGE, env={"KEY": secret("KEY")})]),
        "variables": (Variable("ratio", 0.1), Variable("count", 2), Variable("on", True)),
        "pins": (Pin(image=IMAGE, tag="1.2", digest="sha256:" + "a" * 64, resolved_at=NOW),),
        "created_at": NOW,
        "created_by": "ann@build",
        "notes": "first ✓",
    }
    return Release(**{**values, **changes})


def deployment(id_="d1", **changes):
    values = {
        "id": id_,
        "project": "shop",
        "release": "0.0.1",
        "environment": "Dev",
        "mode": Mode.DEPLOY,
        "state": State.RUNNING,
        "started_at": NOW,
        "by": "ann@build",
        "controller": controller_here(),
    }
    return Deployment(**{**values, **changes})


def outcome(step="web", target="h01", **changes):
    values = {
        "step": step,
        "target": target,
        "state": State.SUCCEEDED,
        "action": "created",
        "changed": True,
        "why": "it was not there",
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=3),
        "exit_code": 0,
        "script": "echo 'a\nb'",
        "log": "línea\r\n\x1b[1mend",
        "inspect": {"Name": "shop", "Ports": [1, None, 2.5, {"é": "😀"}]},
        "outputs": Pairs({"ip": "10.0.0.1"}),
    }
    return Outcome(**{**values, **changes})


def event(of="d1", type_="step_finished", step="web", target="h01", **data):
    return Event(type=type_, at=NOW, deployment=of, step=step, target=target, data=data)


def whole(value):
    """All fields, also those that equality leaves out."""
    return attrs.asdict(value)
