"""The rules that look at something besides the tags: at the one that runs now, and at when tags were made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from octossh.errors import ModelError
from octossh.versions.created import FIRST
from octossh.versions.sieving import Fault, Sieve, schemes
from octossh.versions.tags import Version

__all__ = ["MOST", "Created", "Times", "comparable", "downgrade_fault", "jump_fault", "keep_old_enough"]

Created = Mapping[str, datetime] | Callable[[Sequence[str]], Mapping[str, datetime]]

# How many tags somebody may be asked about, one request or more for each.
MOST = 50


class Times:
    """When tags were made. Where a function says it, it is asked as late as can be, and once for each tag.

    Raises:
        ModelError: A time has no time zone, or is none.
    """

    def __init__(self, created: Created | None) -> None:
        self._created = created
        self._known: dict[str, datetime] = {}
        self._asked: set[str] = set()

    @property
    def costly(self) -> bool:
        """Whether somebody is asked, so that it should be about few tags."""
        return callable(self._created)

    def of(self, tags: Sequence[str]) -> Mapping[str, datetime]:
        """The times of *tags*; those that are not known, or cannot be true, are left out."""
        created = self._created
        asked = [tag for tag in tags if tag not in self._asked]
        if asked and created is not None:
            self._asked.update(asked)
            found = created(asked) if callable(created) else created
            self._known |= {tag: self._checked(tag, found[tag]) for tag in asked if tag in found}
        return {tag: self._known[tag] for tag in tags if tag in self._known and self._known[tag] >= FIRST}

    def _checked(self, tag: str, made_at: object) -> datetime:
        if not isinstance(made_at, datetime) or made_at.tzinfo is None:
            raise ModelError(
                f"the tag {tag!r} was created at {made_at!r}, which is no time with a time zone; "
                "give a datetime such as datetime(2026, 1, 31, tzinfo=UTC)"
            )
        return made_at


def comparable(versions: Sequence[Version], current: Version) -> bool:
    """Whether all *versions* and the current one count in one way, so that one can be older than the other."""
    counts = schemes([*versions, current])
    return current.is_version and {counts(version) for version in versions} <= {counts(current)}


def downgrade_fault(current: Version) -> Fault:
    """Of versions that are older than the current one. Another spelling of the same one is not: 1.2 next to 1.2.0."""
    return lambda v: f"is older than {current}, the current one" if v.key[:4] < current.key[:4] else ""


def jump_fault(current: Version, most: int) -> Fault:
    """Of versions whose first number is more than *most* beyond that of the current one."""
    first = current.release[0]
    allowed = "the same is wanted" if not most else f"at most {most} more is allowed"

    def fault(version: Version) -> str:
        if version.release[0] - first <= most:
            return ""
        return f"jumps from major version {first} to {version.release[0]}, and {allowed}"

    return fault


def keep_old_enough(sieve: Sieve, ranked: Sequence[Version], times: Times, min_age_days: float, now: datetime) -> None:
    """Take out of *sieve* what is too young, from the newest version down to the first that is old enough.

    Those below are older versions; their times do not matter, and nobody is asked for them.
    """
    young: dict[str, str] = {}
    most = MOST if times.costly else len(ranked)
    for version, made_at in _dated(ranked[:most], times):
        reason = _too_young(made_at, min_age_days, now)
        if not reason:
            break
        young[version.tag] = reason
    else:
        rest = f"was not looked at: none of the {most} newer ones was old enough"
        young |= {version.tag: rest for version in ranked[most:]}
    sieve.keep("min_age_days", lambda v: young.get(v.tag, ""))


def _dated(ranked: Sequence[Version], times: Times) -> Iterator[tuple[Version, datetime | None]]:
    """Each version with its time, which is asked for only as they are taken: one, two, four ... at a time."""
    at, batch = 0, 1
    while at < len(ranked):
        some = ranked[at : at + batch]
        made = times.of([version.tag for version in some])
        for version in some:
            yield version, made.get(version.tag)
        at, batch = at + batch, 2 * batch


def _too_young(made_at: datetime | None, min_age_days: float, now: datetime) -> str:
    if made_at is None:
        return f"is of unknown age, and {min_age_days:g} days are wanted"
    age = now - made_at
    if age >= timedelta(days=min_age_days):
        return ""
    return f"is {max(age / timedelta(days=1), 0):.1f} days old, and {min_age_days:g} are wanted"
