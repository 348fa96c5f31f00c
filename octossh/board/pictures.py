"""What a board shows: one reading of the record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import field, frozen

from octossh.model import AuditTrail, Deployment, Freeze, History, Release, Releases, Status
from octossh.space import Space

__all__ = ["Picture", "take"]


@frozen(kw_only=True)
class Picture:
    """What the record had when it was read.

    Attributes:
        taken_at: When.
        event: The number of the newest event; where that is the same, all of it is.
        status: What stands where.
        history: The newest deployments, without outcomes.
        detailed: The ids of those of which something more is stored than their line.
        releases: The newest of each project, by its name; newest first.
        freezes: When nothing is deployed.
        audit: The newest acts.
    """

    taken_at: datetime
    event: int
    status: Status
    history: History
    detailed: frozenset[str]
    releases: Mapping[str, Releases]
    freezes: tuple[Freeze, ...]
    audit: AuditTrail
    _deployments: Mapping[str, Deployment] = field(init=False, repr=False, eq=False)
    _releases: Mapping[tuple[str, str], Release] = field(init=False, repr=False, eq=False)

    @_deployments.default
    def _by_id(self) -> Mapping[str, Deployment]:
        return {deployment.id: deployment for deployment in self.history}

    @_releases.default
    def _by_number(self) -> Mapping[tuple[str, str], Release]:
        known = (release for releases in self.releases.values() for release in releases)
        return {(release.project, release.number): release for release in known}

    def deployment(self, id: str) -> Deployment | None:  # noqa: A002 - the field's name
        """One of the deployments, without its outcomes; None: it is not among them."""
        return self._deployments.get(id)

    def release(self, project: str, number: str) -> Release | None:
        """One of the releases; None: it is not among them."""
        return self._releases.get((project, number))


def take(space: Space, *, deployments: int, releases: int, events: int) -> Picture:
    """Read the record of *space*.

    Args:
        space: Its store is read; no host is touched.
        deployments: How many at most, the newest.
        releases: How many of each project.
        events: How many acts of the audit.

    Raises:
        RecordError: The store cannot be read.
    """
    event, _ = space.store.head()  # first: what is written while the rest is read makes the next one
    detailed = [space.store.details(project) for project in space.projects]
    return Picture(
        taken_at=datetime.now(UTC),
        event=event,
        status=space.status(),
        history=space.history(limit=deployments, outcomes=False),
        detailed=frozenset(name for known in detailed for name, more in known.items() if more),
        releases={project: space.releases(project, limit=releases) for project in space.projects},
        freezes=space.freezes.list(),
        audit=space.audit(limit=events),
    )
