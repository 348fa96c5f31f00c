"""Statements, as text that SQLite and PostgreSQL take alike; what differs in them stands there as ``:name``.

SQLAlchemy makes tables and speaks to PostgreSQL. To load it takes a quarter of what a deployment takes here that has
nothing to do, so a file of SQLite is read and written without it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

__all__ = [
    "COLUMNS",
    "OUTCOMES",
    "SCHEMA",
    "Connection",
    "among",
    "chunks",
    "delete",
    "guards",
    "insert",
    "literally",
    "named",
    "read",
    "select",
    "update",
    "where",
]

T = TypeVar("T")

CHUNK = 500
"""SQLite takes a limited number of values in one statement."""

SCHEMA = 4
"""The version of the form of the tables. A store of a higher one is refused."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "meta": ("name", "value"),
    "releases": ("project", "number", "seq", "created_at", "body", "sha256"),
    "deployments": (
        "id", "seq", "project", "release", "environment", "mode", "state", "started_at", "finished_at", "by",
        "controller", "error", "token", "said",
    ),
    "outcomes": (
        "deployment", "step", "target", "position", "state", "action", "changed", "why", "started_at", "finished_at",
        "exit_code", "script", "log", "inspect", "outputs",
    ),
    "events": (
        "seq", "version", "type", "at", "deployment", "step", "target", "data", "subject_sha256", "prev_hash", "hash",
    ),
    "facts": ("kind", "key", "seq", "body", "sha256"),
    "leases": ("project", "environment", "token", "holder", "by", "since", "expires_at"),
}  # fmt: skip
"""The columns of each table. Others, which a newer octossh or an administrator added, are neither read nor hashed."""


class Connection(Protocol):
    """A connection to a database."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """Execute *statement*."""

    def run_for_each(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute *statement* with the values of each of *rows*."""

    def rows(
        self, statement: str, values: Mapping[str, Any] | None = None, *, many: bool = False
    ) -> Iterator[dict[str, Any]]:
        """What *statement* finds; of *many* rows, few are held in memory at a time."""


# Names of tables and columns are those of `octossh.recording.tables`, and never come from elsewhere. All of columns are
# quoted: "by" is a word of SQL.


def _matching(names: Iterable[str]) -> str:
    return " AND ".join(f'"{name}" = :of_{name}' for name in names)


@functools.cache
def named(table: str) -> str:
    """The columns of *table* by name, as `read` has them."""
    return ", ".join(f'{table}."{name}"' for name in COLUMNS[table])


@functools.cache
def read(table: str) -> str:
    """All rows of *table*."""
    return f"SELECT {named(table)} FROM {table}"  # noqa: S608


@functools.cache
def select(table: str, names: tuple[str, ...]) -> str:
    """The rows of *table* in which the columns *names* are as the parameters ``of_...`` say."""
    return f"{read(table)} WHERE {_matching(names)}"


@functools.cache
def insert(table: str, names: tuple[str, ...]) -> str:
    """A row of *table* with the columns *names*."""
    columns, values = ", ".join(f'"{name}"' for name in names), ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table} ({columns}) VALUES ({values})"  # noqa: S608


@functools.cache
def update(table: str, names: tuple[str, ...], changed: tuple[str, ...]) -> str:
    """The columns *changed* in the rows that `select` finds."""
    values = ", ".join(f'"{name}" = :{name}' for name in changed)
    return f"UPDATE {table} SET {values} WHERE {_matching(names)}"  # noqa: S608


@functools.cache
def delete(table: str, names: tuple[str, ...]) -> str:
    """Take away the rows that `select` finds."""
    return f"DELETE FROM {table} WHERE {_matching(names)}"  # noqa: S608


OUTCOMES = f"{read('outcomes')} WHERE deployment = :deployment ORDER BY position"
"""Those of one deployment, as they ended."""


def where(conditions: Sequence[str]) -> str:
    """What stands behind a table for all of *conditions* to hold; for none of them, nothing."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def among(column: str, given: Iterable[object], values: dict[str, Any]) -> str:
    """That *column* is one of *given*, which are at least one; they are put into *values*."""
    made = {f"one{len(values) + place}": one for place, one in enumerate(given)}
    values |= made
    return f"{column} IN ({', '.join(f':{name}' for name in made)})"


def chunks(given: Sequence[T]) -> Iterator[Sequence[T]]:
    """*given* in parts, each of which fits into one statement."""
    return (given[start : start + CHUNK] for start in range(0, len(given), CHUNK))


def literally(text: str) -> str:
    """*text* as a part of the pattern of ``LIKE ... ESCAPE '/'``."""
    for special in "/%_":
        text = text.replace(special, f"/{special}")
    return text


def guards(table: str, acts: Sequence[str], dialect: str) -> Iterator[str]:
    """The statements that keep careless hands from *acts* such as DELETE on *table*."""
    said = "what is recorded stays as it is"
    if dialect == "sqlite":
        for act in acts:
            yield (
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table}: {said}'); END"
            )
        return
    yield (
        "CREATE OR REPLACE FUNCTION octossh_no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        f"RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ': {said}', ERRCODE = 'integrity_constraint_violation'; "
        "END$$"
    )
    for act in (*acts, "TRUNCATE"):
        each = "STATEMENT" if act == "TRUNCATE" else "ROW"
        yield (
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION octossh_no()"
        )
