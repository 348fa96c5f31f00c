"""What was said for a deployment: its options, and the targets that it left out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column. Of deployments from before, nothing is known to have been said."""
    op.add_column("deployments", sa.Column("said", sa.Text))
