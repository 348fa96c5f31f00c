"""Short ways through a long history: what stands where, and what has passed where, without reading all of it."""

from __future__ import annotations

from sqlalchemy import CTE, ScalarSelect, func, select, tuple_

from octossh.model import Deployment, Mode, State
from octossh.recording.rows import Row, clean
from octossh.recording.tables import deployments
from octossh.recording.transactions import CHUNK, Transaction

__all__ = ["Shortcuts"]


class Shortcuts(Transaction):
    """Questions about deployments that are answered out of the indexes."""

    def latest(self, project: str | None) -> tuple[Deployment, ...]:
        """See `Store.latest`."""
        places = _places(project)
        here = (deployments.c.project == places.c.project) & (deployments.c.environment == places.c.environment)
        newest = select(deployments.c.seq).where(here).order_by(deployments.c.seq.desc()).limit(1)
        newest = newest.where(deployments.c.mode != Mode.PRUNE.value)
        passed = newest.where(deployments.c.state == State.SUCCEEDED.value)
        query = select(newest.scalar_subquery(), passed.scalar_subquery()).select_from(places)
        found = self.connection.execute(query.where(places.c.project.is_not(None)))
        return self._of({seq for row in found for seq in row if seq is not None})

    def passed(self, project: str, environment: str | None, release: str | None) -> tuple[Deployment, ...]:
        """See `Store.passed`."""
        query = select(func.max(deployments.c.seq)).where(deployments.c.project == clean(project))
        query = query.where(deployments.c.state == State.SUCCEEDED.value, deployments.c.mode != Mode.PRUNE.value)
        for column, value in ((deployments.c.environment, environment), (deployments.c.release, release)):
            if value is not None:
                query = query.where(column == clean(value))
        query = query.group_by(deployments.c.environment, deployments.c.release)
        return self._of(set(self.connection.execute(query).scalars()))

    def _of(self, seqs: set[int]) -> tuple[Deployment, ...]:
        order = sorted(seqs, reverse=True)
        rows: list[Row] = []
        for start in range(0, len(order), CHUNK):
            query = select(deployments).where(deployments.c.seq.in_(order[start : start + CHUNK]))
            rows += self.rows(query.order_by(deployments.c.seq.desc()))
        return tuple(self.filled(rows, outcomes=False))


def _places(project: str | None) -> CTE:
    """All pairs of project and environment, each found from the one before it: the index is not read through."""
    place = (deployments.c.project, deployments.c.environment)
    first = select(*place).order_by(*place).limit(1)
    if project is not None:
        first = first.where(deployments.c.project == clean(project))
    start = first.subquery()
    places = select(start.c.project, start.c.environment).cte("places", recursive=True)
    further = tuple_(*place) > tuple_(places.c.project, places.c.environment)

    def follows(number: int) -> ScalarSelect[str]:
        query = select(place[number]).where(further).order_by(*place).limit(1)
        if project is not None:
            query = query.where(deployments.c.project == clean(project))
        return query.scalar_subquery()

    return places.union_all(select(follows(0), follows(1)).where(places.c.project.is_not(None)))
