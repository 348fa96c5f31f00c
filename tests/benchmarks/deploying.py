"""The same work by all ways, in turns on the same hosts: seconds, CPU, memory, connections, channels, starts of docker."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.lab import Lab
from venvs import NotThereError
from ways import IMAGES, WAYS, Sample, Way

WORKS = ("fresh", "no-op", "change")
FIRST_PORT = 8081
COUNTER = """#!/bin/sh
echo start >>/var/tmp/docker-starts
exec /usr/local/bin/docker-itself "$@"
"""


class Counts:
    """What the hosts' own sshd and docker say of a run, for each host."""

    def __init__(self, lab: Lab, *, docker: bool) -> None:
        self.lab, self.docked = lab, list(lab.hosts) if docker else []
        for host in self.docked:  # in the host's own file system, which lies over this machine's
            made = f"cat >/usr/local/bin/docker <<'E'\n{COUNTER}E\nchmod 755 /usr/local/bin/docker\n"
            where = "mv $(command -v docker) /usr/local/bin/docker-itself 2>/dev/null || cp $(command -v docker) /usr/local/bin/docker-itself"
            lab.sh(host, f"{where}\n{made}>/var/tmp/docker-starts; chmod 666 /var/tmp/docker-starts")

    def now(self) -> tuple[int, int, int]:
        starts = [self.lab.state / "hosts" / host / "upper/var/tmp/docker-starts" for host in self.docked]
        return (
            sum(self.lab.ssh_connections(host) for host in self.lab.hosts),
            sum(self.lab.ssh_sessions(host) for host in self.lab.hosts),
            sum(len(path.read_text().splitlines()) for path in starts),
        )

    def end(self) -> None:
        for host in self.docked:
            self.lab.sh(host, "mv /usr/local/bin/docker-itself /usr/local/bin/docker")


def check(lab: Lab, way: Way, work: str) -> None:
    """Whether every host has come to what was wanted; past SSH."""
    form = (
        "{{.Config.Image}} {{.State.Running}} {{.HostConfig.RestartPolicy.Name}} {{json .HostConfig.PortBindings}} "
        "{{json .NetworkSettings.Networks}} {{json .Mounts}} {{json .Config.Env}}"
    )

    def look(host: str) -> None:
        said = lab.sh(host, f"docker container inspect --format '{form}' {way.container(work)}")
        words = [" true unless-stopped", f'"vol-{way.key}"', "LEVEL=info", "REGION=eu", "WORKERS=4"]
        for word in [*way.signs(work), *words]:
            if word not in said:
                sys.exit(f"bench: {way.name}, {work}, {host}: no {word} in {said}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, lab.hosts))


@contextmanager
def stage(hosts: int) -> Iterator[tuple[Lab, dict[str, str], Path]]:
    """A lab with the images on its hosts: by digest, as octossh pulls them, so that no registry is measured."""
    folder = Path(tempfile.mkdtemp(prefix="octossh-bench-"))
    try:
        with Lab.up(hosts, name=f"bench{os.getpid()}"[:12]) as lab:
            images = sorted(set(IMAGES.values()))
            lab.pull(*images)
            form = "docker image inspect --format '{{index .RepoDigests 0}}' "
            digests = {image: lab.sh("h01", f"{form} {lab.registry}/{image}").strip() for image in images}
            yield lab, digests, folder
    finally:
        shutil.rmtree(folder)


def measure(hosts: int, rtts: Sequence[float], rounds: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One block of figures for each round-trip time.

    One round before the measured ones warms everything up, counts, and looks whether the work was done.
    """
    with stage(hosts) as (lab, digests, folder):
        for rtt_ms in rtts:
            lab.rtt(rtt_ms)
            made: list[Way] = []
            try:
                for number, name in enumerate(names):
                    port, place = FIRST_PORT + list(WAYS).index(name), folder / f"{rtt_ms:g}-{number}"
                    try:
                        made.append(WAYS[name](name, port, lab, digests, place))
                    except NotThereError as error:
                        print(f"bench: {name} is left out: {error}", file=sys.stderr)
                yield take_turns(lab, rtt_ms, rounds, made)
            finally:
                for way in made:
                    way.end()


def in_turns(ways: Sequence[Way], number: int) -> list[Way]:
    """The order of a round: nobody always comes first, or always behind the same other one, whose work may linger."""
    count = len(ways)
    zigzag = [place // 2 if place % 2 == 0 else count - 1 - place // 2 for place in range(count)]
    return [ways[(place + number) % count] for place in zigzag]


def take_turns(lab: Lab, rtt_ms: float, rounds: int, ways: Sequence[Way], *, docker: bool = True) -> dict[str, Any]:
    """The figures of *ways* on the hosts of *lab*, and how they relate to the first; *docker*: it is what they use."""
    samples: dict[tuple[str, str], list[Sample]] = {}
    counts: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        if docker:
            lab.clean()
        counter = Counts(lab, docker=docker) if number == 0 else None
        for work in WORKS:
            for way in in_turns([way for way in ways if way.rounds is None or number <= way.rounds], number):
                if counter is None:
                    samples.setdefault((work, way.name), []).append(way.run(work))
                    continue
                before = counter.now()
                way.run(work)
                counts[work, way.name] = [(b - a) / len(lab.hosts) for a, b in zip(before, counter.now(), strict=True)]
                if docker:
                    check(lab, way, work)
        if counter is not None:
            counter.end()
    rows = []
    for work in WORKS:
        for way in ways:
            runs = samples[work, way.name]
            base = samples[work, ways[0].name]
            rows.append(
                {
                    "work": work,
                    "way": way.name,
                    "seconds": [round(run.seconds, 3) for run in runs],
                    "ratio": round(
                        # Who has fewer rounds has the first ones.
                        statistics.median(run.seconds / to.seconds for run, to in zip(runs, base, strict=False)),
                        3,
                    ),
                    "cpu_s": round(statistics.median(run.cpu_s for run in runs), 3),
                    "memory_mb": round(max(run.memory_mb for run in runs), 1),
                    "connections": counts[work, way.name][0],
                    "channels": counts[work, way.name][1],
                    "docker": counts[work, way.name][2],
                }
            )
    versions = {way.name: way.version() for way in ways}
    return {"hosts": len(lab.hosts), "rtt_ms": rtt_ms, "rounds": rounds, "versions": versions, "rows": rows}


def show(block: dict[str, Any]) -> None:
    """Print a block as a table."""
    print(
        f"{block['hosts']} hosts, {block['rtt_ms']:g} ms, {block['rounds']} rounds; the ratio is to {block['rows'][0]['way']}"
    )
    head = f"{'s':>6} {'least-most':>13} {'ratio':>6} {'CPU s':>6} {'MB':>5} {'conn.':>5} {'chan.':>5} {'docker':>6}"
    print(f"  {'work':7}{'way':18}{head}")
    for row in block["rows"]:
        times = row["seconds"]
        spread = f"{min(times):.2f}-{max(times):.2f}"
        print(
            f"  {row['work']:7}{row['way']:18}{statistics.median(times):6.2f} {spread:>13} {row['ratio']:6.2f} {row['cpu_s']:6.2f} "
            f"{row['memory_mb']:5.0f} {row['connections']:5g} {row['channels']:5g} {row['docker']:6g}",
            flush=True,
        )
