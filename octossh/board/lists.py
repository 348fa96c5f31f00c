"""Lists of a board: rows of cells, of which a page shows the first and searches all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from octossh.visible import one_line

__all__ = ["Cell", "Listing"]


@frozen
class Cell:
    """One place of a list.

    Attributes:
        text: What stands there.
        link: The page that it leads to, from the folder of the board; empty: none.
        mark: The word by which it is coloured, such as ``failed``; empty: none. It is never all that tells.
    """

    text: str
    link: str = ""
    mark: str = ""

    def packed(self) -> str | list[str]:
        """The cell as the data of a page have it."""
        text = one_line(self.text)
        return [text, self.link, self.mark] if self.link or self.mark else text


def _rows(rows: Iterable[Iterable[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(tuple(row) for row in rows)


@frozen(kw_only=True)
class Listing:
    """Rows that can be searched.

    Attributes:
        name: Of the file of its data.
        caption: What it shows.
        head: What stands above the columns.
        rows: As many cells in each; the first says what the row is about.
        filters: The columns of which one value can be chosen, by their place.
        empty: What is said where there are no rows.
        more: What is said of rows that are not there.
    """

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(converter=_rows)
    filters: tuple[int, ...] = ()
    empty: str = "nothing"
    more: str = ""

    @property
    def choices(self) -> Mapping[int, tuple[str, ...]]:
        """The values of each column that can be chosen from, as they come."""
        return {place: _values(row[place].text for row in self.rows) for place in self.filters}

    def data(self) -> str:
        """The rows as a script that hands them to the page: the one form that a page in a folder may load, too."""
        rows: list[list[Any]] = [[cell.packed() for cell in row] for row in self.rows]
        return f"octossh_rows({json.dumps(rows, separators=(',', ':'))});\n"


def _values(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({one_line(text) for text in texts if text}))
