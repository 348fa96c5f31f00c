"""The numbers and ids that somebody at a terminal may mean: read at once, without what else a store needs."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from octossh.recording.rows import TOMBSTONE

__all__ = ["deployments_in", "releases_in"]

_MOST = 50
_WAIT_S = 0.2


def releases_in(file: Path, project: str) -> list[str]:
    """The numbers of the newest releases of *project* in a file of SQLite; none where it cannot be read."""
    query = "SELECT number FROM releases WHERE project = ? AND substr(body, 1, ?) <> ? ORDER BY seq DESC LIMIT ?"
    return _read(file, query, (project, len(TOMBSTONE), TOMBSTONE, _MOST))


def deployments_in(file: Path) -> list[str]:
    """The ids of the newest deployments in a file of SQLite; none where it cannot be read."""
    return _read(file, "SELECT id FROM deployments ORDER BY seq DESC LIMIT ?", (_MOST,))


def _read(file: Path, query: str, values: tuple[object, ...]) -> list[str]:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)) as connection,
    ):
        return [str(row[0]) for row in connection.execute(query, values)]
    return []
