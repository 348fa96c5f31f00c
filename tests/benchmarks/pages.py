"""Figures as tables that a page may include, and as plots."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aims

HOME = Path(__file__).parents[2] / "docs" / "performance"
WORKS = ("fresh", "no-op", "change")
COLOURS = ("#b5c4d4", "#f0a36b", "#3b78b5")


class Figures:
    """What was measured, each kind as of its last measurement; kept as JSON, so that tables can be made anew."""

    def __init__(self, home: Path = HOME) -> None:
        self.home, self.path = home, home / "figures.json"
        self.all: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def put(self, kind: str, key: str, said: Any) -> None:
        """Keep *said*, write its tables and plots."""
        self.all.setdefault(kind, {})[key] = said
        self.write()

    def write(self) -> None:
        """Write the figures, and all tables and plots, of which those of what was not measured say just that."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.all, indent=1, sort_keys=True) + "\n")
        ways = {"cold": self._cold, "fleet": self._fleet, "pure": self._pure, "store": self._store}
        for kind in ("deploy", "thin", *ways):
            if kind not in self.all:
                self._write(f"{kind}.inc", "Not measured yet by this command.\n")
            elif kind in ways:
                ways[kind]()
            else:
                self._deploy(kind)
        self._write("aims.inc", table(["Aim", "Measured", ""], list(aims.rows(self.all))))

    def _pure(self) -> None:
        rows = [[work, f"{count:,}"] for work, count in self.all["pure"]["all"].items()]
        self._write("pure.inc", table(["Work", "Instructions"], rows))

    def _cold(self) -> None:
        said = self.all["cold"]["all"]
        rows = [
            [work, f"{made['cpu_s']:.2f}", f"{made['memory_mb']:.0f}", str(made["modules"])]
            for work, made in said["works"].items()
        ]
        self._write("cold.inc", f"{measured([said])}\n\n{table(['Work', 'CPU s', 'MB', 'Modules'], rows)}")

    def _store(self) -> None:
        stores = sorted(self.all["store"].items(), key=lambda pair: (pair[0].split()[0], -pair[1]["deployments"]))
        asked = [name for name in stores[0][1]["seconds"] if name != "SELECT 1"]
        rows = [
            [key.split()[0], f"{said['deployments']:,}", f"{said['events']:,}", f"{said['bytes'] / 1000:.1f}"]
            + [f"{said['seconds'][name] * 1000:.0f}" for name in asked]
            for key, said in stores
        ]
        head = ["Database", "Deployments", "Events", "KB each", *(f"{name}, ms" for name in asked)]
        self._write("store.inc", f"{measured([said for _, said in stores])}\n\n{table(head, rows)}")

    def _write(self, name: str, text: str) -> None:
        (self.home / name).write_text(text)

    def _deploy(self, kind: str) -> None:
        parts = []
        blocks = sorted(self.all[kind].values(), key=lambda block: (block["hosts"], block["rtt_ms"]))
        for block in blocks:
            title = (
                f"{block['hosts']} host{'s'[: block['hosts'] > 1]}, {block['rtt_ms']:g} ms, {block['rounds']} rounds"
            )
            name = f"{kind}-{block['hosts']}-{block['rtt_ms']:g}.svg"
            self._write(name, bars(block, title))
            versions = ", ".join(f"{way} {number}" for way, number in sorted(block["versions"].items()) if number)
            said = f"octossh at commit {block['commit']}; {versions or 'no peers'}; load {block['load']:.1f} before it.\n\n"
            image = f".. image:: performance/{name}\n   :alt: the same figures as bars\n\n"
            parts.append(
                f".. rubric:: {title}\n\n{said}{image}{table(HEAD, [cells(*pair) for pair in ways_of(block)])}"
            )
        self._write(f"{kind}.inc", "\n".join(parts))

    def _fleet(self) -> None:
        runs = sorted(self.all["fleet"].values(), key=lambda run: (run["parallel"], run["hosts"]))
        head = ["Hosts", "At once", "Seconds", "Hosts alone", "CPU s", "Events/s", "Threads", "Descriptors", "KB/host"]
        rows = [
            [f"{run['hosts']:,}", run["parallel"], f"{run['seconds']:.1f}", f"{run['ideal_s']:.1f}", f"{run['cpu_s']:.1f}",
             f"{run['events'] / run['seconds']:.0f}", run["threads"], run["descriptors"], f"{run['kb_per_host']:.0f}"]
            for run in runs
        ]  # fmt: skip
        self._write("fleet.svg", growth(runs))
        image = ".. image:: performance/fleet.svg\n   :alt: seconds over hosts, both logarithmic\n\n"
        self._write("fleet.inc", f"{measured(runs)}\n\n{image}{table(head, rows)}")


HEAD = ["Way", *(f"{work} s" for work in WORKS), "ratios", "CPU s", "MB", "connections", "channels", "docker"]


def measured(blocks: Sequence[dict[str, Any]]) -> str:
    """What was measured, and how busy the machine was before."""
    commits = ", ".join(dict.fromkeys(block["commit"] for block in blocks))
    loads = ", ".join(f"{block['load']:.1f}" for block in blocks)
    return f"octossh at commit {commits}; load {loads} before."


def ways_of(block: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each way with its rows by work."""
    names = dict.fromkeys(row["way"] for row in block["rows"])
    return [(name, {row["work"]: row for row in block["rows"] if row["way"] == name}) for name in names]


def cells(way: str, rows: dict[str, Any]) -> list[object]:
    """A line of the table: medians with the least and the most, the others as fresh / no-op / change."""

    def three(show: Callable[[Any], str]) -> str:
        return " / ".join(show(rows[work]) for work in WORKS)

    seconds = [rows[work]["seconds"] for work in WORKS]
    times = [f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})" for each in seconds]
    return [
        way,
        *times,
        three(lambda row: f"{row['ratio']:.2f}"),
        three(lambda row: f"{row['cpu_s']:.2f}"),
        f"{max(row['memory_mb'] for row in rows.values()):.0f}",
        *(three(lambda row, key=key: f"{row[key]:g}") for key in ("connections", "channels", "docker")),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """As a list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = 'font-family="sans-serif" font-size="11"'
    return (
        "\n".join([f"{head} {style}>", f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>"])
        + "\n"
    )


def bars(block: dict[str, Any], title: str) -> str:
    """Seconds of each way, a bar for each work."""
    rows = ways_of(block)
    most = max(statistics.median(row["seconds"]) for row in block["rows"])
    parts = [f'<text x="10" y="16" font-weight="bold">{title}</text>']
    parts += [
        f'<rect x="{350 + 80 * number}" y="7" width="10" height="10" fill="{colour}"/>'
        f'<text x="{364 + 80 * number}" y="16">{work}</text>'
        for number, (work, colour) in enumerate(zip(WORKS, COLOURS, strict=True))
    ]
    for line, (way, by_work) in enumerate(rows):
        top = 28 + 40 * line
        parts.append(f'<text x="120" y="{top + 20}" text-anchor="end">{way}</text>')
        for number, (work, colour) in enumerate(zip(WORKS, COLOURS, strict=True)):
            seconds = statistics.median(by_work[work]["seconds"])
            wide, y = 400 * seconds / most, top + 11 * number
            parts.append(f'<rect x="126" y="{y}" width="{wide:.1f}" height="10" fill="{colour}"/>')
            parts.append(f'<text x="{130 + wide:.1f}" y="{y + 9}" font-size="10">{seconds:.2f} s</text>')
    return svg(600, 36 + 40 * len(rows), parts)


def growth(runs: Sequence[dict[str, Any]]) -> str:
    """Seconds over the number of hosts, both logarithmic, beside what the hosts alone would take."""
    most = max(max(run["seconds"], run["ideal_s"]) for run in runs)
    least = min(min(run["seconds"], run["ideal_s"]) for run in runs)
    few, many = min(run["hosts"] for run in runs), max(run["hosts"] for run in runs)

    def x(hosts: float) -> float:
        return 60 + 480 * math.log(hosts / few) / max(math.log(many / few), 1e-9)

    def y(seconds: float) -> float:
        return 270 - 230 * math.log(seconds / least) / max(math.log(most / least), 1e-9)

    parts = ['<text x="10" y="16" font-weight="bold">seconds of a deployment of two steps</text>']
    for colour, key, name in ((COLOURS[2], "seconds", "octossh"), (COLOURS[0], "ideal_s", "the hosts alone")):
        points = [(x(run["hosts"]), y(run[key])) for run in runs]
        joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        above = key == "seconds"
        parts += [
            f'<text x="{a:.1f}" y="{b + (-8 if above else 16):.1f}" text-anchor="middle">{run[key]:.1f}</text>'
            for (a, b), run in zip(points, runs, strict=True)
        ]
        parts.append(f'<text x="{330 if above else 420}" y="16" fill="{colour}">{name}</text>')
    parts += [
        f'<text x="{x(run["hosts"]):.1f}" y="305" text-anchor="middle">{run["hosts"]:,} hosts</text>' for run in runs
    ]
    return svg(600, 315, parts)
