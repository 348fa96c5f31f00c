"""Writing a board into a folder: what is the same stays, and only what a board put there is ever taken away."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from attrs import field, frozen

from octossh.board.pages import form
from octossh.errors import ModelError
from octossh.model import Described

__all__ = ["File", "Written", "write"]

_LIST = "board.json"
"""What the files of a board are, by path: by it the next one knows its own."""


@frozen
class File:
    """One file of a board.

    Attributes:
        path: From its folder.
        make: Gives what it holds.
        same: Where a file was written with the same text before, it need not be made again; empty: it always is.
    """

    path: str
    make: Callable[[], bytes]
    same: str = ""


@frozen(kw_only=True)
class Written(Described):
    """What was written.

    Attributes:
        folder: Where to.
        written: How many files are new or other ones.
        kept: How many were there and are the same.
        removed: How many there are no more.
    """

    folder: str
    written: int = 0
    kept: int = 0
    removed: int = 0

    @property
    def index(self) -> str:
        """The page to begin with."""
        return str(Path(self.folder) / "index.html")

    def __str__(self) -> str:
        return f"{self.index}: {self.written} files written, {self.kept} kept, {self.removed} removed"


@frozen
class _Known:
    """What a board wrote there before: of each file what it was made of, and the SHA-256 of what it holds."""

    form: str = ""
    files: dict[str, list[str]] = field(factory=dict)


def write(folder: Path, files: Iterable[File]) -> Written:
    """Write *files* into *folder*, and take away what a board wrote there before and is not among them.

    Raises:
        ModelError: The folder holds something else, or cannot be written.
    """
    try:
        known = _known(folder)
        current = form()
        old = known.files if known.form == current else {}
        new: dict[str, list[str]] = {}
        written = kept = 0
        for file in files:
            before = old.get(file.path)
            place = folder / file.path
            if before and file.same and before[0] == file.same and place.is_file():
                new[file.path] = before
                kept += 1
                continue
            content = file.make()
            new[file.path] = [file.same, hashlib.sha256(content).hexdigest()]
            if new[file.path] == before and place.is_file():
                kept += 1
                continue
            _put(place, content)
            written += 1
        removed = sum(_remove(folder / path) for path in known.files.keys() - new.keys())
        _put(folder / _LIST, json.dumps({"form": current, "files": new}).encode())
    except OSError as error:
        why = f"{error.strerror} ({error.filename})"
        raise ModelError(f"the board cannot be written into {str(folder)!r}: {why}; name another folder") from None
    return Written(folder=str(folder), written=written, kept=kept, removed=removed)


def _known(folder: Path) -> _Known:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        return _Known()
    try:
        said = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        known = _Known(str(said["form"]), {str(path): list(what) for path, what in said["files"].items()})
    except FileNotFoundError:
        raise ModelError(
            f"the folder {str(folder)!r} holds something else than a board; name an empty one, or one that is not there"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"the file {str(folder / _LIST)!r} is no list of a board; name another folder") from None
    # The list is only a file, which anybody may have written: it leads nowhere else.
    if wrong := next((path for path in known.files if PurePosixPath(path).is_absolute() or ".." in path), None):
        raise ModelError(f"the file {str(folder / _LIST)!r} names {wrong!r}, which is no page; name another folder")
    return known


def _put(place: Path, content: bytes) -> None:
    """Write a file so that whoever reads it gets the old or the new one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".board-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp lets nobody else read it; a board is handed out by a server that runs as somebody else.
        Path(name).chmod(0o644)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove(place: Path) -> bool:
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    return True
