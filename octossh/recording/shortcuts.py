"""Short ways through a long history: what stands where, and what has come where, without reading all of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    select,
)

from octossh.model import Deployment, Mode, State
from octossh.recording.rows import Row, clean
from octossh.recording.tables import deployments
from octossh.recording.transactions import CHUNK, Transaction

__all__ = ["Shortcuts"]

_TABLE = deployments.c
_PROJECT: BindParameter[str] = bindparam("project", type_=Text)  # without a type, PostgreSQL does not take it alone
_COUNTS = _TABLE.mode != Mode.PRUNE.value
_PASSED = _TABLE.state == State.SUCCEEDED.value


class Shortcuts(Transaction):
    """Questions about deployments that are answered out of the indexes."""

    def latest(self, project: str | None) -> tuple[Deployment, ...]:
        """See `Store.latest`."""
        if project is None:
            found = self.connection.execute(_LATEST)
        else:
            found = self.connection.execute(_LATEST_OF_ONE, {"project": clean(project)})
        return self._of({seq for row in found for seq in row if seq is not None})

    def reached(self, project: str, release: str, besides: str) -> frozenset[str]:
        """See `Store.reached`."""
        about = {"project": clean(project), "release": clean(release), "besides": clean(besides)}
        return frozenset(self.connection.execute(_REACHED, about).scalars())

    def past(self, project: str, environment: str, before: int | None, limit: int) -> list[tuple[int, Deployment]]:
        """So many deployments to one environment with their numbers, newest first, from *before* that number on."""
        here = select(deployments).where(_TABLE.project == clean(project), _TABLE.environment == clean(environment))
        if before is not None:
            here = here.where(_TABLE.seq < before)
        rows = list(self.rows(here.where(_COUNTS).order_by(_TABLE.seq.desc()).limit(limit)))
        return [(row["seq"], made) for row, made in zip(rows, self.filled(rows, outcomes=False), strict=True)]

    def _of(self, seqs: set[int]) -> tuple[Deployment, ...]:
        order = sorted(seqs, reverse=True)
        rows: list[Row] = []
        for start in range(0, len(order), CHUNK):
            rows += self.rows(_NUMBERED, {"seqs": order[start : start + CHUNK]})
        return tuple(self.filled(rows, outcomes=False))


def _places(*, of_one: bool) -> CTE:
    """All pairs of project and environment, each found from the one before it: the index is not read through.

    From project to project, and within each from environment to environment: SQLite compares pairs by their first
    half only, and would read all of a project for each of its environments.
    """
    least = select(func.min(_TABLE.project))
    first = select(_PROJECT) if of_one else least
    projects = select(first.scalar_subquery().label("project")).cte("projects", recursive=True)
    if not of_one:
        further = least.where(_TABLE.project > projects.c.project).scalar_subquery()
        projects = projects.union_all(select(further).where(projects.c.project.is_not(None)))

    def next_in(owner: ColumnElement[str], *more: ColumnElement[bool]) -> ScalarSelect[str]:
        return select(func.min(_TABLE.environment)).where(_TABLE.project == owner, *more).scalar_subquery()

    start = select(projects.c.project, next_in(projects.c.project).label("environment"))
    places = start.where(projects.c.project.is_not(None)).cte("places", recursive=True)
    following = next_in(places.c.project, _TABLE.environment > places.c.environment)
    return places.union_all(select(places.c.project, following).where(places.c.environment.is_not(None)))


def _latest(*, of_one: bool) -> Select[Any]:
    """Of each place the numbers of the newest deployment, and of the newest that succeeded."""
    places = _places(of_one=of_one)
    here = (_TABLE.project == places.c.project) & (_TABLE.environment == places.c.environment)
    newest = select(_TABLE.seq).where(here, _COUNTS).order_by(_TABLE.seq.desc()).limit(1)
    found = select(newest.scalar_subquery(), newest.where(_PASSED).scalar_subquery()).select_from(places)
    return found.where(places.c.environment.is_not(None))


def _reached() -> Select[Any]:
    """The environments in which one release has succeeded, each found from the one before it."""
    mine = (_TABLE.project == _PROJECT) & (_TABLE.release == bindparam("release"))
    least = select(func.min(_TABLE.environment)).where(mine)
    places = select(least.scalar_subquery().label("environment")).cte("places", recursive=True)
    following = least.where(_TABLE.environment > places.c.environment).scalar_subquery()
    places = places.union_all(select(following).where(places.c.environment.is_not(None)))
    passed = exists(literal_column("1")).where(mine, _TABLE.environment == places.c.environment, _PASSED, _COUNTS)
    return select(places.c.environment).where(passed.where(_TABLE.id != bindparam("besides")))


# Built once: the same statement is not compiled again.
_LATEST, _LATEST_OF_ONE, _REACHED = _latest(of_one=False), _latest(of_one=True), _reached()
_NUMBERED = select(deployments).where(_TABLE.seq.in_(bindparam("seqs", expanding=True))).order_by(_TABLE.seq.desc())
