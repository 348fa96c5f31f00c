"""Many hosts: simulated ones by `Replay`, and thin ones of the lab, which have an sshd each and no docker of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deploying import show, take_turns
from lab.lab import Lab
from ways import PEERS, Octossh, Ssh, Way

HERE = Path(__file__).parent
# Seconds of one channel over an open connection, 50 ms away, as `ssh warm` took them.
DELAYS_S = ("0.27", "0.27", "0.28", "0.29", "0.30")
SCRIPT = """have=$(cat ~/bench-ssh 2>/dev/null) || :
[ "$have" = {text} ] || printf %s {text} >~/bench-ssh
"""
NUMBERS = {"fresh": "0.0.1", "no-op": "0.0.1", "change": "0.0.2"}


def simulated(counts: Sequence[int], parallel: int, delays: Sequence[str] = DELAYS_S) -> Iterator[dict[str, Any]]:
    """What a deployment of two steps takes with so many hosts, of which each answers after one of *delays*."""
    for count in counts:
        command = [sys.executable, str(HERE / "simulated.py"), str(count), str(parallel), *delays]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{count:6} hosts, {parallel} at once: {said['seconds']:.1f} s (hosts alone {said['ideal_s']:.1f}), "
            f"CPU {said['cpu_s']:.1f} s, {said['events'] / said['seconds']:.0f} events/s, {said['threads']} threads, "
            f"{said['descriptors']} descriptors, {said['base_mb']:.0f} MB and {said['kb_per_host']:.0f} KB for each host, "
            f"store {said['store_mb']:.1f} MB",
            flush=True,
        )
        yield said


class ThinSsh(Ssh):
    def by_hand(self, work: str) -> str:
        path = self.folder / f"{work}.sh"
        path.write_text(SCRIPT.format(text={"change": "two"}.get(work, "one")))
        return str(path)


class ThinOctossh(Octossh):
    def prepare(self) -> None:
        shutil.copy(PEERS / "octofile_thin.py", self.folder / "octofile.py")
        self.env["PYTHONPATH"] = str(self.sources)
        for number, text in (("0.0.1", "one"), ("0.0.2", "two")):
            self.env["BENCH_TEXT"] = text
            making = [*self.octossh, "release", "create", "--number", number]
            subprocess.run(making, cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)


def thin(hosts: int, rtt_ms: float, rounds: int) -> dict[str, Any]:
    """A file with some text on each of so many hosts: by octossh, and by as many ``ssh`` at once."""
    folder = Path(tempfile.mkdtemp(prefix="octossh-bench-"))
    try:
        with Lab.up(1, name=f"bench{os.getpid()}"[:12], thin=hosts) as lab:
            for name in [name for name in lab.hosts if not name.startswith("t")]:
                del lab.hosts[name]
            lab.rtt(rtt_ms)
            digests = dict.fromkeys(("acme/web:1.0.0", "acme/web:1.0.1"), "")
            made: list[Way] = [
                kind(name, 0, lab, digests, folder / name)
                for name, kind in (("ssh", ThinSsh), ("octossh", ThinOctossh))
            ]
            block = take_turns(lab, rtt_ms, rounds, made, docker=False)
    finally:
        shutil.rmtree(folder)
    show(block)
    return block
