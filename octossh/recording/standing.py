"""What stands where, out of any number of deployments: the index is asked for its ends only."""

from __future__ import annotations

from sqlalchemy import select, text

from octossh.model import Deployment
from octossh.recording.rows import clean
from octossh.recording.tables import deployments
from octossh.recording.transactions import Transaction

__all__ = ["Standings"]

_MOST = 500  # values in one statement

_HERE = "FROM deployments d WHERE d.project = p.project AND d.environment = p.environment AND d.mode <> 'prune'"

# From each project, and each environment, straight to the next one: a GROUP BY would read the whole index.
_NEWEST = text(
    f"""
    WITH RECURSIVE o(project) AS (
        SELECT MIN(project) FROM deployments WHERE project = :project OR :project IS NULL
        UNION ALL
        SELECT (SELECT MIN(d.project) FROM deployments d WHERE d.project > o.project AND :project IS NULL)
        FROM o WHERE o.project IS NOT NULL
    ), p(project, environment) AS (
        SELECT o.project, (SELECT MIN(d.environment) FROM deployments d WHERE d.project = o.project)
        FROM o WHERE o.project IS NOT NULL
        UNION ALL
        SELECT p.project, (SELECT MIN(d.environment) FROM deployments d
            WHERE d.project = p.project AND d.environment > p.environment)
        FROM p WHERE p.environment IS NOT NULL
    )
    SELECT p.project, p.environment,
        (SELECT d.seq {_HERE} ORDER BY d.seq DESC LIMIT 1) AS newest,
        (SELECT d.seq {_HERE} AND d.state = 'succeeded' ORDER BY d.seq DESC LIMIT 1) AS stands
    FROM p WHERE p.environment IS NOT NULL
    """  # noqa: S608 - it is put together from the lines above
)


class Standings(Transaction):
    """What stands where, within one transaction."""

    def all(self, project: str | None) -> dict[tuple[str, str], tuple[Deployment, Deployment | None]]:
        """See `Store.standings`."""
        named = {"project": None if project is None else clean(project)}
        places = self.connection.execute(_NEWEST, named).all()
        numbers = sorted({seq for place in places for seq in (place.newest, place.stands) if seq is not None})
        found: dict[int, Deployment] = {}
        for start in range(0, len(numbers), _MOST):
            query = select(deployments).where(deployments.c.seq.in_(numbers[start : start + _MOST]))
            rows = list(self.rows(query))
            found |= dict(zip((row["seq"] for row in rows), self._filled(rows, outcomes=False), strict=True))
        return {
            (place.project, place.environment): (found[place.newest], found.get(place.stands))
            for place in places
            if place.newest is not None
        }
