"""Instructions of Python's own machine for the works that need no host: a number that a busy machine does not change.

What is done in C counts as one. (callgrind sees that too, but takes half a minute for each count, and two counts of
the same work differed by half.)
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORKS = ("choosing", "planning", "rendering")


def instructions(work: str, sources: Path) -> int:
    """Of one time, once everything is loaded, with the octossh in the folder *sources*."""
    env = {**os.environ, "PYTHONPATH": str(sources), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(HERE / "pure.py"), work]
    return int(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def seconds(work: str) -> float:
    """Of CPU, for planning or rendering for 1,000 hosts."""
    command = [sys.executable, str(HERE / "pure.py"), work, "large"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def python() -> str:
    """Each version of Python has instructions of its own, so that only counts of the same one can be compared."""
    return f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"


def beside(before: Path | None, kept: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
    """What to compare with, and its counts: the octossh in a folder, or what the page has of this Python."""
    if before is not None:
        return "before", {work: instructions(work, before) for work in WORKS}
    if kept.get("python") != python():
        return "", {}
    return "on the page", {work: kept[work] for work in WORKS if work in kept}


def show(sources: Path, before: Path | None, kept: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """Print them, beside those of another commit or of the page; return them, and the largest ratio, 0 without one."""
    what, others = beside(before, kept)
    if not others:
        print(f"the page has none of {python()}, so there is nothing to compare with", file=sys.stderr)
    found: dict[str, Any] = {"python": python()}
    most = 0.0
    for work in WORKS:
        found[work] = instructions(work, sources)
        told = ""
        if work in others:
            ratio = found[work] / others[work]
            most = max(most, ratio)
            told = f", {what} {others[work]:,}, ratio {ratio:.3f}"
        print(f"{work}: {found[work]:,} instructions{told}", flush=True)
    return found, most
