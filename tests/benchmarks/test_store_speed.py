"""How long `status` and the last page of `history` take in a large store, beside a bare SELECT 1 on the same one.

``OCTOSSH_BENCH_STORE=1`` is the store of a large company: 200 projects, 20,000 releases, 200,000 deployments, 5.2
million events; it takes a quarter of an hour and 12 GB to make. The default is 0.02 of that, with
all projects.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import bulk
import pytest
from clusters import Cluster
from sqlalchemy import text

import octossh as oc

SCALE = float(os.environ.get("OCTOSSH_BENCH_STORE", "0.02"))
WITHIN_S = 0.2

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("large") / "octossh.db"
        made = f"sqlite:///{path}"
    else:
        server: Cluster = request.getfixturevalue("postgresql")
        made = server.place()
    began = time.perf_counter()
    events = bulk.fill(made, SCALE)
    each = bulk.size(made) / (events / 26.1)
    print(f"\n{request.param}: {events} events in {time.perf_counter() - began:.0f} s; {each:.0f} bytes a deployment")
    return made


def least_s(act: Callable[[], object]) -> float:
    """The shortest of many: what it takes by itself, whatever else the machine does."""
    act()
    times = []
    for _ in range(15):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


def test_status_and_history_are_as_good_as_at_once(url: str) -> None:
    step = oc.RunScript("s", script="true")
    lifecycle = oc.Lifecycle(*bulk.ENVIRONMENTS)
    names = [f"project{number:03}" for number in range(bulk.PROJECTS)]
    projects = [oc.Project(name, process=[step], lifecycle=lifecycle) for name in names]
    with oc.Space(url, projects=projects) as space:
        database = space.store._opened()

        def bare() -> None:
            with database._base.engine.connect() as connection:
                connection.execute(text("SELECT 1")).scalar_one()

        took = {"SELECT 1": least_s(bare)}
        assert len(space.status().standings) == len(names) * len(bulk.ENVIRONMENTS)
        took["status"] = least_s(space.status)
        took["history"] = least_s(space.history)
        took["history of one project"] = least_s(lambda: space.history(names[0]))
        took["history of one place"] = least_s(lambda: space.history(names[0], environment="Production"))
        took["release"] = least_s(lambda: space.release(names[0]))
    for name, seconds in took.items():
        print(f"  {name:24} {seconds * 1000:8.1f} ms")
    assert {name for name, seconds in took.items() if seconds > took["SELECT 1"] + WITHIN_S} == set()
