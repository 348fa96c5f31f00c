"""A board to look at: what a space has recorded, as pages for a browser, in a folder or served live."""

from __future__ import annotations

from octossh.board.boards import Board
from octossh.board.writing import Written

__all__ = ["Board", "Written"]
