"""Pictures of the documentation: a terminal as SVG, drawn of what a page shows, which the tests have run."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

import documents

from octossh.cli.deployments import MARKS

FOLDER = documents.ROOT / "docs" / "pictures"
TERMINALS = {
    "terminal.svg": (
        "docs/tutorial.rst",
        "A terminal: release 0.0.2 is made, planned with what differs, deployed to Dev and promoted to Production",
        ("octossh release create --set acme/web=1.2.0", "octossh plan", "octossh deploy", "octossh promote"),
    )
}
"""By file: the page, what is to be seen, and how the commands begin, of which the first one says where they are."""

_WIDE, _HIGH, _EDGE, _BAR = 7.83, 19, 16, 28
_INK, _PAPER, _TITLE, _MARKS = "#e6e6ea", "#1d1f27", "#2b2e3a", ("#ff6b64", "#f7bf45", "#4fc35c")
_COLOURS = {"green": "#4fc35c", "yellow": "#f7bf45", "red": "#ff6b64", "cyan": "#56c7d8"}


def shown(page: str, beginnings: Sequence[str]) -> list[str]:
    """The commands that begin so, each one after the last, with what the page says that they print."""
    blocks = [block for block in documents.blocks(documents.ROOT / page) if block.language == "console"]
    left, lines = list(beginnings), []
    for command, said in (each for block in blocks for each in documents.commands(block)):
        if left and command.startswith(left[0]):
            left.pop(0)
            lines += [f"$ {command}", *said]
    assert not left, f"{page} shows no more such commands: {left}"
    return lines


def terminal(title: str, lines: Sequence[str]) -> str:
    """A picture of a terminal with these lines; its text is text, and *title* is what is read out."""
    width = round(max(map(len, lines)) * _WIDE + 2 * _EDGE)
    height = _BAR + len(lines) * _HIGH + 2 * _EDGE - 6
    rows = "\n".join(
        f'<text x="{_EDGE}" y="{_BAR + _EDGE + number * _HIGH + 9}" xml:space="preserve"{_style(line)}>{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    marks = "".join(
        f'<circle cx="{_EDGE + 4 + 18 * number}" cy="{_BAR // 2}" r="5" fill="{colour}"/>'
        for number, colour in enumerate(_MARKS)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}">
<title>{escape(title)}</title>
<rect width="{width}" height="{height}" rx="8" fill="{_PAPER}"/>
<path d="M0 {_BAR}V8a8 8 0 0 1 8-8h{width - 16}a8 8 0 0 1 8 8v{_BAR - 8}z" fill="{_TITLE}"/>
{marks}
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" fill="{_INK}">
{rows}
</g>
</svg>
"""


def _style(line: str) -> str:
    if line.startswith("$ "):
        return ' font-weight="bold"'
    colour = MARKS.get(line.lstrip()[:1]) if line.startswith("    ") else None  # as the command has it
    return f' fill="{_COLOURS[colour]}"' if colour else ""
