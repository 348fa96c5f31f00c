"""A range as it was written: what its notations have in common."""

from __future__ import annotations

from attrs import frozen

from octossh.errors import ModelError
from octossh.versions import intervals
from octossh.versions.intervals import Bound, Union
from octossh.versions.modes import find_bound
from octossh.versions.tags import Version, check_tag

__all__ = ["Written", "has_parts"]


def has_parts(version: Version) -> bool:
    """Whether *version* has numbers that count one below the other: a date and a build number are whole."""
    return version.scheme not in ("date", "number", "text", "created")


@frozen
class Written:
    """The text of a range, and how its bounds are read. Places in the text are counted from 0.

    Attributes:
        text: The whole text.
        mode: Of the bounds.
    """

    text: str
    mode: str

    def fault(self, at: int, what: str) -> ModelError:
        """The error that names a place."""
        return ModelError(f"the range {self.text!r} is wrong at position {at + 1}: {what}")

    def skip_blanks(self, start: int, end: int) -> int:
        """Where the first text from *start* on begins."""
        while start < end and self.text[start].isspace():
            start += 1
        return start

    def bound(self, start: int, end: int) -> Version:
        """The version that stands there.

        Raises:
            ModelError: None does, or something else.
        """
        at = self.skip_blanks(start, end)
        written = self.text[at:end].rstrip()
        if not written:
            raise self.fault(start, "a version is missing; write one such as 1.2")
        try:
            check_tag(written)
        except ModelError:
            raise self.fault(at, f"{written!r} is no version; write numbers with dots, such as 1.2.3") from None
        try:
            return find_bound(self.mode)(written)
        except ModelError as error:
            raise self.fault(at, str(error)) from None

    def numbered(self, numbers: tuple[int, ...], at: int) -> Version:
        """The version with these numbers, written at *at*."""
        try:
            return find_bound(self.mode)(".".join(map(str, numbers)))
        except ModelError as error:
            raise self.fault(at, str(error)) from None

    def next_after(self, numbers: tuple[int, ...], at: int) -> Version:
        """The first version whose numbers do not begin with *numbers*."""
        return self.numbered((*numbers[:-1], numbers[-1] + 1), at)

    def both(self, one: Union, other: Union, at: int) -> Union:
        """What is in both, where *other* is written at *at*.

        Raises:
            ModelError: Nothing is.
        """
        common = intervals.intersection(one, other)
        if not common:
            raise self.fault(at, "no version is left; move a bound")
        return common

    def before_all_of(self, numbers: tuple[int, ...], version: Version) -> Bound:
        """The place before everything whose numbers begin so, prereleases of the first one included."""
        while numbers and not numbers[-1]:
            numbers = numbers[:-1]
        return Bound((numbers,), after=False, scheme=version.scheme, version=version)
