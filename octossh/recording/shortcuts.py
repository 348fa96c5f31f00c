"""Short ways through a long history: what stands where, and what has passed where, without reading all of it."""

from __future__ import annotations

from sqlalchemy import CTE, ColumnElement, ScalarSelect, func, literal, select

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
        found = self.connection.execute(query.where(places.c.environment.is_not(None)))
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
    """All pairs of project and environment, each found from the one before it: the index is not read through.

    From project to project, and within each from environment to environment: SQLite compares pairs by their first
    half only, and would read all of a project for each of its environments.
    """
    table = deployments.c
    least = select(func.min(table.project))
    first = least if project is None else select(literal(clean(project)))
    projects = select(first.scalar_subquery().label("project")).cte("projects", recursive=True)
    if project is None:
        further = least.where(table.project > projects.c.project).scalar_subquery()
        projects = projects.union_all(select(further).where(projects.c.project.is_not(None)))

    def next_in(owner: ColumnElement[str], *more: ColumnElement[bool]) -> ScalarSelect[str]:
        return select(func.min(table.environment)).where(table.project == owner, *more).scalar_subquery()

    start = select(projects.c.project, next_in(projects.c.project).label("environment"))
    places = start.where(projects.c.project.is_not(None)).cte("places", recursive=True)
    following = next_in(places.c.project, table.environment > places.c.environment)
    return places.union_all(select(places.c.project, following).where(places.c.environment.is_not(None)))
