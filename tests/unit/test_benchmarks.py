"""The benchmarks work at all: on a tiny case, and without a look at the clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import documents
import pytest

BENCH = documents.ROOT / "tests" / "benchmarks" / "bench.py"


def bench(*words: str) -> str:
    return subprocess.run([sys.executable, str(BENCH), *words], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_simulated_hosts_are_deployed_to_and_what_that_took_is_told() -> None:
    said = bench("fleet", "--hosts", "3", "--parallel", "2")
    assert "3 hosts, 2 at once" in said
    assert "descriptors" in said


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
    code = (
        "import json, sys, pathlib\n"
        "from pages import Figures\n"
        "Figures(pathlib.Path(sys.argv[1])).put('deploy', '2 50', json.loads(sys.argv[2]))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path), json.dumps(block)], env=env, check=True)
    assert "     - 3.00 (2.00-4.00)" in (tmp_path / "deploy.inc").read_text()
    assert "3.00 s" in (tmp_path / "deploy-2-50.svg").read_text()
