"""Text of others as it may be shown: without what moves a cursor or turns the writing around."""

from __future__ import annotations

import re

__all__ = ["one_line", "visible"]

# Control characters, ends of lines, and what changes the direction of what stands around it.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """*text* on one line, without what moves a cursor or turns the writing around."""
    return _UNSAFE.sub(lambda found: " " if found[0] in "\n\t" else "?", text)


def visible(text: str) -> str:
    """*text* without what moves a cursor or turns the writing around; its lines stay lines."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else "?", text)
