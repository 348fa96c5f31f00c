"""Fabric's connections, which many hosts are given at one time."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octossh.transport.runners import connected


@pytest.fixture
def _often() -> Any:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_often")
def test_hosts_that_are_reached_at_one_time_do_not_disturb_each_other() -> None:
    transport = cast("Any", SimpleNamespace(active=True))
    beside = threading.Barrier(4)

    def reach(_: int) -> int:
        beside.wait()
        return sum(connected(transport).transport is transport for _ in range(25))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reach, range(4))) == [25] * 4
