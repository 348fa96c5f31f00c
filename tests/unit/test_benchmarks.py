"""The benchmarks work at all: on a tiny case, and without a look at the clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import documents
import pytest

BENCH = documents.ROOT / "tests" / "benchmarks" / "bench.py"


def bench(*words: str) -> str:
    return subprocess.run([sys.executable, str(BENCH), *words], check=True, capture_output=True, text=True).stdout


def put(folder: Path, kind: str, key: str, said: dict[str, Any]) -> None:
    code = (
        "import json, sys, pathlib\n"
        "from pages import Figures\n"
        "Figures(pathlib.Path(sys.argv[1])).put(*sys.argv[2:4], json.loads(sys.argv[4]))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    subprocess.run([sys.executable, "-c", code, str(folder), kind, key, json.dumps(said)], env=env, check=True)


@pytest.mark.slow
def test_simulated_hosts_are_deployed_to_and_what_that_took_is_told() -> None:
    said = bench("fleet", "--hosts", "3", "--parallel", "2")
    assert "3 hosts, 2 at once" in said
    assert "descriptors" in said


@pytest.mark.slow
def test_what_a_new_process_takes_is_told_of_each_work() -> None:
    said = bench("cold", "--rounds", "1").splitlines()
    assert [line.partition(":")[0] for line in said] == ["import octossh", "--help", "no-op"]
    assert all("modules" in line for line in said)


def test_tables_and_plots_are_made_of_figures(tmp_path: Path) -> None:
    row = {"ratio": 1.25, "cpu_s": 0.5, "memory_mb": 41.0, "connections": 1, "channels": 3, "docker": 3}
    rows = [row | {"way": "octossh", "work": work, "seconds": [2.0, 4.0, 3.0]} for work in ("fresh", "no-op", "change")]
    block = {
        "hosts": 2,
        "rtt_ms": 50,
        "rounds": 3,
        "versions": {"octossh": ""},
        "rows": rows,
        "commit": "c0ffee",
        "load": 1.0,
    }
    put(tmp_path, "deploy", "2 50", block)
    assert "     - 3.00 (2.00-4.00)" in (tmp_path / "deploy.inc").read_text()
    assert "3.00 s" in (tmp_path / "deploy-2-50.svg").read_text()
    assert "Not measured" in (tmp_path / "thin.inc").read_text()


def test_an_aim_is_met_missed_or_not_measured_round_by_round(tmp_path: Path) -> None:
    rest = {"ratio": 1.0, "cpu_s": 0.5, "memory_mb": 41.0, "connections": 1, "channels": 3}
    ways = {"ssh": ([1.0, 2.0, 4.0], 8), "octossh": ([1.2, 2.2, 9.0], 5)}
    rows = [
        rest | {"way": way, "work": work, "seconds": seconds, "docker": docker}
        for way, (seconds, docker) in ways.items()
        for work in ("fresh", "no-op", "change")
    ]
    told = {"hosts": 10, "rtt_ms": 50, "rounds": 3, "versions": {}, "rows": rows, "commit": "c0ffee", "load": 1.0}
    put(tmp_path, "deploy", "10 50", told)
    lines = (tmp_path / "aims.inc").read_text().replace("\n     - ", " | ").splitlines()
    said = {line.strip(" *-").split(" | ")[0]: line.split(" | ")[1:] for line in lines if " | " in line}
    assert said["no-op of octossh, 10 hosts, 50 ms: at most 1.10 of the time of ssh"] == ["1.20", "**missed**"]
    assert said["fresh of octossh, 10 hosts, 50 ms: at most 1.00 of the starts of docker of ssh"] == ["0.62", "met"]
    assert said["no-op of octossh, 10 hosts, 0 ms: at most 1.40 of the time of ssh"] == ["", "not measured"]
