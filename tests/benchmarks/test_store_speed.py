"""How long `status` and the last page of `history` take in a large store, beside a bare SELECT 1 on the same one.

``OCTOSSH_BENCH_STORE=1`` is the store of a large company: 200 projects, 20,000 releases, 200,000 deployments, 5.2
million events; it takes a quarter of an hour and 12 GB to make. The default is 0.02 of that, with
all projects.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from clusters import Cluster

sys.path.insert(0, str(Path(__file__).parent))

import stores

SCALE = float(os.environ.get("OCTOSSH_BENCH_STORE", "0.02"))
WITHIN_S = 0.2

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=stores.DATABASES)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("large") / "octossh.db"
        return f"sqlite:///{path}"
    server: Cluster = request.getfixturevalue("postgresql")
    return server.place()


def test_status_and_history_are_as_good_as_at_once(url: str) -> None:
    said = stores.fill(url, SCALE)
    said["seconds"] = took = stores.ask(url)
    stores.show(url.partition(":")[0], said)
    assert {name for name, seconds in took.items() if seconds > took["SELECT 1"] + WITHIN_S} == set()
