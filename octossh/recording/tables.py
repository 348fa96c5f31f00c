"""The tables of a store. Plain types and no meaning that only SQLite or only PostgreSQL knows.

Times are text, ISO 8601 in UTC with six decimals, so that they sort; values without a fixed form are
canonical JSON as text. ``seq`` is the number of the event that brought a row: one order over all tables.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    event,
    insert,
)

from octossh.recording.statements import SCHEMA, guards

__all__ = [
    "deployments",
    "events",
    "facts",
    "leases",
    "make",
    "meta",
    "metadata",
    "outcomes",
    "releases",
    "revisions",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite stores any number up to 64 bits as INTEGER, and a key of that type needs no index of its own.
Number = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Alembic's own table, as Alembic would make it.
revisions = Table("alembic_version", metadata, Column("version_num", String(32), nullable=False))
revisions.append_constraint(PrimaryKeyConstraint("version_num", name="alembic_version_pkc"))

releases = Table(
    "releases",
    metadata,
    Column("project", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("seq", Number, nullable=False, unique=True),
    Column("created_at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Index(None, "project", "seq"),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", Number, nullable=False, unique=True),
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
    Column("token", Number),
    # Its options, and the targets that it left out; nothing where there are none.
    Column("said", Text),
    Index(None, "project", "environment", "seq"),
    Index(None, "project", "environment", "state", "seq"),
    Index(None, "project", "release", "environment", "state"),
    Index(None, "project", "seq"),
    Index(None, "environment", "seq"),
    Index(None, "state", "seq"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("deployment", Text, ForeignKey(deployments.c.id), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("position", Number, nullable=False),
    Column("state", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("changed", Boolean(create_constraint=True, name="changed"), nullable=False),
    Column("why", Text, nullable=False),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("exit_code", Number),
    Column("script", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("inspect", Text, nullable=False),
    Column("outputs", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("version", Number, nullable=False),
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
    Column("seq", Number, nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("sha256", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("project", Text, primary_key=True),
    Column("environment", Text, primary_key=True),
    # It counts up for ever; whoever holds a lower one is late. A lease that was given back has no holder.
    Column("token", Number, nullable=False),
    Column("holder", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)


def _forbid(table: Table, *acts: str) -> None:
    def create(_table: Table, connection: Connection, **_options: object) -> None:
        for statement in guards(table.name, acts, connection.dialect.name):
            connection.exec_driver_sql(statement)

    event.listen(table, "after_create", create)


_forbid(events, "UPDATE", "DELETE")
_forbid(releases, "UPDATE", "DELETE")
_forbid(deployments, "DELETE")


def make(connection: Connection) -> None:
    """Make all tables in an empty database."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
    connection.execute(insert(revisions).values(version_num=f"{SCHEMA:04}"))
