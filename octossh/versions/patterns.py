"""Regular expressions of users: compiled, and kept from running for hours.

A pattern such as ``(a+)+b`` takes twice the time for each further character that does not match. Whether a
pattern is of that kind can be told from the pattern alone: by the number of ways in which it can read a text.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from re import _compiler, _parser  # type: ignore[attr-defined]  # the only reader that knows all of the notation
from typing import Any

from octossh.errors import ModelError

__all__ = ["compiled"]

_Part = tuple[set[int], set[int], bool]
"""The places that a part begins with, those that it ends with, and whether it may read nothing at all."""

_LETTERS = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_LONGEST_PATTERN = 1000
_LONGEST_TAG = 128
_MOST_PLACES = 1000
_MOST_WAYS = 20_000_000  # a fraction of a second, on a tag that is made for it
_COUNTED_OUT = 32


def compiled(pattern: object, name: str, flags: int = 0) -> re.Pattern[str]:
    """Compile the pattern of a rule.

    Args:
        pattern: A regular expression in the notation of Python.
        name: What it is for, such as ``tag rule``.
        flags: Those of `re`.

    Raises:
        ModelError: It is no regular expression, with the position of the fault counted from 1, or it could run
            for hours on a single tag.
    """
    if not isinstance(pattern, str):
        raise ModelError(f"the {name} {pattern!r} is no regular expression: it is not text; put it in quotes")
    if len(pattern) > _LONGEST_PATTERN:
        raise ModelError(f"the {name} {pattern[:24]!r}… is longer than {_LONGEST_PATTERN} characters; shorten it")
    try:
        made = re.compile(pattern, flags)
        dangerous = _runs_away(_parser.parse(pattern, flags), made.flags)
    except re.error as error:
        place = f" at position {error.pos + 1}" if error.pos is not None else ""
        raise ModelError(f"the {name} {pattern!r} is no regular expression{place}: {error.msg}; mend it") from None
    except (OverflowError, RecursionError) as error:
        raise ModelError(f"the {name} {pattern!r} is no regular expression: {error}; mend it") from None
    if dangerous:
        raise ModelError(
            f"the {name} {pattern!r} can read one text in too many ways, which may take hours; repeat nothing that "
            r"repeats itself, or put a separator in between, as in \d+(\.\d+)*"
        )
    return made


class _Graph:
    """A pattern as a graph: its places are the characters that it reads, its edges say what may come after what.

    Attributes:
        reads: The letters that each place takes, a bit for each.
        after: The places that may follow each place, and in how many ways.
        atoms: Places that read all they can at once, and go back on none of it.
        first: The places to begin with.
        empty: Whether the pattern may read nothing at all.
        inner: Parts that are tried for themselves: what is looked at ahead, and what is never gone back on.
    """

    def __init__(self, tree: Any, flags: int) -> None:
        self.flags = flags
        self.reads: list[int] = []
        self.after: list[Counter[int]] = []
        self.atoms: set[int] = set()
        self.inner: list[Any] = []
        self.first, _, self.empty = self._chain(tree)

    def _place(self, letters: int) -> _Part:
        if len(self.reads) == _MOST_PLACES:
            raise OverflowError(f"it reads more than {_MOST_PLACES} characters")
        self.reads.append(letters)
        self.after.append(Counter())
        only = {len(self.reads) - 1}
        return only, only, False

    def _join(self, before: set[int], behind: set[int]) -> None:
        for place in before:
            self.after[place].update(behind - {place} if place in self.atoms else behind)

    def _chain(self, tree: Any) -> _Part:
        """Parts that follow each other."""
        first: set[int] = set()
        last: set[int] = set()
        empty = True
        for operation, argument in tree:
            its_first, its_last, its_empty = self._part(operation, argument)
            self._join(last, its_first)
            first |= its_first if empty else set()
            last = its_last | (last if its_empty else set())
            empty = empty and its_empty
        return first, last, empty

    def _part(self, operation: Any, argument: Any) -> _Part:
        match str(operation):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self._place(_letters(operation, argument, self.flags))
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(*argument)
            case "SUBPATTERN":
                return self._chain(argument[-1])
            case "BRANCH":
                return self._branch(argument[1])
            case "GROUPREF_EXISTS":
                return self._branch([argument[1], argument[2] or []])
            case "ATOMIC_GROUP":
                return self._atom(argument)
            case "POSSESSIVE_REPEAT":
                return self._atom(argument[-1])
            case "ASSERT" | "ASSERT_NOT":
                self.inner.append(argument[-1])
        return set(), set(), True  # a position, or the text of a group

    def _branch(self, branches: list[Any]) -> _Part:
        parts = [self._chain(branch) for branch in branches]
        return set().union(*(p[0] for p in parts)), set().union(*(p[1] for p in parts)), any(p[2] for p in parts)

    def _repeat(self, least: int, most: int, body: Any) -> _Part:
        endless = most > _COUNTED_OUT
        first: set[int] = set()
        last: set[int] = set()
        reached: set[int] = set()
        empty = True
        for count in range(1, 1 + (max(1, min(least, _COUNTED_OUT)) if endless else most)):
            part = self._chain(body)
            self._join(reached, part[0])
            first |= part[0] if empty else set()
            reached = part[1] | (reached if part[2] else set())
            empty = empty and part[2]
            last |= reached if count >= least or endless else set()
        if endless and most:
            self._join(part[1], part[0])
        return first, last, empty or least == 0

    def _atom(self, body: Any) -> _Part:
        self.inner.append(body)
        within = _Graph(body, self.flags)
        letters = 0
        for reads in within.reads:
            letters |= reads
        first, last, _ = self._place(letters)
        self._join(last, first)
        self.atoms |= first
        return first, last, within.empty


def _letters(operation: Any, argument: Any, flags: int) -> int:
    """The letters that one part of a pattern takes."""
    one = _parser.SubPattern(_parser.State())
    one.append((operation, argument))
    found = _compiler.compile(one, flags & re.IGNORECASE)
    return sum(1 << number for number, letter in enumerate(_LETTERS) if found.fullmatch(letter))


def _runs_away(tree: Any, flags: int) -> bool:
    graph = _Graph(tree, flags)
    # Letters that all places treat alike are one; two of them by turns are enough to find nearly every trap.
    kinds = {tuple(reads >> number & 1 for reads in graph.reads): number for number in range(len(_LETTERS))}
    pairs = itertools.product(kinds.values(), repeat=2)
    return any(_ways(graph, pair) > _MOST_WAYS for pair in pairs) or any(_runs_away(t, flags) for t in graph.inner)


def _ways(graph: _Graph, letters: tuple[int, ...]) -> int:
    """In how many ways the pattern reads the beginning of a tag that has the two letters by turns."""
    total = 0
    there = dict.fromkeys(graph.first, 1)
    for length in range(_LONGEST_TAG):
        letter = letters[length % 2]
        there = {place: ways for place, ways in there.items() if graph.reads[place] >> letter & 1}
        total += sum(there.values())
        if not there or total > _MOST_WAYS:
            break
        behind: dict[int, int] = {}
        for place, ways in there.items():
            for following, edges in graph.after[place].items():
                behind[following] = behind.get(following, 0) + ways * edges
        there = behind
    return total
