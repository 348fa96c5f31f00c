"""Figures as tables that a page may include, and as plots."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aims
from plots import WORKS, bars, growth

HOME = Path(__file__).parents[2] / "docs" / "performance"

METHODS = {"cold": 2, "deploy": 2, "thin": 2}
"""By kind, how often it has been measured in yet another way, with figures that cannot stand beside older ones; else 1."""


class Figures:
    """What was measured, each kind as of its last measurement; kept as JSON, so that tables can be made anew."""

    def __init__(self, home: Path = HOME) -> None:
        self.home, self.path = home, home / "figures.json"
        self.all: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def put(self, kind: str, key: str, said: Any) -> None:
        """Keep *said*, write its tables and plots."""
        self.all.setdefault(kind, {})[key] = said | {"method": METHODS.get(kind, 1)}
        self.write()

    def write(self) -> None:
        """Write the figures, and all tables and plots, of which those of what was not measured say just that."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._write("figures.json", json.dumps(self.all, indent=1, sort_keys=True) + "\n")
        ways = {
            "cold": self._cold,
            "fleet": self._fleet,
            "overlap": self._overlap,
            "pure": self._pure,
            "store": self._store,
        }
        for kind in ("deploy", "thin", *ways):
            if kind not in self.all:
                self._write(f"{kind}.inc", "Not measured yet by this command.\n")
            elif kind in ways:
                ways[kind]()
            else:
                self._deploy(kind)
        self._write("aims.inc", table(["Aim", "Measured", ""], list(aims.rows(self.all)), "70 15 15"))

    def _pure(self) -> None:
        said, large = self.all["pure"].get("all", {}), self.all["pure"].get("large", {})
        works = [work for work in said if work not in ("commit", "load", "python", "method")]
        rows = [[work, f"{said[work]:,}", f"{large[work]:.2f}" if work in large else ""] for work in works]
        python = f"{said.get('python', 'Python')}; {measured('pure', [large])}" if large else said.get("python", "")
        self._write("pure.inc", f"{python}\n\n{table(['Work', 'Instructions', 'CPU s for 1,000 hosts'], rows)}")

    def _overlap(self) -> None:
        said = self.all["overlap"]["all"]
        pulls, asked = said["pulls"], said["questions"]
        added = statistics.median(asked["added_s"]) * 1000
        rows = [
            ["hosts that wait with their next step while one pulls", f"{pulls['waited']} of {pulls['hosts']}"],
            [f"added by a registry that answers after {asked['answer_s'] * 1000:.0f} ms", f"{added:.0f} ms"],
        ]
        self._write("overlap.inc", f"{measured('overlap', [said])}\n\n{table(['What', ''], rows)}")

    def _cold(self) -> None:
        said = self.all["cold"]["all"]
        rows = [
            [
                work,
                f"{made['seconds']:.3f}" if "seconds" in made else "",
                f"{made['cpu_s']:.3f}",
                f"{made['memory_mb']:.0f}",
                made["modules"],
            ]
            for work, made in said["works"].items()
        ]
        self._write(
            "cold.inc", f"{measured('cold', [said])}\n\n{table(['Work', 'Seconds', 'CPU s', 'MB', 'Modules'], rows)}"
        )

    def _store(self) -> None:
        stores = sorted(self.all["store"].items(), key=lambda pair: (pair[0].split()[0], -pair[1]["deployments"]))
        asked = [name for name in stores[0][1]["seconds"] if name != "SELECT 1"]
        rows = [
            [key.split()[0], f"{said['deployments']:,}", f"{said['events']:,}", f"{said['bytes'] / 1000:.1f}"]
            + [f"{said['seconds'][name] * 1000:.0f}" for name in asked]
            for key, said in stores
        ]
        head = ["Database", "Deployments", "Events", "KB each", *(f"{name}, ms" for name in asked)]
        self._write("store.inc", f"{measured('store', [said for _, said in stores])}\n\n{table(head, rows)}")

    def _write(self, name: str, text: str) -> None:
        whole = self.home / f"{name}.new"  # whoever is broken off while writing leaves what was there
        whole.write_text(text)
        whole.replace(self.home / name)

    def _deploy(self, kind: str) -> None:
        parts = []
        blocks = sorted(self.all[kind].values(), key=lambda block: (block["hosts"], block["rtt_ms"]))
        for block in blocks:
            title = f"{block['hosts']} host{'s'[: block['hosts'] > 1]}, {block['rtt_ms']:g} ms, {block['rounds']} round{'s'[: block['rounds'] > 1]}"
            name = f"{kind}-{block['hosts']}-{block['rtt_ms']:g}.svg"
            self._write(name, bars(block, title))
            versions = ", ".join(f"{way} {number}" for way, number in sorted(block["versions"].items()) if number)
            said = f"octossh at commit {block['commit']}; {versions or 'no peers'}; load {block['load']:.1f} before it{earlier(kind, [block])}.\n\n"
            image = f".. raw:: html\n   :file: {name}\n\n"
            parts.append(f".. rubric:: {title}\n\n{said}{image}{table(HEAD, lines(block))}")
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
        image = ".. raw:: html\n   :file: fleet.svg\n\n"
        self._write("fleet.inc", f"{measured('fleet', runs)}\n\n{image}{table(head, rows)}")


HEAD = ["Work", "Way", "Seconds", "Least-most", "Ratio", "CPU\N{NO-BREAK SPACE}s", "MB", "Conn.", "Chan.", "docker"]


def measured(kind: str, blocks: Sequence[dict[str, Any]]) -> str:
    """What was measured, and how busy the machine was before."""
    commits = ", ".join(dict.fromkeys(block["commit"] for block in blocks))
    loads = ", ".join(f"{block['load']:.1f}" for block in blocks)
    return f"octossh at commit {commits}; load {loads} before{earlier(kind, blocks)}."


def earlier(kind: str, blocks: Sequence[dict[str, Any]]) -> str:
    """What is said where one of them was measured by a method that the page does not describe any more."""
    old = any(block.get("method", 1) < METHODS.get(kind, 1) for block in blocks)
    return "; by an earlier method than this page tells" if old else ""


def lines(block: dict[str, Any]) -> list[list[object]]:
    """The lines of the table, work by work, so that the ways stand below each other."""
    by_work = [[row for row in block["rows"] if row["work"] == work] for work in WORKS]
    return [
        [
            row["work"] if number == 0 else "",
            row["way"].replace("ssh://", "``ssh://``"),
            f"{statistics.median(row['seconds']):.2f}",
            f"{min(row['seconds']):.2f}\N{NON-BREAKING HYPHEN}{max(row['seconds']):.2f}",
            f"{row['ratio']:.2f}",
            f"{row['cpu_s']:.2f}",
            f"{row['memory_mb']:.0f}",
            *(f"{row[key]:g}" for key in ("connections", "channels", "docker")),
        ]
        for rows in by_work
        for number, row in enumerate(rows)
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[object]], widths: str = "auto") -> str:
    """As a list-table of reStructuredText; a column without a cell is left out."""
    kept = [place for place in range(len(head)) if any(row[place] != "" for row in rows)]
    if widths != "auto":
        widths = " ".join(widths.split()[place] for place in kept)
    made = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [head, *rows]:
        made += [f"   {'*' if number == 0 else ' '} - {row[place]}".rstrip() for number, place in enumerate(kept)]
    return "\n".join(made) + "\n"
