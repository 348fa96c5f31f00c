"""Plots as SVG that stands in a page itself, and so takes the colour of its text, be that dark or light."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

WORKS = ("fresh", "no-op", "change")
# To be told apart on white and on black, and by who sees no red.
COLOURS = {"fresh": "#8fa3b8", "no-op": "#e08a3c", "change": "#3f83c4"}
_WIDE, _LEFT, _BARS = 680, 130, 420


def ways_of(block: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each way with its rows by work."""
    names = dict.fromkeys(row["way"] for row in block["rows"])
    return [(name, {row["work"]: row for row in block["rows"] if row["way"] == name}) for name in names]


def svg(height: int, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {height}" width="{_WIDE}" height="{height}" '
        'style="max-width: 100%; height: auto" font-family="sans-serif" font-size="12" fill="currentColor" role="img">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, said: str, **more: str) -> str:
    words = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{words}>{escape(said)}</text>'


def _box(x: float, y: float, wide: float, high: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high}" fill="{colour}"/>'


def _legend(names: dict[str, str]) -> list[str]:
    parts, x = [], _WIDE - 90 * len(names)
    for number, (name, colour) in enumerate(names.items()):
        parts += [_box(x + 90 * number, 8, 11, 11, colour), _text(x + 90 * number + 16, 18, name)]
    return parts


def bars(block: dict[str, Any], title: str) -> str:
    """The median of the seconds of each way, a bar for each work, with a line from the least to the most."""
    most = max(max(row["seconds"]) for row in block["rows"])
    parts = [_text(10, 18, title, font_weight="bold"), *_legend(COLOURS)]
    for line, (way, by_work) in enumerate(ways_of(block)):
        top = 32 + 48 * line
        parts.append(_text(_LEFT - 8, top + 24, way, text_anchor="end"))
        for number, (work, colour) in enumerate(COLOURS.items()):
            row, y = by_work[work], top + 13 * number
            least, middle, last = (_BARS * value(row["seconds"]) / most for value in (min, statistics.median, max))
            parts.append(_box(_LEFT, y, middle, 11, colour))
            parts.append(
                f'<path d="M{_LEFT + least:.1f} {y + 5.5}H{_LEFT + last:.1f}" stroke="currentColor" stroke-width="1.5"/>'
            )
            said = f"{statistics.median(row['seconds']):.2f} s ({row['ratio']:.2f})"
            parts.append(_text(_LEFT + max(middle, last) + 6, y + 9.5, said, font_size="11"))
    return svg(36 + 48 * len(ways_of(block)), f"{title}: seconds of each way, and the ratio to the first", parts)


def growth(runs: Sequence[dict[str, Any]]) -> str:
    """Seconds over the number of hosts, both logarithmic, beside what the hosts alone would take."""
    most = max(max(run["seconds"], run["ideal_s"]) for run in runs)
    least = min(min(run["seconds"], run["ideal_s"]) for run in runs)
    few, many = min(run["hosts"] for run in runs), max(run["hosts"] for run in runs)

    def x(hosts: float) -> float:
        return 80 + 520 * math.log(hosts / few) / max(math.log(many / few), 1e-9)

    def y(seconds: float) -> float:
        return 250 - 190 * math.log(seconds / least) / max(math.log(most / least), 1e-9)

    lines = {"seconds": ("octossh", COLOURS["change"], -10), "ideal_s": ("hosts alone", COLOURS["no-op"], 20)}
    parts = [
        _text(10, 18, "Seconds of a deployment of two steps", font_weight="bold"),
        *_legend({name: colour for name, colour, _ in lines.values()}),
        '<path d="M60 275H620" stroke="currentColor" stroke-opacity="0.4"/>',
    ]
    for key, (_, colour, off) in lines.items():
        points = [(x(run["hosts"]), y(run[key])) for run in runs]
        joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (a, b), run in zip(points, runs, strict=True):
            parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>')
            parts.append(_text(a, b + off, f"{run[key]:.1f}", text_anchor="middle"))
    parts += [_text(x(run["hosts"]), 295, f"{run['hosts']:,} hosts", text_anchor="middle") for run in runs]
    return svg(305, "Seconds of a deployment of two steps over the number of hosts, both logarithmic", parts)
