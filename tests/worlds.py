"""A world of hosts that answer as they are told, and what is deployed to it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from fleet import MOMENT

import octossh as oc
from octossh.deploying import apply
from octossh.planning import plan

hub = oc.Registry("hub", "https://registry.example.com")
NET = oc.CreateNetwork("net")
WEB = oc.RunContainer("web", image=hub.image("acme/web"))
DO = oc.RunScript("do", script="true")
KEY = "geheim/& value"


def targets(count):
    return tuple(oc.Target(f"h{number}", f"h{number}", environments=["Dev"]) for number in range(1, count + 1))


def planned(*steps, hosts=1, secrets=None, **more):
    process = oc.Process(steps)
    release = oc.Release(
        project="shop",
        number="0.0.1",
        channel="stable",
        process=process,
        pins=tuple(oc.Pin(image=image, tag="1", digest="sha256:" + "a" * 64) for image in process.images),
        created_at=MOMENT,
    )
    return plan(release, "Dev", targets(hosts), secrets=secrets, **more)


def says(state="succeeded", action="created", changed="yes", why="", *, inspect=None, outputs=None):
    """The frames of a script that came to its end."""
    made = [oc.Frame("begin")]
    if inspect is not None:
        made.append(oc.Frame("inspect", json.dumps(inspect)))
    made += [oc.Frame("output", f"{n} {base64.b64encode(v.encode()).decode()}") for n, v in (outputs or {}).items()]
    return [*made, oc.Frame("end", f"{state} {action} {changed} {why}")]


FAILED = says("failed", "none", "no", "no space left")
GONE = says("failed", "gone", "no", "this host knows nothing of that run")


class Journal:
    """Remembers what was recorded, and refuses when it is told to."""

    def __init__(self, calls, refuse=lambda what: False):
        self.calls, self.refuse = calls, refuse
        self.finished = None
        self.events = []

    def _note(self, what):
        if self.refuse(what):
            raise oc.RecordError("the disk is full")
        self.calls.append(what)

    def start(self, deployment):
        assert deployment.state is oc.State.RUNNING
        self._note("start")

    def record(self, event, outcome=None):
        assert (outcome is not None) == (event.type == "step_finished")
        self.events.append(event)
        self._note(f"{event.type} {event.step} {event.target}".strip())

    def finish(self, deployment):
        self._note("finish")
        self.finished = deployment


class World:
    """A plan's surroundings: a transport that answers by step and target, a journal, and one list of all calls."""

    def __init__(self, answers=None, *, refuse=lambda what: False, on_connect=None, on_event=None):
        self.calls, self.events = [], []
        self.answers = answers or {}
        self.transport = oc.Replay(self._answer, on_connect)
        self.journal = Journal(self.calls, refuse)
        self.on_event = on_event or self.events.append

    def _answer(self, target, script):
        name = script.name.split(" ", 1)[1]
        self.calls.append(f"sent {name} {target.name}")
        answer = self.answers.get(f"{name} {target.name}", self.answers.get(name, says()))
        if isinstance(answer, list) and answer and not isinstance(answer[0], oc.Frame):
            answer = answer.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, BaseException):
            self.transport.connected.discard(target.name)
            raise answer
        return answer

    def apply(self, made, **more):
        deployment = oc.Deployment(
            id="d1",
            project="shop",
            release="0.0.1",
            environment="Dev",
            mode=oc.Mode.DEPLOY,
            state=oc.State.RUNNING,
            started_at=datetime.now(UTC),
        )
        return apply(made, self.transport, self.journal, deployment, on_event=self.on_event, **more)

    @property
    def sent(self):
        return [call.removeprefix("sent ") for call in self.calls if call.startswith("sent ")]


def states(deployment):
    return {f"{outcome.step} {outcome.target}": outcome.state.value for outcome in deployment.outcomes}


def failing(world, made, **more):
    with pytest.raises(oc.DeployFailed) as caught:
        world.apply(made, **more)
    assert caught.value.deployment == world.journal.finished
    return caught.value
