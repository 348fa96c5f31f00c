"""How a store of each earlier form becomes one of the next. ``versions`` is a script directory of Alembic."""
