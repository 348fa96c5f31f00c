"""A project whose one step is a script, on a host in each of some environments that it goes through."""

from __future__ import annotations

from datetime import UTC, datetime

import octossh as oc

STEP = oc.RunScript("do", script="echo hello")
PLACES = ("Dev", "Berlin", "Oslo", "Production")
TARGETS = [oc.Target(name.lower(), name.lower(), environments=[name]) for name in PLACES]


def done(target, script):
    frames = (oc.Frame("docker", "27.0"), oc.Frame("end", "succeeded ran yes "))
    return oc.Result(frames, "", 0, datetime(2026, 1, 1, tzinfo=UTC), 0.0)


def space(*phases, steps=(STEP,), transport=None, **more):
    project = oc.Project("shop", process=steps, lifecycle=oc.Lifecycle(*phases), **more.pop("fields", {}))
    targets = [target for target in TARGETS if target.environments[0] in project.environments]
    return oc.Space("sqlite://", projects=[project], targets=targets, transport=transport or oc.Replay(done), **more)


def deaf(made, monkeypatch, kinds=("tag_moved",)):
    """The store of *made* takes no events of these *kinds*."""
    record = made.store.record

    def refuse(event, *more, **fields):
        if event.type in kinds:
            raise oc.RecordError("the disk is full")
        return record(event, *more, **fields)

    monkeypatch.setattr(made.store, "record", refuse)
