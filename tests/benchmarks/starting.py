"""What a command takes on this side, without its hosts: CPU, memory and modules, each time in a new process."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from aims import HEAVY
from venvs import python_of_octossh

HERE = Path(__file__).parent
WORKS = {
    "import octossh": ["-c", "import octossh"],
    "--help": ["-m", "octossh", "--help"],
    "no-op": ["-m", "octossh", "deploy", "0.0.1", "--to", "Dev", "-q"],
}
OCTOFILE = """import octossh as oc
import octossh.transport.links  # as it is loaded for hosts that are none of a recording

END = [oc.Frame("end", "succeeded unchanged no ")]
process = [oc.CreateNetwork("net"), oc.CreateVolume("vol"), oc.RunScript("say", script="true")]
targets = [oc.Target(f"h{number:02}", "192.0.2.1", environments=["Dev"]) for number in range(10)]
transport = oc.Replay(lambda _target, _script: END)
space = oc.Space(projects=[oc.Project("bench", process=process)], targets=targets, transport=transport, anchors=False)
"""


def _python(words: list[str], sources: Path, folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    # Whoever keeps Python from writing what it has compiled would measure its compiler.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env["PYTHONPATH"] = str(sources)
    command = [*before, python_of_octossh(), *words]
    return subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True)


def _once(work: str, sources: Path, folder: Path) -> dict[str, float]:
    done: dict[str, Any] = json.loads(
        _python(WORKS[work], sources, folder, sys.executable, "-I", "-S", str(HERE / "once.py")).stdout
    )
    if done["code"]:
        sys.exit(f"bench: {work}: exit code {done['code']}: {done['said']}")
    return done


def _modules(work: str, sources: Path, folder: Path) -> list[str]:
    said = _python(["-X", "importtime", *WORKS[work]], sources, folder).stderr
    lines = [line for line in said.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]  # the first one is the head of the table


def measure(here: Path, before: Path | None, rounds: int) -> dict[str, Any]:
    """Print medians of each work; beside those of another commit, with which it takes turns."""
    found: dict[str, Any] = {}
    sources = [here, *([before] if before else [])]
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(place)) for place in range(len(sources))]  # stores may have other forms
        for place, source in zip(places, sources, strict=True):
            place.mkdir()
            (place / "octofile.py").write_text(OCTOFILE)
            _python(["-m", "octossh", "release", "create", "--number", "0.0.1"], source, place)
        for work in WORKS:
            runs: list[list[dict[str, float]]] = [[] for _ in sources]
            for number in range(rounds + 1):
                for done, source, place in zip(runs, sources, places, strict=True):
                    made = _once(work, source, place)
                    if number:  # the first one writes what Python keeps of its sources
                        done.append(made)
            loaded = _modules(work, here, places[0])
            found[work] = {
                "seconds": round(statistics.median(run["seconds"] for run in runs[0]), 3),
                "cpu_s": round(statistics.median(run["cpu_s"] for run in runs[0]), 3),
                "memory_mb": round(statistics.median(run["memory_mb"] for run in runs[0]), 1),
                "modules": len(loaded),
                "heavy": [name for name in HEAVY if name in loaded],
            }
            text = f"{work}: {{seconds:.3f}} s, CPU {{cpu_s:.3f}} s, {{memory_mb:.0f}} MB, {{modules}} modules".format(
                **found[work]
            )
            if before:
                ratios = [run["cpu_s"] / was["cpu_s"] for run, was in zip(*runs, strict=True)]
                found[work]["ratio"] = round(statistics.median(ratios), 3)
                was = statistics.median(run["memory_mb"] for run in runs[1])
                text += f"; before: ratio of CPU {found[work]['ratio']:.3f}, {was:.0f} MB"
                text += f", {len(_modules(work, before, places[1]))} modules"
            print(text, flush=True)
    return found
