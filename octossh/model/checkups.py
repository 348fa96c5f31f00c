"""What a look at the hosts before a deployment found, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from attrs import frozen

from octossh.model._values import Described
from octossh.model.tables import Table

__all__ = ["Checkup", "Finding", "Grade"]


class Grade(enum.Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@frozen(kw_only=True)
class Finding(Described):
    """One question about one host, and what was found.

    Attributes:
        target: The host.
        subject: What was looked at, such as ``docker`` or ``disk``.
        grade: With a fault, a deployment would fail there.
        found: What there is, in words.
        advice: What to do; empty where all is well.
    """

    target: str
    subject: str
    grade: Grade
    found: str
    advice: str = ""


@frozen
class Checkup(Described):
    """What was found on all hosts; printing it gives a table.

    Attributes:
        findings: By host, in the order of the targets.
        warnings: What is odd about channels, whatever the hosts.
    """

    findings: tuple[Finding, ...]
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing would make a deployment fail."""
        return all(finding.grade is not Grade.FAULT for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def tables(self) -> tuple[Table, ...]:
        """One row for each finding."""
        rows = [
            (f.target, f.subject, f.grade.value, f"{f.found}; {f.advice}" if f.advice else f.found)
            for f in self.findings
        ]
        head = ("target", "subject", "grade", "found")
        return (Table(head=head, rows=rows, caption="Whether hosts are ready", empty="there is no target to check"),)

    def __str__(self) -> str:
        return str(*self.tables())
