"""What goes on beside each other: pulls beside what other hosts do, questions to a registry beside connections.

No lab is needed: hosts and a registry take as long as they are told. What is measured is what waits, not how long.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import octossh as oc
from octossh.testing.registry import FakeRegistry, Reply, Seen

HOSTS = 4
ANSWER_S = 0.3
END = [oc.Frame("end", "succeeded ran yes ")]


class Hosts(oc.Replay):
    """Hosts that do the steps of a script one after the other, as real ones do, and tell each when it has ended.

    Args:
        work: Called with the host and the number of the step, from 1; the step is done when it returns.
    """

    streams = True

    def __init__(self, work: Callable[[str, int], None], on_connect: Callable[[oc.Target], None] | None = None) -> None:
        super().__init__(lambda _target, _script: END, on_connect)
        self._work = work

    def run(
        self,
        target: oc.Target,
        script: oc.Script,
        *,
        on_frame: Callable[[oc.Frame], None] | None = None,
        on_line: Callable[[str], None] | None = None,
        **more: Any,
    ) -> oc.Result:
        self.connect(target)
        steps = 1 + script.body.count("\noctossh_part ")
        if steps == 1 or on_frame is None:
            self._work(target.name, 1)
            return super().run(target, script, on_frame=on_frame, on_line=on_line, **more)
        for step in range(1, steps + 1):
            if step > 1:
                for stream in ("out", "err"):
                    on_frame(oc.Frame("part", f"{step} {stream}"))
            self._work(target.name, step)
            for frame in END:
                on_frame(frame)
        return oc.Result(tuple(END * steps), "", 0, datetime.now(UTC), 0.0)


class Far(FakeRegistry):
    """A registry of which each answer takes so many seconds."""

    delay_s = 0.0

    def answer(self, seen: Seen) -> Reply:
        self.wait(self.delay_s)
        return super().answer(seen)


@contextmanager
def _space(registry: FakeRegistry, transport: oc.Replay, **more: Any) -> Iterator[oc.Space]:
    """With a store of its own, so that no run works on what an earlier one has left."""
    image = oc.Registry("fake", registry.url).image("acme/web")
    process = [oc.PullImage("pull", image=image), oc.RunContainer("web", image=image)]
    targets = [oc.Target(f"h{number}", "192.0.2.1", environments=["Dev"]) for number in range(1, HOSTS + 1)]
    project = oc.Project("bench", process=process)
    with tempfile.TemporaryDirectory() as folder:
        more |= {"store": f"sqlite:///{folder}/octossh.db", "anchors": False}
        with oc.Space(projects=[project], targets=targets, transport=transport, **more) as space:
            yield space


def pulls() -> dict[str, Any]:
    """How many hosts wait with their next step while one is pulling; it pulls until the others are done, or 5 s."""
    done: set[str] = set()
    bell = threading.Condition()
    waited: list[str] = []

    def work(host: str, step: int) -> None:
        with bell:
            if host == "h1" and step == 1:
                bell.wait_for(lambda: len(done) == HOSTS - 1, timeout=5)
                waited.extend(f"h{number}" for number in range(2, HOSTS + 1) if f"h{number}" not in done)
            elif step == 2:
                done.add(host)
                bell.notify_all()

    with FakeRegistry() as registry:
        registry.push_image("acme/web", "1.0")
        with _space(registry, Hosts(work)) as space:
            space.deploy(space.create_release(), "Dev")
    return {"hosts": HOSTS - 1, "waited": len(waited)}


def questions(rounds: int) -> dict[str, Any]:
    """How much longer a deployment takes whose registry is asked than one that asks none, both as far away."""
    added = []
    with Far() as registry:
        registry.push_image("acme/web", "1.0")

        def seconds(asking: str) -> float:
            hosts = Hosts(lambda _host, _step: None, on_connect=lambda _target: time.sleep(ANSWER_S))
            with _space(registry, hosts, on_moved_tag=asking) as space:
                release = space.create_release()
                registry.delay_s = ANSWER_S
                began = time.perf_counter()
                space.deploy(release, "Dev")
                registry.delay_s = 0.0
                return time.perf_counter() - began

        for number in range(rounds + 1):
            ways = ("warn", "ignore") if number % 2 else ("ignore", "warn")  # neither always comes first
            took = {asking: seconds(asking) for asking in ways}
            if number:  # the first one loads what is needed
                added.append(took["warn"] - took["ignore"])
    return {"answer_s": ANSWER_S, "added_s": [round(each, 4) for each in added]}


def measure(rounds: int) -> dict[str, Any]:
    return {"pulls": pulls(), "questions": questions(rounds)}


def show(said: dict[str, Any]) -> None:
    one, two = said["pulls"], said["questions"]
    print(f"while one host pulls, {one['waited']} of {one['hosts']} others wait with their next step")
    added = statistics.median(two["added_s"]) * 1000
    print(f"a registry that answers after {two['answer_s'] * 1000:.0f} ms adds {added:.0f} ms", flush=True)
