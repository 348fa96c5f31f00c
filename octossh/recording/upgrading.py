"""Bringing an older store up to date. The door of ``alembic``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select, update

from octossh.errors import RecordError
from octossh.recording.statements import SCHEMA
from octossh.recording.tables import meta, revisions

__all__ = ["upgrade"]

_one_at_a_time = threading.Lock()  # a migration finds its connection in a variable of the module alembic.op


def upgrade(connection: Connection, known: int, where: str) -> None:
    """Change the tables from the form *known* to the newest one.

    Args:
        connection: In a transaction with the write lock: either all of it is done, or nothing.
        known: The version of their form.
        where: The store's name for messages.

    Raises:
        RecordError: Alembic's own table says another version.
    """
    if revisions.name not in inspect(connection).get_table_names():
        revisions.create(connection)
        connection.execute(insert(revisions).values(version_num=f"{known:04}"))
    noted = connection.execute(select(revisions.c.version_num)).scalars().all()
    if noted != [f"{known:04}"]:
        raise RecordError(
            f"store {where}: its tables are of form {known:04} by its table meta, and of form "
            f"{', '.join(noted) or 'none'} by alembic_version, so one of the two was changed behind octossh's back; "
            "put a backup in its place"
        )
    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))

    def steps(revision: Any, _context: object) -> Any:
        return scripts._upgrade_revs("head", revision)  # noqa: SLF001  # as Alembic's own command does

    with _one_at_a_time, EnvironmentContext(Config(), scripts, fn=steps) as context:
        context.configure(connection=connection)
        context.run_migrations()
    connection.execute(update(meta).where(meta.c.name == "schema").values(value=str(SCHEMA)))
