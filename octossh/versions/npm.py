"""Ranges in the notation of npm: ``^1.2``, ``~1.2.3``, ``1.x``, ``1.2 - 1.4``, ``>=1.2 <2 || 3.x``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from octossh.versions import intervals
from octossh.versions.intervals import Interval, Union, at_least, below, beyond, up_to
from octossh.versions.tags import Version
from octossh.versions.written import Written, has_parts

__all__ = ["read_alternatives"]

_COMPARATOR = re.compile(r"\s*(>=|<=|~>|[<>=^~])?\s*([^\s<>=^~|]*)")
_HYPHEN = re.compile(r"\s+-\s+")
_PARTIAL = re.compile(r"[vV]?(\d+(?:\.\d+)*)?(\.?[xX*](?:\.[xX*0-9]+)*)?")


@frozen
class _Operand:
    """A version with what npm leaves open: 1.x, 1.2 and * stand for many.

    Attributes:
        numbers: Those that are written.
        version: The version, with zeros for what is left open. None: all is open.
        is_open: Whether it stands for many.
        at: Where it stands.
    """

    numbers: tuple[int, ...]
    version: Version | None
    is_open: bool
    at: int


def read_alternatives(written: Written, start: int) -> Union:
    """What the parts between ``||`` allow together, from *start* on.

    Raises:
        ModelError: A part is wrong, or no version can meet all that it says.
    """
    made: list[Interval] = []
    for part in written.text[start:].split("||"):
        end = start + len(part)
        if not part.strip():
            raise written.fault(start, "an alternative is missing; write * for any version")
        made += _alternative(written, start, end)
        start = end + 2
    return intervals.union(made)


def _alternative(written: Written, start: int, end: int) -> Union:
    hyphens = list(_HYPHEN.finditer(written.text, start, end))
    if hyphens:
        if len(hyphens) > 1:
            raise written.fault(hyphens[1].start() + 1, "a range from one version to another has one hyphen")
        return _from_to(written, start, hyphens[0], end)
    made: Union = (Interval(),)
    for operator, operand, at in _comparators(written, start, end):
        made = written.both(made, _compare(written, operator, operand, at), at)
    return made


def _comparators(written: Written, start: int, end: int) -> Iterator[tuple[str, _Operand, int]]:
    end = start + len(written.text[start:end].rstrip())
    while start < end:
        match = _COMPARATOR.match(written.text, start, end)
        if match is None or not match[2]:
            at = match.end() if match else start
            raise written.fault(at, "a version is missing; write one such as 1.2, 1.x or *")
        yield match[1] or "", _operand(written, match.start(2), match.end(2)), written.skip_blanks(start, end)
        start = match.end()


def _operand(written: Written, start: int, end: int) -> _Operand:
    match = _PARTIAL.fullmatch(written.text, start, end)
    if match is None or start == end:
        version = written.bound(start, end)
        plain = re.match(r"\d*(?:\.\d+)*", written.text[start:end].lstrip("vV"))
        numbers = tuple(map(int, plain[0].split("."))) if plain and plain[0] else ()
        return _Operand(numbers, version, is_open=False, at=start)
    numbers = tuple(map(int, match[1].split("."))) if match[1] else ()
    if not numbers:
        return _Operand((), None, is_open=True, at=start)
    version = written.numbered(numbers, start) if match[2] else written.bound(start, end)
    is_open = bool(match[2]) or (len(numbers) < 3 and has_parts(version))
    return _Operand(numbers, version, is_open=is_open, at=start)


def _compare(written: Written, operator: str, operand: _Operand, at: int) -> Union:
    version, numbers = operand.version, operand.numbers
    if version is None:
        if operator in ("<", ">"):
            raise written.fault(at, f"no version is {operator} every version; leave {operator} out")
        return (Interval(),)
    if operator in ("^", "~", "~>"):
        return (Interval(_from(version), _below_next(written, operator, operand)),)
    if operand.is_open:
        following = written.next_after(numbers, operand.at)
        match operator:
            case ">":
                return (Interval(lower=_from(following)),)
            case ">=":
                return (Interval(lower=_from(version)),)
            case "<":
                return (Interval(upper=below(version)),)
            case "<=":
                return (Interval(upper=below(following)),)
        return (Interval(_from(version), below(following)),)
    match operator:
        case ">":
            return (Interval(lower=beyond(version)),)
        case ">=":
            return (Interval(lower=_from(version)),)
        case "<":
            return (Interval(upper=below(version)),)
        case "<=":
            return (Interval(upper=up_to(version)),)
    return (Interval(at_least(version), up_to(version)),)


def _from(version: Version) -> intervals.Bound | None:
    """The place before *version*; from 0.0.0 on is everything, its own prereleases too."""
    is_zero = not any(version.release) and not (version.pre or version.post or version.build)
    return None if is_zero else at_least(version)


def _below_next(written: Written, operator: str, operand: _Operand) -> intervals.Bound:
    """Where a caret ends, which keeps the first number that is not 0, and a tilde, which keeps two."""
    numbers = operand.numbers
    if not numbers or (operand.version is not None and not has_parts(operand.version)):
        raise written.fault(operand.at, f"{operator} needs numbers with dots; write >= for a minimum")
    last = len(numbers) - 1
    kept = min(1, last) if operator != "^" else next((n for n, number in enumerate(numbers) if number), last)
    return below(written.next_after(numbers[: kept + 1], operand.at))


def _from_to(written: Written, start: int, hyphen: re.Match[str], end: int) -> Union:
    lower = _side(written, start, hyphen.start())
    upper = _side(written, hyphen.end(), end)
    first = Interval(lower=_from(lower.version) if lower.version is not None else None)
    last = Interval()
    if upper.version is not None:
        following = below(written.next_after(upper.numbers, upper.at)) if upper.is_open else up_to(upper.version)
        last = Interval(upper=following)
    return written.both((first,), (last,), upper.at)


def _side(written: Written, start: int, end: int) -> _Operand:
    at = written.skip_blanks(start, end)
    return _operand(written, at, at + len(written.text[at:end].rstrip()))
