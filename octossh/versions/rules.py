"""What a tag has to be in order to be chosen: the rules as a value, checked when it is made."""

from __future__ import annotations

import math
import re
from typing import Any, TypedDict

from attrs import asdict, field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.versions import patterns

__all__ = ["SCHEMES", "Rule", "RuleFields", "compiled"]

SCHEMES = ("dotted", "calver", "date", "number", "semver", "octopus", "pep440", "text", "regex", "created")

# What these modes read has no first number that a major version could be.
_UNCOUNTED = frozenset({"alphabetical", "created"})


class RuleFields(TypedDict, total=False):
    """The fields of a `Rule`, for functions that take them one by one."""

    range: str | None
    variant: str | None
    prefix: str | None
    prerelease: str | None
    tag: str | None
    scheme: str | None
    mode: str
    downgrade: bool
    max_major_jump: int | None
    min_age_days: float


@frozen
class Rule:
    """What a tag has to be in order to be chosen, and how tags are read.

    Attributes:
        range: A `Range`, such as ``[1.0,2.0)``, ``^1.2`` or ``~=1.2``. None: every version.
        variant: The text after the version, to the letter. ``*`` in it stands for any number with dots, so
            ``alpine*`` takes ``alpine3.20`` and not ``alpine-perl``; a lone ``*`` takes every variant.
            None: that of the current tag, if there is one, else no variant.
        prefix: The text before the version. Of two equal tags, the one with this very prefix wins; without it,
            the form that most tags have. None: that of the current tag, else none or ``v``.
        prerelease: A regular expression that is searched for in the label, such as ``^rc`` for ``rc.1``.
            Stable versions have the label ``""``, so ``^(|rc.*)$`` takes both. Case does not matter.
            None: stable versions only. What the range names alone, as ``[2.0-rc.1]``, passes.
        tag: A regular expression that is searched for in the tag itself. None: every tag.
        scheme: ``dotted``, ``calver``, ``date`` or ``number``. None: the only one that there is; dates and
            plain numbers give way to versions with dots.
        mode: How to read tags and range, as `parse` knows it.
        downgrade: Whether a version may be older than the current tag.
        max_major_jump: How far the first number may go beyond that of the current tag: 0 stays on the major
            version, 1 takes the next one too. None: any jump.
        min_age_days: For so long a tag has to have been there. 0: no matter how long.

    Raises:
        ModelError: A rule is wrong.
    """

    range: str | None = None
    variant: str | None = field(default=None, kw_only=True)
    prefix: str | None = field(default=None, kw_only=True)
    prerelease: str | None = field(default=None, kw_only=True)
    tag: str | None = field(default=None, kw_only=True)
    scheme: str | None = field(default=None, kw_only=True)
    mode: str = field(default="docker", kw_only=True)
    downgrade: bool = field(default=False, kw_only=True)
    max_major_jump: int | None = field(default=None, kw_only=True)
    min_age_days: float = field(default=0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.mode != "docker":
            from octossh.versions.modes import check_mode  # loads what reads tags, which few processes do

            check_mode(self.mode)
        if self.range is not None:
            from octossh.versions.ranges import Range

            Range.parse(self.range, self.mode)
        _check_texts(variant=self.variant, prefix=self.prefix)
        compiled(self.prerelease, "prerelease")
        compiled(self.tag, "tag")
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise ModelError(
                f"there is no scheme {self.scheme!r} of versions; {did_you_mean(str(self.scheme), SCHEMES)}"
            )
        _check_guards(self)

    def to_dict(self) -> dict[str, Any]:
        """The rule as what JSON can hold."""
        return asdict(self)


def _check_texts(**texts: object) -> None:
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ModelError(f"the {name} {text!r} is not text; put it in quotes")


def _check_guards(rule: Rule) -> None:
    jump, days = rule.max_major_jump, rule.min_age_days
    if not isinstance(rule.downgrade, bool):
        raise ModelError(f"downgrade {rule.downgrade!r} is neither True nor False; write one of them")
    if jump is not None and (not isinstance(jump, int) or isinstance(jump, bool) or jump < 0):
        raise ModelError(f"max_major_jump {jump!r} is no number of major versions; 0 stays on the current one")
    if jump is not None and rule.mode in _UNCOUNTED:
        raise ModelError(f"mode {rule.mode!r} knows no major versions; leave max_major_jump out")
    if not isinstance(days, int | float) or isinstance(days, bool) or not 0 <= days < math.inf:
        raise ModelError(f"min_age_days {days!r} is no number of days; write 3 or 0.5")


def compiled(pattern: str | None, name: str, flags: int = 0) -> re.Pattern[str] | None:
    """A regular expression of a rule, ready for use.

    Raises:
        ModelError: It is none, or could run for hours.
    """
    return patterns.compiled(pattern, f"{name} rule", flags) if pattern is not None else None
