"""Ranges in the notation of NuGet and Octopus: ``[1.0,2.0)``."""

from __future__ import annotations

from octossh.versions.intervals import Interval, Union, at_least, below, beyond, up_to
from octossh.versions.tags import Version
from octossh.versions.written import Written

__all__ = ["read_intervals"]


def read_intervals(written: Written, start: int) -> Union:
    """The interval that stands from *start* on.

    Raises:
        ModelError: None does, or one that no version can be in.
    """
    text = written.text
    end = len(text.rstrip())
    start = written.skip_blanks(start, len(text))
    if start >= end:
        raise written.fault(start, "there is nothing; write a minimum as 1.0, or an interval as [1.0,2.0)")
    if text[start] not in "[(":
        if text[end - 1] in "])":
            raise written.fault(start, "the interval has no opening bracket; begin it with [ or (")
        return (Interval(lower=at_least(written.bound(start, end))),)
    if end - start < 2 or text[end - 1] not in "])":
        raise written.fault(end, "the interval has no closing bracket; end it with ] or )")
    inner, last = start + 1, end - 1
    comma = text.find(",", inner, last)
    if comma < 0:
        if text[start] + text[last] != "[]":
            raise written.fault(start, "a single version takes square brackets, as [1.2]; a minimum takes none")
        only = written.bound(inner, last)
        return (Interval(at_least(only), up_to(only)),)
    second = text.find(",", comma + 1, last)
    if second >= 0:
        raise written.fault(second, "an interval has one comma; name two bounds")
    lower = written.bound(inner, comma) if text[inner:comma].strip() else None
    upper = written.bound(comma + 1, last) if text[comma + 1 : last].strip() else None
    if lower is None and upper is None:
        raise written.fault(comma, "no bound is named; leave the range out to allow every version")
    made = Interval(
        None if lower is None else at_least(lower) if text[start] == "[" else beyond(lower),
        None if upper is None else up_to(upper) if text[last] == "]" else below(upper),
    )
    if upper is not None and made.is_empty:
        raise written.fault(written.skip_blanks(comma + 1, last), _empty(lower, upper))
    return (made,)


def _empty(lower: Version | None, upper: Version) -> str:
    if lower is None:
        return f"no version comes before {upper}; raise the bound"
    if upper.key[:4] < lower.key[:4]:
        return f"the upper bound {upper} is below the lower bound {lower}; exchange them"
    return f"no version fits between {lower} and {upper}; move a bound, or include it with [ or ]"
