"""Lists for people: what stands where, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, overload

from attrs import field, frozen

from octossh.model._values import Described
from octossh.model.deployments import Deployment, State

__all__ = ["History", "Standing", "Status", "columns"]


def columns(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Rows of text under a head, in aligned columns."""
    table = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[number]) for row in table) for number in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


@frozen
class History(Described, Sequence[Deployment]):
    """Deployments, newest first."""

    deployments: tuple[Deployment, ...]

    @overload
    def __getitem__(self, index: int) -> Deployment: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Deployment, ...]: ...

    def __getitem__(self, index: int | slice) -> Deployment | tuple[Deployment, ...]:
        return self.deployments[index]

    def __len__(self) -> int:
        return len(self.deployments)

    def __str__(self) -> str:
        if not self.deployments:
            return "nothing has been deployed yet"
        rows = [
            (
                _moment(d.started_at),
                d.project,
                d.release,
                d.environment,
                d.mode.value,
                d.state.value,
                f"{d.duration_s:.1f}" if d.duration_s is not None else "",
                d.by,
                d.error if len(d.error) <= 70 else d.error[:67] + "...",
            )
            for d in self.deployments
        ]
        return columns(rows, ("started (UTC)", "project", "release", "to", "mode", "state", "s", "by", "error"))


@frozen(kw_only=True)
class Standing(Described):
    """What stands in one environment.

    Attributes:
        release: Of the last deployment that succeeded there; empty where none has.
        since: When it ended.
        last: State of the newest deployment there, which may have failed since.
    """

    project: str
    environment: str
    release: str = ""
    since: datetime | None = None
    by: str = ""
    last: State | None = None
    last_release: str = ""


@frozen
class Status(Described):
    """What stands where."""

    standings: tuple[Standing, ...] = field()

    def __iter__(self) -> Iterator[Standing]:
        return iter(self.standings)

    def to_dict(self) -> dict[str, Any]:
        """The status as plain data."""
        return {"standings": [standing.to_dict() for standing in self.standings]}

    def __str__(self) -> str:
        rows = []
        for s in self.standings:
            newest = f"{s.last_release} {s.last.value}" if s.last and s.last is not State.SUCCEEDED else ""
            rows.append((s.project, s.environment, s.release or "-", _moment(s.since), s.by, newest))
        return columns(rows, ("project", "environment", "release", "since (UTC)", "by", "newest attempt"))
