"""Golden cases: an order as plain data beside the script that it gives. See README.rst there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import octossh as oc
from octossh.model import KINDS, Image, Pin, Process, Registry, Release, Step
from octossh.model.serialising import from_dict
from octossh.planning import Resolver
from octossh.rendering import (
    Order,
    anchor,
    anchors,
    attach,
    check,
    end_run,
    execute,
    forget,
    logs,
    observe,
    render,
    runners,
    unclaim,
)
from octossh.shell import Script, Secret

GOLDEN = Path(__file__).parent
CASES = sorted(GOLDEN.glob("*/*.json"))
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = Image(Registry("hub", "https://registry.example.com"), "acme/web")


def order(
    step: Step,
    *,
    secrets: Mapping[str, str] | None = None,
    tag: str = "1.4.2",
    digest: str = DIGEST,
    project: str = "shop",
    environment: str = "Dev",
    release: str = "0.0.7",
    **more: Any,
) -> Order:
    """The order that a deployment makes of *step*, which holds no expressions any more."""
    pins = [Pin(image=image, tag=tag, digest=digest) for image in dict.fromkeys(step.needed_images)]
    made = Release(
        project=project,
        number=release,
        channel="default",
        process=Process([step]),
        pins=tuple(pins),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    target = oc.Target("h01", "10.0.0.1", environments=[environment])
    asked = more.pop("target", None)
    resolver = Resolver(made, environment, (target,), {name: Secret(text) for name, text in (secrets or {}).items()})
    return Order(
        step=step,
        wanted=resolver.wanted(step),
        project=project,
        environment=environment,
        release=release,
        deployment=more.pop("deployment", "d-20260102-030405-1"),
        image=pins[0].reference if pins else "",
        pulls=tuple((pin.reference, more.get("login")) for pin in pins),
        holder=more.pop("holder", "deployment d-20260102-030405-1 by ada@desk since 2026-01-02 03:04:05 UTC"),
        target=oc.Target("h01", "10.0.0.1", **asked) if isinstance(asked, dict) else asked,
        **more,
    )


def script(case: Path) -> Script:
    """The script that the order in file *case* gives."""
    data = json.loads(case.read_text(encoding="utf-8"))
    if case.parent.name not in KINDS:
        if case.parent.name == "check":
            return check(data["urls"], oc.Target("h01", "10.0.0.1", **data.get("target", {})))
        if case.parent.name == "forget":
            return forget(order(from_dict(Step, data.pop("step")), **data))
        if case.parent.name == "anchor":
            return anchor(data["project"], data["environment"], data["line"])
        if case.parent.name == "anchors":
            return anchors(data["places"])
        if case.parent.name == "runners":
            return runners(oc.Target("h01", "10.0.0.1", **data["target"]))
        if case.parent.name == "attach":
            return attach(data["run"], data["name"])
        if case.parent.name == "unclaim":
            return unclaim(data["claim"])
        if case.parent.name == "end_run":
            return end_run(data["run"], data["name"], data["why"])
        if case.parent.name == "logs":
            since = datetime.fromisoformat(data["since"]) if "since" in data else None
            host = oc.Target("h01", "10.0.0.1", **data.get("target", {}))
            return logs(host, data["container"], follow=data["follow"], since=since, tail=data.get("tail"))
        if case.parent.name == "execute":
            host = oc.Target("h01", "10.0.0.1", **data.get("target", {}))
            return execute(host, data["container"], data["command"], user=data.get("user", ""))
        assert case.parent.name == "observe"
        names = [(kind, name) for kind, name in data["names"]]
        target = oc.Target("h01", "h01", **data.get("target", {}))
        return observe(data["project"], data["environment"], names, data.get("contents"), target)
    return render(order(from_dict(Step, data.pop("step")), **data))
