"""Dates of the calendar in tags, and the mode ``date`` that takes nothing else."""

from __future__ import annotations

import datetime
import re

from octossh.errors import ModelError
from octossh.versions.tags import Version, find_prefix, kind_of_name
from octossh.versions.tails import order, read_tail

__all__ = ["bound", "find_date", "read"]

_DAY = re.compile(r"((?:19|20)\d\d)(-?)(\d\d)\2(\d\d)(?!\d)")
_LOOSE = re.compile(r"((?:19|20)\d\d)([._])(\d\d?)\2(\d\d?)(?!\d)")
_TIME = re.compile(r"[Tt_-](\d\d)-?(\d\d)(?:-?(\d\d))?Z?(?![0-9A-Za-z])")
_STAMP = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z?(?![0-9A-Za-z])")


def find_date(tag: str, at: int, *, loose: bool = False) -> tuple[tuple[int, ...], int] | None:
    """A date of the calendar at *at*, with its time if there is one, and where it ends.

    Args:
        tag: A text.
        at: Where the date begins.
        loose: Whether dots and ``_`` may stand between year, month and day.
    """
    if not tag.startswith(("19", "20"), at):
        return None
    stamp = _STAMP.match(tag, at)
    if stamp:
        numbers = [int(part) for part in stamp.groups() if part]
        return (tuple(numbers), stamp.end()) if _exists(numbers) else None
    match = _DAY.match(tag, at) or (_LOOSE.match(tag, at) if loose else None)
    if match is None:
        return None
    numbers = [int(match[1]), int(match[3]), int(match[4])]
    if not _exists(numbers):
        return None
    end = match.end()
    time = _TIME.match(tag, end)
    if time:
        exact = numbers + [int(part) for part in time.groups() if part]
        if _exists(exact):
            numbers, end = exact, time.end()
    return tuple(numbers), end


def _exists(numbers: list[int]) -> bool:
    if numbers[0] < 1970:
        return False
    try:
        datetime.datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return False
    return True


def read(tag: str) -> Version:
    """Read a tag that `check_tag` has let through: a prefix, a date, and a tail as in mode docker."""
    kind = kind_of_name(tag)
    prefix = find_prefix(tag) if not kind else None
    if prefix is None:
        return Version(tag=tag, mode="date", kind=kind or "word")
    found = find_date(tag, len(prefix), loose=True)
    if found is None:
        return Version(tag=tag, mode="date", kind="other")
    release, at = found
    tail = read_tail(tag[at:])
    return Version(
        tag=tag,
        mode="date",
        kind="date",
        prefix=prefix,
        release=release,
        pre=tail.pre,
        post=tail.post,
        build=tail.build,
        sha=tail.sha,
        variant=tail.variant,
        scheme="date",
        key=order(release, tail),
    )


def bound(text: str) -> Version:
    """Read the bound of a range.

    Raises:
        ModelError: It is no date.
    """
    version = read(text)
    if not version.is_version or version.line[0] or version.variant:
        raise ModelError(f"{text!r} is no date; write it as 2024-01-15, 20240115 or 2024-01-15T12-30-00Z")
    return version
