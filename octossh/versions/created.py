"""The mode ``created``: tags by the time at which their images were made.

For a few tags that say nothing themselves, such as those of feature branches. The times come from the caller.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from octossh.errors import ModelError
from octossh.versions import dates
from octossh.versions.tags import Version, kind_of_name, moves
from octossh.versions.tails import stripped

__all__ = ["FIRST", "bound", "check_times", "read"]

# Earlier than any image of docker: what reproducible builds write in place of a time.
FIRST = datetime.datetime(2013, 1, 1, tzinfo=datetime.UTC)


def check_times(created: object) -> Mapping[str, datetime.datetime]:
    """*created* itself, if it maps tags to times that name a moment.

    Raises:
        ModelError: It does not.
    """
    if not isinstance(created, Mapping):
        raise ModelError(f"mode 'created' needs the time of each tag, not {created!r}; give created={{tag: datetime}}")
    for tag, time in created.items():
        if not isinstance(time, datetime.datetime) or time.utcoffset() is None:
            raise ModelError(
                f"the time {time!r} of the tag {tag!r} names no moment; give a datetime with its time zone, such as "
                "datetime.datetime(2024, 1, 15, tzinfo=datetime.UTC)"
            )
    return created


def read(tag: str, created: Mapping[str, datetime.datetime]) -> Version:
    """Read a tag that `check_tag` has let through, with times that `check_times` has."""
    if kind_of_name(tag) == "artifact" or moves(tag):
        return Version(tag=tag, mode="created", kind=kind_of_name(tag) or "word")
    time = created.get(tag)
    if time is None or time < FIRST:
        return Version(tag=tag, mode="created", kind="undated")
    utc = time.astimezone(datetime.UTC)
    release = (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)
    return Version(
        tag=tag,
        mode="created",
        kind="date",
        release=release,
        scheme="created",
        key=(stripped((*release, utc.microsecond)), (), (), ()),
    )


def bound(text: str) -> Version:
    """Read the bound of a range: a date, with its time in UTC if there is one.

    Raises:
        ModelError: It is no date.
    """
    day = dates.bound(text)
    if day.build:
        raise ModelError(f"{text!r} is more than a date; write it as 2024-01-15 or 2024-01-15T12-30-00Z")
    return Version(
        tag=text,
        mode="created",
        kind="date",
        release=day.release,
        scheme="created",
        key=(stripped(day.release), (), (), ()),
    )
