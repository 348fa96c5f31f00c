"""The tables of a store. Plain types and no SQLite-only meaning, so that PostgreSQL can take them over.

Times are text, ISO 8601 in UTC with six decimals, so that they sort; values without a fixed form are
canonical JSON as text. ``seq`` is the number of the event that brought a row: one order over all tables.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    event,
)

from octossh.errors import RecordError
from octossh.model import Mode, State

__all__ = ["SCHEMA", "deployments", "events", "facts", "leases", "meta", "metadata", "outcomes", "releases"]

SCHEMA = 2
"""The version of this form. A store of a higher one is refused."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, kind: type[State] | type[Mode]) -> CheckConstraint:
    names = ", ".join(f"'{member.value}'" for member in kind)
    return CheckConstraint(f"{column} IN ({names})", name=column)


meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("project", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("seq", Integer, nullable=False, unique=True),
    Column("created_at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sha256", Text, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", Integer, nullable=False, unique=True),
    Column("project", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("by", Text, nullable=False),
    Column("controller", Text, nullable=False),
    Column("error", Text, nullable=False),
    # The lease under which it writes; of those that were started without one, or before there were any, nothing.
    Column("token", Integer),
    _one_of("mode", Mode),
    _one_of("state", State),
    Index(None, "project", "environment", "seq"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("deployment", Text, ForeignKey(deployments.c.id), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("changed", Boolean(create_constraint=True, name="changed"), nullable=False),
    Column("why", Text, nullable=False),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("exit_code", Integer),
    Column("script", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("inspect", Text, nullable=False),
    Column("outputs", Text, nullable=False),
    _one_of("state", State),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("deployment", Text, ForeignKey(deployments.c.id)),
    Column("step", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("subject_sha256", Text, nullable=False),
    # Two events cannot follow the same one: whatever goes wrong above, a fork is never stored.
    Column("prev_hash", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
    Index(None, "deployment", "seq"),
)


facts = Table(
    "facts",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("seq", Integer, nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("sha256", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("project", Text, primary_key=True),
    Column("environment", Text, primary_key=True),
    # It counts up for ever; whoever holds a lower one is late. A lease that was given back has no holder.
    Column("token", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)


def _forbid(table: Table, *acts: str) -> None:
    def create(_table: Table, connection: Connection, **_options: object) -> None:
        if connection.dialect.name != "sqlite":
            raise RecordError(f"a store in {connection.dialect.name} is not supported; use sqlite:///FILE")
        for act in acts:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table.name}_no_{act.lower()} BEFORE {act} ON {table.name} "
                f"BEGIN SELECT RAISE(ABORT, '{table.name}: what is recorded stays as it is'); END"
            )

    event.listen(table, "after_create", create)


_forbid(events, "UPDATE", "DELETE")
_forbid(releases, "UPDATE", "DELETE")
_forbid(deployments, "DELETE")
