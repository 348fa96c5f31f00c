"""A store with half a year of a fleet in it, always the same one, for pages that look back on one."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

import octossh as oc
from octossh.recording import Store

START = datetime(2026, 1, 5, 8, tzinfo=UTC)  # a Monday
WEEKS = 26
PROJECTS = {"shop": 12, "billing": 6, "search": 8}
"""Projects, and how many hosts each has in Production; in Test it is one."""


def _outcomes(draw: random.Random, hosts: list[str], at: datetime, week: int, fails: bool) -> Iterator[oc.Outcome]:
    """What became of the step on each host, one after the other; the disk of ``shop-07`` gets slower and slower."""
    for host in hosts:
        took = draw.lognormvariate(1.7, 0.25) * (1 + max(0, week - 9) / 5 if host == "shop-07" else 1)
        wrong = fails and host == hosts[-1]
        yield oc.Outcome(
            step="web",
            target=host,
            state=oc.State.FAILED if wrong else oc.State.SUCCEEDED,
            action="put back" if wrong else "replaced",
            changed=not wrong,
            why="its health check says unhealthy" if wrong else "the image is another",
            started_at=at,
            finished_at=(at := at + timedelta(seconds=took)),
        )


def _deployments() -> Iterator[oc.Deployment]:
    draw = random.Random(1)
    number = dict.fromkeys(PROJECTS, 0)
    for week in range(WEEKS):
        for project, count in PROJECTS.items():
            for _ in range(draw.choice((1, 2, 2, 3))):
                number[project] += 1
                at = START + timedelta(weeks=week, days=draw.randrange(5), minutes=draw.randrange(540))
                wait = timedelta(hours=draw.uniform(2, 60 - 1.8 * week))
                hosts = [f"{project}-{host:02}" for host in range(1, count + 1)]
                for environment, names, moment in (
                    ("Test", [f"{project}-test"], at),
                    ("Production", hosts, at + wait),
                ):
                    fails = draw.random() < 0.3 - 0.01 * week
                    outcomes = tuple(_outcomes(draw, names, moment, week, fails))
                    yield oc.Deployment(
                        id=f"{moment:%Y%m%dT%H%M%S}-{draw.randrange(16**8):08x}",
                        project=project,
                        release=f"1.{number[project]}.0",
                        environment=environment,
                        mode=oc.Mode.DEPLOY if environment == "Test" else oc.Mode.PROMOTE,
                        state=oc.State.FAILED if fails else oc.State.SUCCEEDED,
                        started_at=moment,
                        finished_at=outcomes[-1].finished_at,
                        by=draw.choice(("ann@pc", "bob@laptop", "ci@runner")),
                        error=f"{names[-1]}: step 'web' failed: its health check says unhealthy" if fails else "",
                        outcomes=outcomes,
                    )
                    if fails:
                        break


def fill(file: Path) -> None:
    """Make the store, in the order in which all of it happened."""
    # In memory: most of the time would go into waiting for the disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        with Store(f"sqlite:///{folder}/made.db") as store:
            for made in sorted(_deployments(), key=lambda one: one.started_at):
                store.start(attrs.evolve(made, state=oc.State.RUNNING, finished_at=None, error="", outcomes=()))
                store.finish(made)
        shutil.copy(f"{folder}/made.db", file)
