"""Scripts of one deployment for many targets: each is made once for all that call docker alike."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

import octossh as oc
from octossh.deploying import orders

CASES = {
    "alike": ({}, {}, 1),
    "other docker": ({}, {"docker": "podman"}, 2),
    "other socket": ({}, {"docker_host": "unix:///run/user/1000/docker.sock"}, 2),
}


@pytest.fixture
def made(monkeypatch):
    """How often a script was made, by step."""
    counts, make = Counter(), orders.script_of

    def script_of(order):
        counts[order.step.name] += 1
        return make(order)

    monkeypatch.setattr(orders, "script_of", script_of)
    monkeypatch.setattr(orders.time, "time", lambda: 7.0)
    return counts


def sent(*targets, step):
    """The scripts that a deployment of *step* sends, by target."""
    bodies = {}

    def answer(target, script):
        bodies[target.name] = script.body
        return oc.Result((oc.Frame("end", "succeeded ran yes "),), "", 0, datetime(2026, 1, 1, tzinfo=UTC), 0.0)

    project = oc.Project("shop", process=[step])
    with oc.Space(
        "sqlite://", projects=[project], targets=targets, transport=oc.Replay(answer), anchors=False
    ) as space:
        space.create_release()
        space.deploy("0.0.1", "Dev", rollout=oc.Rollout(parallel=1))
    return bodies


def target(name, **fields):
    return oc.Target(name, name, environments=["Dev"], **fields)


@pytest.mark.parametrize("case", CASES)
def test_targets_that_call_docker_alike_share_what_is_made_once(made, case):
    one, other, count = CASES[case]
    bodies = sent(target("h1", **one), target("h2", **other), target("h3", **one), step=oc.CreateVolume("data"))
    assert made["data"] == count
    assert len(bodies) == 3


def test_what_differs_from_target_to_target_is_made_for_each(made):
    bodies = sent(target("h1"), target("h2"), step=oc.RunScript("say", script="echo {{ target.name }}"))
    assert made["say"] == 2
    assert all(f"echo {name}" in body for name, body in bodies.items())
