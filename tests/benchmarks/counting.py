"""Instructions of Python's own machine for the works that need no host: a number that a busy machine does not change.

What is done in C counts as one. (callgrind sees that too, but takes half a minute for each count, and two counts of
the same work differed by half.)
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WORKS = ("choosing", "planning", "rendering")


def instructions(work: str, sources: Path) -> int:
    """Of one time, once everything is loaded, with the octossh in the folder *sources*."""
    env = {**os.environ, "PYTHONPATH": str(sources), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(HERE / "pure.py"), work]
    return int(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def show(sources: Path, before: Path | None) -> dict[str, int]:
    """Print them, beside those of another commit."""
    found = {}
    for work in WORKS:
        found[work] = instructions(work, sources)
        beside = ""
        if before is not None:
            was = instructions(work, before)
            beside = f", before {was:,}, ratio {found[work] / was:.3f}"
        print(f"{work}: {found[work]:,} instructions{beside}", flush=True)
    return found
