"""Where a release has been, found without reading the history of its project."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_COLUMNS = ("project", "release", "environment", "state")


def upgrade() -> None:
    """Add the index."""
    op.create_index(f"ix_deployments_{'_'.join(_COLUMNS)}", "deployments", _COLUMNS)
