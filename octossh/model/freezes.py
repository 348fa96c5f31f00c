"""Freezes: when nothing is deployed, and where."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, named, sorted_names, telling, words

__all__ = ["Freeze", "moment"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PLACE = rf"({'|'.join(_DAYS)}) ([01]\d|2[0-3]):([0-5]\d)"
_WINDOW = re.compile(rf"{_PLACE} *- *{_PLACE}")
_NEVER = datetime.max.replace(tzinfo=UTC)


def moment(value: object, zone: str | None = None) -> datetime:
    """A time, as `datetime` or in ISO 8601; one that says no zone is in *zone*, or in that of this machine. In UTC.

    Raises:
        ModelError: It is none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ModelError(f"{value!r} is no time; write one such as '2026-12-24 18:00' or '...+01:00'") from None
    if not isinstance(value, datetime):
        raise ModelError(f"{value!r} is no time; give a datetime, or text such as '2026-12-24 18:00'")
    if value.utcoffset() is None and zone is not None:
        value = value.replace(tzinfo=_zone(zone))
    return value.astimezone(UTC)


def _zone(name: str) -> tzinfo:
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ModelError(
            f"there is no time zone {name!r}; name one of IANA's, such as 'Europe/Berlin' (a machine without any needs "
            "the Python package tzdata)"
        ) from None


def _window(text: str) -> tuple[timedelta, timedelta]:
    """From when and until when a part of a week is, counted from Monday 00:00."""
    found = _WINDOW.fullmatch(text.strip())
    ends = [
        timedelta(days=_DAYS.index(day), hours=int(hour), minutes=int(minute))
        for day, hour, minute in ((found.groups()[:3], found.groups()[3:]) if found else ())
    ]
    if not ends or ends[0] == ends[1]:
        raise ModelError(f"{text!r} is no part of a week; write one such as 'Fri 16:00 - Mon 08:00'")
    return ends[0], ends[1]


def _weekly(value: Any) -> tuple[str, ...]:
    windows = words(value)
    for window in windows:
        _window(window)
    return windows


def _check_zone(_instance: Any, _attribute: Any, zone: Any) -> None:
    if not isinstance(zone, str) or not zone:
        raise ModelError(f"{zone!r} is no time zone; name one of IANA's, such as 'Europe/Berlin'")
    _zone(zone)


def _optional(value: Any) -> Any:
    return value if value is None or isinstance(value, str | datetime) else moment(value)


@frozen(field_transformer=telling)
class Freeze(Described):
    """A time in which nothing is deployed, or rolled back, or removed, unless somebody gives a reason.

    Times without a zone are in *zone*. Where a clock is put back, the earlier of two equal times counts.

    Attributes:
        name: Unique in its space.
        starts_at: A `datetime`, or text such as ``2026-12-24 18:00``. None: from now on.
        ends_at: The same. None: until it is removed. It holds up to there, and no longer.
        environments: Where it holds; none: everywhere.
        projects: For which it holds; none: for all.
        zone: A time zone by its IANA name.
        weekly: It holds in these parts of each week only, such as ``["Fri 16:00 - Mon 08:00"]``, as the clocks in
            *zone* show them.
    """

    name: str = field(validator=named("freeze"))
    starts_at: datetime | None = field(default=None, kw_only=True, converter=_optional)
    ends_at: datetime | None = field(default=None, kw_only=True, converter=_optional)
    environments: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    projects: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    zone: str = field(default="UTC", kw_only=True, validator=_check_zone)
    weekly: tuple[str, ...] = field(default=(), kw_only=True, converter=_weekly)

    def __attrs_post_init__(self) -> None:
        for name in ("starts_at", "ends_at"):
            if (value := getattr(self, name)) is not None:
                try:
                    object.__setattr__(self, name, moment(value, self.zone))
                except ModelError as error:
                    raise ModelError(f"freeze {self.name!r}, {name}: {error}") from None
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ModelError(f"freeze {self.name!r} ends before it starts; give a later ends_at")

    def concerns(self, project: str, environment: str) -> bool:
        """Whether it is for *project* in *environment*, whenever."""
        return (not self.projects or project in self.projects) and (
            not self.environments or environment in self.environments
        )

    def until(self, at: datetime) -> datetime | None:
        """When it ends, if it holds at *at*; None if it does not.

        One without an end ends with the calendar.
        """
        if (self.starts_at and at < self.starts_at) or (self.ends_at and at >= self.ends_at):
            return None
        last = self.ends_at or _NEVER
        if not self.weekly:
            return last
        end = at
        # One part may go over into the next; two of them make a whole week, which has no end.
        for _ in range(2 * len(self.weekly) + 1):
            later = self._closes(end)
            if later is None:
                return end if end > at else None
            end = later
            if end >= last:
                return last
        return last

    def _closes(self, at: datetime) -> datetime | None:
        """The end of the part of a week that *at* is in, the latest if it is in several."""
        zone = _zone(self.zone)
        here = at.astimezone(zone).replace(tzinfo=None)
        monday = here.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=here.weekday())
        ends = []
        for start, end in map(_window, self.weekly):
            for week in (-1, 0, 1):
                opens, closes = (
                    (monday + timedelta(weeks=number) + place).replace(tzinfo=zone).astimezone(UTC)
                    for number, place in ((week, start), (week + (end <= start), end))
                )
                if opens <= at < closes:
                    ends.append(closes)
        return max(ends, default=None)

    @property
    def when(self) -> str:
        """Its times in words, in its zone."""
        times = [
            f"{word} {value.astimezone(_zone(self.zone)):%Y-%m-%d %H:%M}"
            for word, value in (("from", self.starts_at), ("until", self.ends_at))
            if value
        ]
        weekly = ", ".join(self.weekly)
        return " ".join([*times, *([weekly] if weekly else []), self.zone]) if times or weekly else "always"

    def __str__(self) -> str:
        where = f"{', '.join(self.projects) or 'all projects'} in {', '.join(self.environments) or 'all environments'}"
        return f"{self.name}: {where}, {self.when}"
