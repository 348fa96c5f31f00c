"""A choice with its reasons, as data and as a table that stays readable when there are many tags."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from octossh.versions.tags import Version

__all__ = ["Explanation", "Verdict", "counted"]

# A table of up to so many tags shows each of them; a longer one shows so many of those that passed, and so many
# of those that fell to one rule.
_ALL = 40
_PASSED = 10
_FALLEN = 3

_REST: Mapping[str, str] = MappingProxyType(
    {
        "": "passed, and are older",
        "min_age_days": "are too young",
        "max_major_jump": "jump too far",
        "downgrade": "are older than the current one",
        "prerelease": "do not fit the prerelease rule",
        "scheme": "count in another way",
        "range": "are outside the range",
        "floating": "float",
        "variant": "have another variant: ",
        "prefix": "have another prefix: ",
        "tag": "do not match the tag rule",
        "version": "are no versions: ",
        "invalid": "are no tags at all",
    }
)


@frozen
class Verdict:
    """What became of one tag.

    Attributes:
        tag: The tag.
        version: What it says. None: no registry can hold such a tag.
        accepted: Whether it passed every rule.
        reason: Why, or why not, in words.
        rule: The name of the rule that it did not pass: a field of `Rule`, or ``invalid``, ``version`` or
            ``floating``. Empty if it passed.
    """

    tag: str
    version: Version | None
    accepted: bool
    reason: str
    rule: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The verdict as what JSON can hold."""
        version = self.version.to_dict() if self.version is not None else None
        return {
            "tag": self.tag,
            "version": version,
            "accepted": self.accepted,
            "reason": self.reason,
            "rule": self.rule,
        }


@frozen(repr=False)
class Explanation:
    """A choice with its reasons. Printing it gives a table; in a notebook it shows as one.

    Of many tags the table shows the newest ones that passed and, for each rule, the nearest misses and how many
    more there are; ``verdicts`` has them all.

    Attributes:
        chosen: The newest version that passed every rule. None: no tag did.
        verdicts: One for each tag: those that passed, newest first, then the others, the nearest miss first.
        notes: What else is worth knowing, such as a variant that no tag has.
        ambiguous: Why it is open which version is newer, so that none is chosen: the tags count in two ways. Empty
            where that is not so.
    """

    chosen: Version | None
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = field(default=())
    ambiguous: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many tags fell to which rule; under ``""`` those that passed."""
        return dict(Counter(verdict.rule for verdict in self.verdicts))

    def to_dict(self) -> dict[str, Any]:
        """The explanation as what JSON can hold."""
        return {
            "chosen": self.chosen.tag if self.chosen is not None else None,
            "notes": list(self.notes),
            "ambiguous": self.ambiguous,
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
        }

    def _head(self) -> str:
        passed = sum(verdict.accepted for verdict in self.verdicts)
        chosen = self.chosen.tag if self.chosen is not None else "none"
        return f"chosen: {chosen} ({len(self.verdicts)} tags, {passed} passed)"

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Sign, tag and reason of what is shown."""
        everything = len(self.verdicts) <= _ALL
        for rule, found in itertools.groupby(self.verdicts, key=lambda verdict: verdict.rule):
            group = list(found)
            sign = "-" if rule else "+"
            most = len(group) if everything else _FALLEN if rule else _PASSED
            if len(group) == most + 1:  # its line would be as long
                most += 1
            for verdict in group[:most]:
                yield sign, _printable(verdict.tag), verdict.reason
            if len(group) > most:
                yield sign, f"… {len(group) - most} more", _rest(rule, group[most:])

    def __str__(self) -> str:
        rows = list(self._rows())
        width = min(max((len(tag) for _, tag, _ in rows), default=0), 60)
        lines = [self._head(), *(f"  {sign} {tag:<{width}}  {reason}" for sign, tag, reason in rows)]
        lines += [f"ambiguous: {self.ambiguous}"] if self.ambiguous else []
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        import html

        left = ' style="text-align: left"'
        cell = ' style="text-align: left; padding: 0.1em 0.8em"'
        rows = "".join(
            f'<tr><td{cell}>{sign}</td><th scope="row"{cell}><code>{html.escape(tag)}</code></th>'
            f"<td{cell}>{html.escape(why)}</td></tr>"
            for sign, tag, why in self._rows()
        )
        notes = f"<p>ambiguous: {html.escape(self.ambiguous)}</p>" if self.ambiguous else ""
        notes += "".join(f"<p>note: {html.escape(note)}</p>" for note in self.notes)
        heads = "".join(f'<th scope="col"{cell}>{name}</th>' for name in ("passed", "tag", "why"))
        return (
            f"<table><caption{left}>{html.escape(self._head())}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{notes}"
        )

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))

    def __repr__(self) -> str:
        accepted = sum(verdict.accepted for verdict in self.verdicts)
        chosen = self.chosen.tag if self.chosen is not None else None
        return f"<Explanation chosen={chosen!r} accepted={accepted} rejected={len(self.verdicts) - accepted}>"


def _printable(tag: str) -> str:
    """What is no tag may hold sequences that move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in tag)


def _rest(rule: str, group: list[Verdict]) -> str:
    said = _REST[rule]
    if not said.endswith(": "):
        return said
    versions = [verdict.version for verdict in group if verdict.version is not None]
    return said + counted(
        v.variant if rule == "variant" else v.line[0] if rule == "prefix" else v.kind for v in versions
    )


def counted(names: Iterable[str]) -> str:
    """Names and how often they are there, the most frequent first: ``alpine (20), none (3)``."""
    counts = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name or 'none'} ({count})" for name, count in counts[:6])
    return f"{shown} and {len(counts) - 6} others" if len(counts) > 6 else shown
