"""What is aimed at, held against what was measured: met, missed or not measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Figures = Mapping[str, Mapping[str, Any]]

# What importing octossh loads none of.
HEAVY = ("fabric", "paramiko", "requests", "rich", "sqlalchemy", "urllib3")


Figure = Callable[[Figures], float | None]


class Aim(NamedTuple):
    """A figure, and what it shall be.

    Attributes:
        words: What is aimed at.
        figure: What was measured; None: nothing was.
        limit: What it is held against.
        rule: ``at most``, ``at least`` or ``less than``.
        unit: What stands behind the figure.
    """

    words: str
    figure: Figure
    limit: float
    rule: str = "at most"
    unit: str = ""

    def met(self, found: float) -> bool:
        if self.rule == "at least":
            return found >= self.limit
        return found < self.limit if self.rule == "less than" else found <= self.limit

    def written(self, found: float) -> str:
        """With as many digits as it takes to tell it from the limit."""
        places = 2
        while places < 4 and float(f"{found:.{places}f}") == self.limit != found:
            places += 1
        text = f"{found:.0f}" if float(found).is_integer() else f"{found:.{places}f}"
        return f"{text} {self.unit}".strip()

    def row(self, figures: Figures) -> list[str]:
        found = self.figure(figures)
        if found is None:
            return [self.words, "", "not measured"]
        return [self.words, self.written(found), "met" if self.met(found) else "**missed**"]


def _rows(figures: Figures, kind: str, block: str, work: str) -> dict[str, Any]:
    """By way, what was measured of *work* in this block; empty: nothing was."""
    found = figures.get(kind, {}).get(block)
    return {row["way"]: row for row in found["rows"] if row["work"] == work} if found else {}


def ratio(kind: str, block: str, work: str, way: str, to: str) -> Figure:
    """The median of the ratios of the rounds, of the time of *way* to that of *to*."""

    def found(figures: Figures) -> float | None:
        rows = _rows(figures, kind, block, work)
        if way not in rows or to not in rows:
            return None
        # Who has fewer rounds has the first ones.
        return statistics.median(a / b for a, b in zip(rows[way]["seconds"], rows[to]["seconds"], strict=False))

    return found


def count(block: str, work: str, what: str, beyond: str = "") -> Figure:
    """How many of *what* octossh has for each host; with *beyond*, how many times as many as that way."""

    def found(figures: Figures) -> float | None:
        rows = _rows(figures, "deploy", block, work)
        if "octossh" not in rows or (beyond and beyond not in rows):
            return None
        return float(rows["octossh"][what] / (rows[beyond][what] if beyond else 1))

    return found


def place(block: str) -> str:
    hosts, rtt_ms = block.split()
    return f"{hosts} host{'s'[: hosts != '1']}, {rtt_ms} ms"


def within(block: str, work: str, way: str, to: str, most: float, kind: str = "deploy") -> Aim:
    words = f"{work} of {way}, {place(block)}: at most {most:.2f} of the time of {to}"
    return Aim(words, ratio(kind, block, work, way, to), most)


def faster(block: str, work: str, way: str, to: str, least: float) -> Aim:
    words = f"{work} of {way}, {place(block)}: at least {least:g} times as fast as {to}"
    return Aim(words, ratio("deploy", block, work, to, way), least, "at least")


def at(*keys: str) -> Figure:
    """The number at this place."""

    def found(figures: Figures) -> float | None:
        there: Any = figures
        for key in keys:
            if not isinstance(there, Mapping) or key not in there:
                return None
            there = there[key]
        return float(len(there)) if isinstance(there, list) else float(there)

    return found


def memory(figures: Figures) -> float | None:
    """MB for each further host, from 10 to 200."""
    few, many = (_rows(figures, "thin", f"{hosts} 50", "no-op").get("octossh") for hosts in (10, 200))
    return (many["memory_mb"] - few["memory_mb"]) / 190 if few and many else None


def growth(figures: Figures) -> float | None:
    """How many times as much CPU each of 10,000 simulated hosts takes as each of 1,000."""
    runs = [figures.get("fleet", {}).get(f"{hosts} 64") for hosts in (1000, 10_000)]
    if not all(runs):
        return None
    few, many = (run["cpu_s"] / run["hosts"] for run in runs if run)
    return float(many / few)


def asking(figures: Figures) -> float | None:
    """How much of a registry's own time a deployment takes longer for asking it."""
    said = figures.get("overlap", {}).get("all")
    return max(0.0, statistics.median(said["questions"]["added_s"]) / said["questions"]["answer_s"]) if said else None


def milliseconds(work: str) -> Figure:
    seconds = at("cold", "all", "works", work, "seconds")

    def found(figures: Figures) -> float | None:
        took = seconds(figures)
        return None if took is None else took * 1000

    return found


AIMS = (
    *(within("10 0", work, "octossh", "ssh", 1.4) for work in ("no-op", "change")),
    *(within(f"10 {rtt}", work, "octossh", "ssh", 1.1) for rtt in (50, 200) for work in ("no-op", "change")),
    *(within("10 50", work, "octossh", "ssh", 1.0) for work in ("fresh", "change")),
    *(
        Aim(
            f"{work}, 10 hosts, 50 ms: fewer starts of docker than by hand, as a ratio to these",
            count("10 50", work, "docker", "ssh"),
            1.0,
            "less than",
        )
        for work in ("fresh", "change")
    ),
    *(
        Aim(f"{work}, 10 hosts, 50 ms: at most one {one} for each host", count("10 50", work, f"{one}s"), 1)
        for one in ("connection", "channel")
        for work in ("fresh", "no-op", "change")
    ),
    within("10 50", "no-op", "octossh warm", "ssh warm", 1.2),
    *(faster(f"{hosts} 50", "no-op", "octossh", "pyinfra", 1.6) for hosts in (1, 10)),
    *(faster(f"{hosts} 50", "no-op", "octossh", "ansible", 6) for hosts in (1, 10)),
    *(faster(f"{hosts} 50", "change", "octossh", "kamal", least) for hosts, least in ((1, 5), (10, 3))),
    *(faster(f"{hosts} 50", "no-op", "octossh warm", "pyinfra", 4) for hosts in (1, 10)),
    within("200 50", "no-op", "octossh", "ssh", 1.5, "thin"),
    Aim("each host beyond 10, of 200: less than 1 MB", memory, 1, "less than", "MB"),
    Aim("each of 10,000 simulated hosts: at most 1.20 of the CPU time of each of 1,000", growth, 1.2),
    Aim(
        "``import octossh``: under 60 ms, with the start of Python",
        milliseconds("import octossh"),
        60,
        "less than",
        "ms",
    ),
    Aim(
        f"``import octossh`` loads none of {', '.join(HEAVY)}", at("cold", "all", "works", "import octossh", "heavy"), 0
    ),
    Aim("``octossh --help``: under 150 ms", milliseconds("--help"), 150, "less than", "ms"),
    *(
        Aim(f"{words}: under 1 s of CPU", at("pure", "large", work), 1, "less than", "s")
        for work, words in (("planning", "planning 20 steps on 1,000 hosts"), ("rendering", "rendering 1,000 scripts"))
    ),
    Aim(
        "hosts that wait with their next step while another one pulls: none", at("overlap", "all", "pulls", "waited"), 0
    ),
    Aim("a registry that is asked beside the first connections: at most 0.25 of its time is added", asking, 0.25),
)

# What was decided against is missed, whatever is measured.
LEFT_OUT = (("images of later steps are pulled while the current one runs", "left out, see *What was tried*"),)


def rows(figures: Figures) -> Iterator[list[str]]:
    """A line for each aim."""
    for aim in AIMS:
        yield aim.row(figures)
    for words, why in LEFT_OUT:
        yield [words, why, "**missed**"]
