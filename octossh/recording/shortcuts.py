"""Short ways through a long history: what stands where, and what has come where, without reading all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from octossh import planning
from octossh.model import Deployment, Mode, State
from octossh.recording.rows import clean, pins_of
from octossh.recording.statements import read, where
from octossh.recording.transactions import Transaction

if TYPE_CHECKING:
    from octossh.model import Pin

__all__ = ["Shortcuts"]

_COUNTS = f"mode <> '{Mode.PRUNE.value}'"
_PASSED = f"state = '{State.SUCCEEDED.value}'"


class Shortcuts(Transaction):
    """Questions about deployments that are answered out of the indexes."""

    def latest(self, project: str | None) -> tuple[Deployment, ...]:
        """See `Store.latest`."""
        if project is None:
            found = self.connection.rows(_LATEST)
        else:
            found = self.connection.rows(_LATEST_OF_ONE, {"project": clean(project)})
        return self._of({seq for row in found for seq in row.values() if seq is not None})

    def reached(self, project: str, release: str, besides: str) -> frozenset[str]:
        """See `Store.reached`."""
        about = {"project": clean(project), "release": clean(release), "besides": clean(besides)}
        return frozenset(row["environment"] for row in self.connection.rows(_REACHED, about))

    def past(self, project: str, environment: str, before: int | None, limit: int) -> list[tuple[int, Deployment]]:
        """So many deployments to one environment with their numbers, newest first, from *before* that number on."""
        values = {"project": clean(project), "environment": clean(environment), "limit": limit}
        conditions = ["project = :project", "environment = :environment", _COUNTS]
        if before is not None:
            conditions.append("seq < :before")
            values["before"] = before
        query = f"{read('deployments')}{where(conditions)} ORDER BY seq DESC LIMIT :limit"
        rows = list(self.connection.rows(query, values))
        return [(row["seq"], made) for row, made in zip(rows, self.filled(rows, outcomes=False), strict=True)]

    def came(self) -> tuple[planning.Came, ...]:
        """See `Store.came`."""
        return tuple(planning.Came(**row) for row in self.connection.rows(_CAME))

    def pins(self, project: str, numbers: Sequence[str]) -> tuple[Pin, ...]:
        """See `Store.pins`."""
        query, wanted = f"{read('releases')} WHERE project = :project AND", [clean(number) for number in numbers]
        rows = self.rows_among(query, "number", wanted, project=clean(project))
        return tuple(pin for row in rows for pin in pins_of(row, self.where))

    def _of(self, seqs: set[int]) -> tuple[Deployment, ...]:
        query, order = f"{read('deployments')} WHERE", sorted(seqs, reverse=True)
        rows = list(self.rows_among(query, "seq", order, "ORDER BY seq DESC"))
        return tuple(self.filled(rows, outcomes=False))


# Pairs of project and environment are each found from the one before it, so that the index is not read through: from
# project to project, and within each from environment to environment. SQLite compares pairs by their first half only,
# and would read all of a project for each of its environments.
_PLACES = """
    places (project, environment) AS (
        SELECT project, (SELECT min(environment) FROM deployments WHERE project = projects.project)
        FROM projects WHERE project IS NOT NULL
        UNION ALL
        SELECT project, (
            SELECT min(environment) FROM deployments
            WHERE project = places.project AND environment > places.environment
        )
        FROM places WHERE environment IS NOT NULL
    )
"""
_ALL = """
    projects (project) AS (
        SELECT min(project) FROM deployments
        UNION ALL
        SELECT (SELECT min(project) FROM deployments WHERE project > projects.project)
        FROM projects WHERE project IS NOT NULL
    )
"""
_ONE = "projects (project) AS (SELECT CAST(:project AS TEXT))"  # PostgreSQL does not guess a type
_HERE = f"""
    SELECT seq FROM deployments
    WHERE project = places.project AND environment = places.environment AND {_COUNTS}
"""  # noqa: S608
_NEWEST = "ORDER BY seq DESC LIMIT 1"


def _latest(projects: str) -> str:
    """Of each place the numbers of the newest deployment, and of the newest that succeeded."""
    return f"""
        WITH RECURSIVE {projects}, {_PLACES}
        SELECT ({_HERE} {_NEWEST}) AS newest, ({_HERE} AND {_PASSED} {_NEWEST}) AS passed
        FROM places WHERE environment IS NOT NULL
    """  # noqa: S608


_LATEST, _LATEST_OF_ONE = _latest(_ALL), _latest(_ONE)
# The environments in which one release has succeeded, each found from the one before it.
_REACHED = f"""
    WITH RECURSIVE places (environment) AS (
        SELECT min(environment) FROM deployments WHERE project = :project AND release = :release
        UNION ALL
        SELECT (
            SELECT min(environment) FROM deployments
            WHERE project = :project AND release = :release AND environment > places.environment
        )
        FROM places WHERE environment IS NOT NULL
    )
    SELECT environment FROM places WHERE EXISTS (
        SELECT 1 FROM deployments
        WHERE project = :project AND release = :release AND environment = places.environment
            AND {_PASSED} AND {_COUNTS} AND id <> :besides
    )
"""  # noqa: S608
# Of each release and place the numbers of the newest deployment, and of the newest that succeeded.
_CAME = f"""
    SELECT project, environment, release, max(seq) AS last, max(CASE WHEN {_PASSED} THEN seq END) AS passed
    FROM deployments WHERE {_COUNTS} GROUP BY project, environment, release
"""  # noqa: S608
