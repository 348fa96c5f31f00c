"""The first form: releases, deployments, outcomes and the chain of events, in SQLite only."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: a store has this form, or a later one, from its beginning."""
