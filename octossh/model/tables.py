"""Tables for people: aligned text, and HTML for notebooks. Every noun that is a list is shown through here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import field, frozen

from octossh.visible import one_line

__all__ = ["Table", "columns", "escaped", "prose"]

MOST_ROWS = 200
"""Rows of a table in HTML; a notebook with more of them gets slow."""

# Colours and fonts are those of the page, light or dark; only what lies between cells is drawn.
_TABLE = "border-collapse:collapse;color:inherit;background:transparent"
_CELL = "text-align:left;vertical-align:top;padding:0.2em 0.8em;border-bottom:1px solid;border-color:inherit"
# A time, a number or a name stays on one line, and what is longer takes as many as it needs.
_WHOLE = 25
# A caption is a sentence: in a table of two narrow columns it would stand in four lines.
_CAPTION = "caption-side:top;text-align:left;color:inherit;padding:0.2em 0.8em;min-width:30em"


def columns(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Rows of text under a head, in aligned columns."""
    table = [list(head), *[[one_line(cell) for cell in row] for row in rows]]
    widths = [max(len(row[number]) for row in table) for number in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def escaped(text: str) -> str:
    """*text* as HTML shows it."""
    import html  # it knows two thousand characters by name, for whom nobody asks before a table is shown

    return html.escape(text)


def prose(text: str) -> str:
    """*text* as a paragraph of HTML, escaped."""
    return f"<p>{escaped(text)}</p>"


def _rows(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)


@frozen(kw_only=True)
class Table:
    """Rows under a head; the first cell of each row says what the row is about.

    Attributes:
        head: What stands above the columns.
        rows: As many cells in each.
        caption: What the table shows, for HTML: a screen reader says it first.
        empty: What is said where there are no rows.
        about: A line about all of it, below.
        notes: What else there is to know, below it.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(converter=_rows)
    caption: str
    empty: str = "nothing"
    about: str = ""
    notes: tuple[str, ...] = ()

    @property
    def _below(self) -> list[str]:
        return [*filter(None, [self.about]), *(f"note: {note}" for note in self.notes)]

    def __str__(self) -> str:
        shown = columns(self.rows, self.head) if self.rows else self.empty
        return "\n".join([shown, *map(one_line, self._below)])

    def html(self) -> str:
        """The table as HTML: no script, no colours of its own, and everything escaped."""
        below = "".join(map(prose, self._below))
        if not self.rows:
            return prose(self.empty) + below
        head = "".join(_cell("th", name, ' scope="col"') for name in self.head)
        body = "".join(f"<tr>{_row(row)}</tr>" for row in self.rows[:MOST_ROWS])
        left = len(self.rows) - MOST_ROWS
        more = prose(f"... and {left} more") if left > 0 else ""
        return (
            f'<table style="{_TABLE}"><caption style="{_CAPTION}">{escaped(self.caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}{below}"
        )


def _row(row: Sequence[str]) -> str:
    first, *others = row
    return _cell("th", first, ' scope="row"') + "".join(_cell("td", text) for text in others)


def _cell(tag: str, text: str, more: str = "") -> str:
    lines = text.split("\n")
    style = _CELL if max(map(len, lines)) > _WHOLE else f"{_CELL};white-space:nowrap"
    return f'<{tag}{more} style="{style}">{"<br>".join(escaped(one_line(line)) for line in lines)}</{tag}>'
