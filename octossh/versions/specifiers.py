"""Ranges in the notation of PEP 440, as pip takes them: ``>=1.2,<2,!=1.5``."""

from __future__ import annotations

import re

from octossh.versions import intervals
from octossh.versions.intervals import Interval, Union, at_least, below, beyond, up_to
from octossh.versions.tags import Version
from octossh.versions.written import Written, has_parts

__all__ = ["read_specifiers"]

_CLAUSE = re.compile(r"\s*(===|~=|==|!=|<=|>=|<|>)?\s*")
_ALL_OF = re.compile(r"\.\*\s*$")


def read_specifiers(written: Written, start: int) -> tuple[Union, str | None]:
    """What the clauses from *start* on have in common, and the text that ``===`` asks for.

    Raises:
        ModelError: A clause is wrong, or no version can meet all of them.
    """
    made: Union = (Interval(),)
    verbatim: str | None = None
    for part in written.text[start:].split(","):
        end = start + len(part)
        clause = _CLAUSE.match(written.text, start, end)
        assert clause is not None  # it may be empty
        operator, at = clause[1], clause.end()
        if at == end and operator is None:
            raise written.fault(at, "a clause is missing; write one such as >=1.2, and no comma at the end")
        if operator is None and written.text[at] in "^~=":
            raise written.fault(at, f"{written.text[at]} is of npm, which has blanks in place of commas; keep to one")
        if operator is None:
            raise written.fault(at, "a comparison is missing; write one of ~= == != <= >= < > === before the version")
        if operator == "===":
            verbatim, clash = written.text[at:end].strip().lower(), verbatim
            if clash not in (None, verbatim):
                raise written.fault(at, f"the text cannot be {clash!r} and {verbatim!r}; keep one of them")
        made = written.both(made, _clause(written, operator, at, end), written.skip_blanks(start, end))
        start = end + 1
    return made, verbatim


def _clause(written: Written, operator: str, at: int, end: int) -> Union:
    if _ALL_OF.search(written.text, at, end):
        return _all_of(written, operator, at, end)
    version = written.bound(at, end)
    match operator:
        case "~=":
            return _compatible(written, version, at)
        case "!=":
            return intervals.complement(Interval(at_least(version), up_to(version)))
        case "<":
            return (Interval(upper=below(version)),)
        case "<=":
            return (Interval(upper=up_to(version)),)
        case ">":
            return (Interval(lower=beyond(version)),)
        case ">=":
            return (Interval(lower=at_least(version)),)
    return (Interval(at_least(version), up_to(version)),)


def _all_of(written: Written, operator: str, at: int, end: int) -> Union:
    """``==1.2.*``: everything whose numbers begin so, prereleases of 1.2 included."""
    star = written.text.rindex(".*", at, end)
    if operator not in ("==", "!="):
        raise written.fault(star, f"{operator} takes no .*; write it with == or !=, or leave it out")
    version = written.bound(at, star)
    numbers = _numbers(written, version, at, star)
    whole = Interval(
        written.before_all_of(numbers, version), written.before_all_of((*numbers[:-1], numbers[-1] + 1), version)
    )
    return (whole,) if operator == "==" else intervals.complement(whole)


def _compatible(written: Written, version: Version, at: int) -> Union:
    """``~=1.2.3``: from it on, as long as all numbers but the last one stay."""
    plain = re.match(r"[vV]?\d+(?:\.\d+)*", written.text[at:])
    numbers = tuple(map(int, plain[0].lstrip("vV").split("."))) if plain else ()
    if len(numbers) < 2 or not has_parts(version):
        raise written.fault(at, "~= needs two numbers or more, such as ~=1.2; for a minimum write >=")
    kept = (*numbers[:-2], numbers[-2] + 1)
    return (Interval(at_least(version), written.before_all_of(kept, version)),)


def _numbers(written: Written, version: Version, at: int, star: int) -> tuple[int, ...]:
    plain = written.text[written.skip_blanks(at, star) : star].strip().lstrip("vV")
    if not has_parts(version) or not re.fullmatch(r"\d+(?:\.\d+)*", plain):
        raise written.fault(at, f".* stands behind numbers with dots alone, as in ==1.2.*, not behind {plain!r}")
    return tuple(map(int, plain.split(".")))
