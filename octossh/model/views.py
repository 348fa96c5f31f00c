"""Lists for people: what stands where, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.model._values import Described, Listed
from octossh.model.deployments import Deployment, State
from octossh.model.releases import Release
from octossh.model.tables import Table, columns

__all__ = ["History", "Releases", "Standing", "Status"]


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


@frozen
class History(Listed[Deployment]):
    """Deployments, newest first."""

    deployments: tuple[Deployment, ...]

    def tables(self) -> tuple[Table, ...]:
        """One row for each deployment."""
        said = any(d.options for d in self.deployments)
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
                *([str(d.options)] if said else []),
                d.error if len(d.error) <= 70 else d.error[:67] + "...",
                d.id,
            )
            for d in self.deployments
        ]
        head = ("started (UTC)", "project", "release", "to", "mode", "state", "s", "by", *(["said"] if said else []))
        caption = "Deployments, newest first"
        return (
            Table(
                head=(*head, "error", "deployment"), rows=rows, caption=caption, empty="nothing has been deployed yet"
            ),
        )

    def __str__(self) -> str:
        (table,) = self.tables()
        # Without the ids, which `to_dict` has: the line is long enough.
        return columns([row[:-1] for row in table.rows], table.head[:-1]) if table.rows else table.empty


@frozen
class Releases(Listed[Release]):
    """Releases of a project, newest first."""

    releases: tuple[Release, ...]

    def tables(self) -> tuple[Table, ...]:
        """One row for each release."""
        rows = [
            (r.number, r.channel, _moment(r.created_at), r.created_by, ", ".join(map(str, r.pins)))
            for r in self.releases
        ]
        projects = ", ".join(dict.fromkeys(release.project for release in self.releases))
        caption = f"Releases of {projects}, newest first" if projects else "Releases, newest first"
        empty = "there is no release yet"
        return (
            Table(
                head=("release", "channel", "created (UTC)", "by", "images"), rows=rows, caption=caption, empty=empty
            ),
        )

    def __str__(self) -> str:
        return str(self.tables()[0])


@frozen(kw_only=True)
class Standing(Described):
    """What stands in one environment.

    Attributes:
        release: Of the last deployment that succeeded there; empty where none has.
        since: When it ended.
        last: State of the newest deployment there, which may have failed since.
        seen: How it was last seen: ``healthy``, ``unhealthy``, ``drifted`` (something else than what was deployed),
            or ``unknown``, where the newest deployment did not succeed. Empty where nothing stands.
        seen_at: When it was first seen so: at the end of a deployment, or by a look for drift.
        seen_why: What was wrong then; empty where it was healthy.
        running: The id of the deployment that runs there now; empty for none.
        waiting: The id of the deployment that has begun there, and waits for an approval; empty for none.
    """

    project: str
    environment: str
    release: str = ""
    since: datetime | None = None
    by: str = ""
    last: State | None = None
    last_release: str = ""
    seen: str = ""
    seen_at: datetime | None = None
    seen_why: str = ""
    running: str = ""
    waiting: str = ""

    @property
    def newest(self) -> str:
        """The newest attempt in words, where it is another one than what stands there."""
        if self.running:
            return f"deploying {self.last_release} now"
        if self.waiting:
            return f"{self.last_release} waits for an approval"
        return f"{self.last_release} {self.last.value}" if self.last and self.last is not State.SUCCEEDED else ""


@frozen
class Status(Described):
    """What stands where."""

    standings: tuple[Standing, ...] = field()

    def __iter__(self) -> Iterator[Standing]:
        return iter(self.standings)

    def to_dict(self) -> dict[str, Any]:
        """The status as plain data."""
        return {"standings": [standing.to_dict() for standing in self.standings]}

    def tables(self) -> tuple[Table, ...]:
        """One row for each project, one column for each environment."""
        places = {(s.project, s.environment): s for s in self.standings}
        environments = tuple(dict.fromkeys(s.environment for s in self.standings))
        rows = [
            (project, *(_square(places.get((project, name))) for name in environments))
            for project in dict.fromkeys(s.project for s in self.standings)
        ]
        head = ("project", *environments)
        return (Table(head=head, rows=rows, caption="What stands where", empty="there is no project"),)

    def __str__(self) -> str:
        rows = [
            (s.project, s.environment, s.release or "-", _moment(s.since), s.by, _seen(s), s.newest)
            for s in self.standings
        ]
        return columns(rows, ("project", "environment", "release", "since (UTC)", "by", "seen", "newest attempt"))


def _seen(standing: Standing) -> str:
    return f"{standing.seen}: {standing.seen_why}" if standing.seen_why else standing.seen


def _square(standing: Standing | None) -> str:
    """One environment of one project, in a few lines."""
    if standing is None:
        return ""
    stands = [f"{standing.release}, {_seen(standing)}", f"{_moment(standing.since)} by {standing.by}"]
    return "\n".join([*(stands if standing.release else ["-"]), *([standing.newest] if standing.newest else [])])
