"""Facts and leases, indexes for what is looked at often, and states and modes that later versions may add to."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INDEXES = (
    ("project", "environment", "state", "seq"),
    ("project", "seq"),
    ("environment", "seq"),
    ("state", "seq"),
)


def upgrade() -> None:
    """Change the tables. What is in them stays, and so does each hash. All stores of the form before are in SQLite."""
    op.create_table(
        "facts",
        *_texts("kind", "key"),
        sa.Column("seq", sa.Integer, nullable=False),
        *_texts("body", "sha256"),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_facts"),
        sa.UniqueConstraint("seq", name="uq_facts_seq"),
    )
    op.create_table(
        "leases",
        *_texts("project", "environment"),
        sa.Column("token", sa.Integer, nullable=False),
        *_texts("holder", "by", "since", "expires_at"),
        sa.PrimaryKeyConstraint("project", "environment", name="pk_leases"),
    )
    _remake()
    for columns in _INDEXES:
        op.create_index(f"ix_deployments_{'_'.join(columns)}", "deployments", columns)
    op.create_index("ix_releases_project_seq", "releases", ["project", "seq"])


def _remake() -> None:
    """Make two tables anew without the CHECKs that listed all states and modes: SQLite cannot drop one."""
    op.create_table(
        "new_deployments",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        *_texts("project", "release", "environment", "mode", "state", "started_at"),
        sa.Column("finished_at", sa.Text),
        *_texts("by", "controller", "error"),
        sa.Column("token", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_deployments"),
        sa.UniqueConstraint("seq", name="uq_deployments_seq"),
    )
    op.create_table(
        "new_outcomes",
        *_texts("deployment", "step", "target"),
        sa.Column("position", sa.Integer, nullable=False),
        *_texts("state", "action"),
        sa.Column("changed", sa.Boolean(create_constraint=True, name="ck_outcomes_changed"), nullable=False),
        *_texts("why"),
        sa.Column("started_at", sa.Text),
        sa.Column("finished_at", sa.Text),
        sa.Column("exit_code", sa.Integer),
        *_texts("script", "log", "inspect", "outputs"),
        sa.PrimaryKeyConstraint("deployment", "step", "target", name="pk_outcomes"),
        sa.ForeignKeyConstraint(["deployment"], ["deployments.id"], name="fk_outcomes_deployment_deployments"),
    )
    for table, added in (("deployments", ", NULL"), ("outcomes", "")):
        op.execute(f"INSERT INTO new_{table} SELECT *{added} FROM {table}")  # noqa: S608  # the names are ours
        op.drop_table(table)
        op.rename_table(f"new_{table}", table)
    op.create_index("ix_deployments_project_environment_seq", "deployments", ["project", "environment", "seq"])
    # The triggers of a table go with it.
    op.execute(
        "CREATE TRIGGER deployments_no_delete BEFORE DELETE ON deployments "
        "BEGIN SELECT RAISE(ABORT, 'deployments: what is recorded stays as it is'); END"
    )


def _texts(*names: str) -> Iterator[sa.Column[str]]:
    return (sa.Column(name, sa.Text, nullable=False) for name in names)
