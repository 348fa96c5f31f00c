"""What is aimed at, held against what was measured: met, missed or not measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Figures = Mapping[str, Mapping[str, Any]]


class Aim(NamedTuple):
    """A ratio of two ways in one block of figures that shall be at most so much."""

    kind: str
    block: str
    work: str
    way: str
    to: str
    most: float
    by: str = "seconds"

    @property
    def words(self) -> str:
        hosts, rtt_ms = self.block.split()
        what = "starts of docker" if self.by == "docker" else "time"
        many = f"{hosts} host{'s'[: hosts != '1']}, {rtt_ms} ms"
        return f"{self.work} of {self.way}, {many}: at most {self.most:.2f} of the {what} of {self.to}"

    def measured(self, figures: Figures) -> float | None:
        """The median of the ratios of the rounds; None: not measured."""
        block = figures.get(self.kind, {}).get(self.block)
        rows = {row["way"]: row for row in block["rows"] if row["work"] == self.work} if block else {}
        if self.way not in rows or self.to not in rows:
            return None
        mine, theirs = rows[self.way][self.by], rows[self.to][self.by]
        if self.by != "seconds":
            return float(mine / theirs) if theirs else None
        return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


AIMS = (
    *(Aim("deploy", "10 0", work, "octossh", "ssh", 1.4) for work in ("no-op", "change")),
    *(Aim("deploy", f"10 {rtt}", work, "octossh", "ssh", 1.1) for rtt in (50, 200) for work in ("no-op", "change")),
    Aim("deploy", "10 50", "no-op", "octossh", "pyinfra", 1 / 1.6),
    Aim("deploy", "10 50", "no-op", "octossh", "ansible", 1 / 6),
    Aim("deploy", "10 50", "no-op", "octossh warm", "pyinfra", 1 / 4),
    Aim("deploy", "10 50", "no-op", "octossh warm", "ssh warm", 1.2),
    *(Aim("deploy", "10 50", work, "octossh", "ssh", 1.0, "docker") for work in ("fresh", "change")),
    Aim("thin", "200 50", "no-op", "octossh", "ssh", 1.5),
)


def rows(figures: Figures) -> Iterator[list[str]]:
    """A line for each aim; and one for how the time of simulated hosts grows."""
    for aim in AIMS:
        found = aim.measured(figures)
        yield [aim.words, "" if found is None else f"{found:.2f}", verdict(found, aim.most)]
    found = growth(figures)
    words = "each of 10,000 simulated hosts: at most 1.20 of the CPU time of each of 1,000"
    yield [words, "" if found is None else f"{found:.2f}", verdict(found, 1.2)]


def verdict(found: float | None, most: float) -> str:
    if found is None:
        return "not measured"
    return "met" if found <= most else "**missed**"


def growth(figures: Figures) -> float | None:
    """How many times as much CPU each of 10,000 simulated hosts takes as each of 1,000."""
    runs = [figures.get("fleet", {}).get(f"{hosts} 64") for hosts in (1000, 10_000)]
    if not all(runs):
        return None
    few, many = (run["cpu_s"] / run["hosts"] for run in runs if run)
    return float(many / few)
