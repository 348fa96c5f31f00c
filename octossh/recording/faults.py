"""What went wrong with a store, in words."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from octossh.errors import RecordError
from octossh.recording.aside import Unwritable

__all__ = ["BUSY_TIMEOUT_S", "FAILURES", "explain"]


BUSY_TIMEOUT_S = 15.0
"""Seconds that one process waits for another one to end its writing."""

FAILURES = (sqlite3.Error, OverflowError)
"""What can come out of a file that is open; while it is opened, OSError too."""

# What the same record would meet again.
_LASTING = ("SQLITE_TOOBIG", "SQLITE_CONSTRAINT", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_MISUSE")

_LOCKED = (
    f"it has been locked by another process for {BUSY_TIMEOUT_S:g} s; wait for that one, or find it with "
    "'fuser', and try again"
)
_FULL = "the disk is full; make room, and try again"
_READ_ONLY = "it is read-only; give this user the right to write to it and its directory, or name another file"
_DENIED = "permission denied; give this user the right to write to it and its directory, or name another file"
_NO_DATABASE = "it is not a database of SQLite; name another file, and octossh makes a new one"
_CORRUPT = "the database is damaged; put a backup in its place, or save what 'sqlite3 FILE .recover' finds"
_MOVED = "it was removed or replaced while it was open; put it back, and open the store again"


def explain(error: BaseException, path: Path | None) -> RecordError:
    """What *error* means for the store at *path* (None: in memory), and what to do, as a `RecordError`."""
    name = str(getattr(error, "sqlite_errorname", None) or "")
    lasting = isinstance(error, OverflowError) or name.startswith(_LASTING)
    later = isinstance(error, OSError) or (bool(name) and not lasting)
    return (Unwritable if later else RecordError)(f"store {path or 'in memory'}: {_reason(error, name, path)}")


def _reason(error: BaseException, name: str, path: Path | None) -> str:
    if isinstance(error, OSError):
        return _of_system(error, path)
    if isinstance(error, OverflowError):
        return "a number in this record is too large to be stored; it must fit into 64 bits"
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM", "SQLITE_AUTH")):
        return _of_access(error, path)
    if name.startswith("SQLITE_READONLY"):
        return _MOVED if name == "SQLITE_READONLY_DBMOVED" else _READ_ONLY
    known = {"SQLITE_FULL": _FULL, "SQLITE_NOTADB": _NO_DATABASE, "SQLITE_TOOBIG": _too_big(error)}
    if name in known:
        return known[name]
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return _LOCKED
    if name.startswith("SQLITE_CORRUPT"):
        return _CORRUPT
    if name.startswith("SQLITE_CONSTRAINT"):
        return f"{_text(error)}: somebody else wrote to it; see what 'octossh audit verify' finds"
    return f"{_text(error)}; see that the file is a store of octossh, and that nothing else writes to it"


def _of_system(error: OSError, path: Path | None) -> str:
    if error.errno in {errno.ENOENT, errno.ENOTDIR} and path is not None:
        return f"there is no directory {str(path.parent)!r}; make it, or name another file"
    known = {
        errno.EACCES: _DENIED,
        errno.EPERM: _DENIED,
        errno.EROFS: _READ_ONLY,
        errno.ENOSPC: _FULL,
        errno.EDQUOT: _FULL,
        errno.EISDIR: "it is a directory; name a file in it",
        errno.ESTALE: _MOVED,
    }
    return known.get(error.errno or 0) or f"{error.strerror or error}; name another file, or see to this one"


def _of_access(error: BaseException, path: Path | None) -> str:
    """SQLite says only "unable to open" or "disk I/O error": look for the reason."""
    if path is None:
        return _text(error)
    try:
        if path.is_dir():
            return "it is a directory; name a file in it"
        if not path.exists():
            return _of_system(FileNotFoundError(errno.ENOENT, "no such file"), path)
        room = os.statvfs(path)
    except OSError as problem:
        return _of_system(problem, path)
    if room.f_bavail == 0 or (room.f_files and room.f_favail == 0):
        return _FULL
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        return _READ_ONLY if room.f_flag & os.ST_RDONLY else _DENIED
    return f"{_text(error)}; see to its disk, and try again"


def _too_big(error: BaseException) -> str:
    return f"this record is too large to be stored ({_text(error)}); shorten its log"


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
