"""How long a large store takes to answer, and how large it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bulk
from clusters import cluster

import octossh as oc

DATABASES = ("sqlite", "postgresql")
# One of those that `bulk` makes has so many.
EVENTS = 26.1


def least_s(act: Callable[[], object]) -> float:
    """The shortest of many: what it takes by itself, whatever else the machine does."""
    act()
    times = []
    for _ in range(15):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


def fill(url: str, scale: float) -> dict[str, Any]:
    """Make the store at *url*; say how large it is."""
    events = bulk.fill(url, scale)
    count = round(events / EVENTS)
    return {"deployments": count, "events": events, "bytes": round(bulk.size(url) / count)}


def ask(url: str) -> dict[str, float]:
    """Seconds that questions take, and what the database itself takes to answer at all."""
    step = oc.RunScript("s", script="true")
    lifecycle = oc.Lifecycle(*bulk.ENVIRONMENTS)
    names = [f"project{number:03}" for number in range(bulk.PROJECTS)]
    projects = [oc.Project(name, process=[step], lifecycle=lifecycle) for name in names]
    with oc.Space(url, projects=projects) as space:
        database = space.store._opened()

        def bare() -> None:
            with database._base.connected() as connection:
                next(connection.rows("SELECT 1"))

        assert len(space.status().standings) == len(names) * len(bulk.ENVIRONMENTS)
        return {
            "SELECT 1": least_s(bare),
            "status": least_s(space.status),
            "history": least_s(space.history),
            "history of one project": least_s(lambda: space.history(names[0])),
            "history of one place": least_s(lambda: space.history(names[0], environment="Production")),
            "release": least_s(lambda: space.release(names[0])),
        }


def measure(scale: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each database, what is in its store and what questions took."""
    with tempfile.TemporaryDirectory(prefix="octossh-bench-") as folder:
        yield "sqlite", _one(f"sqlite:///{Path(folder)}/octossh.db", scale)
    with cluster() as server:
        yield "postgresql", _one(server.place(), scale)


def _one(url: str, scale: float) -> dict[str, Any]:
    return fill(url, scale) | {"seconds": ask(url)}


def show(database: str, said: dict[str, Any]) -> None:
    print(f"{database}: {said['deployments']:,} deployments, {said['events']:,} events, {said['bytes']:,} bytes each")
    for name, seconds in said["seconds"].items():
        print(f"  {name:24} {seconds * 1000:8.1f} ms", flush=True)
