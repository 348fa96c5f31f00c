"""pure.py WORK: do one of the works that need no host, and print how many instructions of Python that takes.

``pure.py WORK large``: do it for a fleet, and print the least seconds of CPU of three times.
"""

import gc
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import attrs

import octossh as oc
from octossh.model import Pin, Process
from octossh.planning import plan
from octossh.rendering import render
from octossh.versions import choose

sys.path.insert(0, sys.path[0] + "/..")
from golden.cases import DIGEST, IMAGE, order

TAGS = [f"{n % 30}.{n % 60}.{n}{tail}" for n in range(200) for tail in ("", "-alpine", "-rc.1")]
STEPS = [
    oc.CreateNetwork("net"),
    oc.RunContainer("web", image=IMAGE, publish=["8080:8080"], env={"LEVEL": "info"}, networks=["shop-Dev-net"]),
    oc.RunScript("say", script="echo done"),
]
RELEASE = oc.Release(
    project="shop",
    number="0.0.1",
    channel="default",
    process=Process(STEPS),
    pins=(Pin(image=IMAGE, tag="1.0.0", digest=DIGEST),),
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)
TARGETS = [oc.Target(f"h{number:02}", "192.0.2.1", environments=["Dev"]) for number in range(20)]
ORDERS = [order(step) for step in STEPS]


def choosing() -> None:
    """One of 600 tags."""
    choose(TAGS, range="[3.0,20.0)", variant="alpine")


def planning() -> None:
    """Three steps on 20 hosts."""
    plan(RELEASE, "Dev", TARGETS)


def rendering() -> None:
    """The scripts of three steps."""
    for made in ORDERS:
        render(made)


WORKS: dict[str, Callable[[], None]] = {"choosing": choosing, "planning": planning, "rendering": rendering}


def counted(work: Callable[[], None]) -> int:
    """The instructions of *work*; twice before it is done for what is loaded and kept the first time."""
    count = 0

    def each(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return each

    work()
    work()
    gc.disable()
    sys.settrace(each)
    work()
    sys.settrace(None)
    return count


def fleet(work: str) -> Callable[[], object]:
    """Planning 20 steps on 1,000 hosts, half of them containers with values of their host's, or rendering 1,000 scripts."""
    if work == "rendering":
        made = [ORDERS[number % len(ORDERS)] for number in range(1000)]
        return lambda: [render(each) for each in made]
    env = {"LEVEL": "{{ Level }}", "HOST": "{{ target.name }}"}
    steps: list[oc.Step] = [oc.RunScript(f"say {number}", script="echo {{ Level }}") for number in range(10)]
    steps += [oc.RunContainer(f"web{number}", image=IMAGE, env=env) for number in range(10)]
    levels = (oc.Variable("Level", "info"), oc.Variable("Level", "debug", target="h0007"))
    many = attrs.evolve(RELEASE, process=Process(steps), variables=levels)
    hosts = [oc.Target(f"h{number:04}", "192.0.2.1", environments=["Dev"]) for number in range(1000)]
    return lambda: plan(many, "Dev", hosts)


def seconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(4):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took[1:])  # the first one loads and keeps


if __name__ == "__main__":
    print(seconds(fleet(sys.argv[1])) if sys.argv[2:] == ["large"] else counted(WORKS[sys.argv[1]]))
