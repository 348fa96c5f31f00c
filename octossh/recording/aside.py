"""The side file: where the records of a deployment go while the store takes none, until it is opened again."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from octossh.errors import RecordError

__all__ = ["Aside", "SideFile", "Unwritable"]

_FIRST = "0" * 64


class Unwritable(RecordError):
    """The store takes no record now; the same record can be written when what is wrong has been mended."""


@frozen
class SideFile:
    """What stands in a side file that nobody writes to any more.

    Attributes:
        path: Where it is.
        entries: In the order in which they were written.
        whole: Whether nothing in it was changed.
        sha256: Of the last entry.
    """

    path: Path
    entries: tuple[Mapping[str, Any], ...]
    whole: bool
    sha256: str


class Aside:
    """The side files of one store.

    They lie beside the file of the store, or, where that cannot be, in the user's folder for the state of programs,
    are for their owner alone, and hold what the store would hold: one entry a line, each with the hash of the one
    before it. Whoever writes to one holds a lock on it, which goes with the process.

    Args:
        where: The store's name, which no other store has.
        beside: The file of the store, if it has one.
    """

    def __init__(self, where: str, beside: Path | None) -> None:
        self._beside = beside
        self._name = hashlib.sha256(where.encode()).hexdigest()[:16]
        self._lock = threading.Lock()
        self._file: int | None = None
        self._last = _FIRST
        self.path: Path | None = None

    def write(self, entry: Mapping[str, Any]) -> bool:
        """Put *entry* on the disk; returns whether it is the first one of a new file.

        Raises:
            OSError: There is no place for it.
        """
        with self._lock:
            if self._file is not None:
                try:
                    self._append(entry)
                except OSError:
                    self._leave()  # what is in it stays; go on in another place
                else:
                    return False
            self._open(entry)
            return True

    def close(self) -> None:
        """Leave what has been written to others."""
        with self._lock:
            self._leave()

    def left(self) -> Iterator[SideFile]:
        """The side files that no other process writes to, the oldest first. Nobody else gets one meanwhile."""
        found: dict[str, Path] = {}
        for folder, front in self._places():
            with contextlib.suppress(OSError):  # there is none, or it is for somebody else
                found.update(
                    {
                        path.name: path
                        for path in folder.iterdir()
                        if path.name.startswith(front) and path.suffix == ".jsonl"
                    }
                )
        for name in sorted(found, key=lambda name: name.rpartition("aside-")[2]):
            with contextlib.suppress(OSError), found[name].open("r+b") as file:
                if found[name] != self.path:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield _read(found[name], file.read())

    def remove(self, file: SideFile) -> Path | None:
        """Remove *file*, which has been taken in; one that was changed by somebody is kept, and this says where.

        Raises:
            OSError: It cannot be removed. Nothing is written to it any more.
        """
        with self._lock:
            if file.path == self.path:
                self._leave()  # also where it cannot be removed: what was added to it would not be taken in any more
            if file.whole:
                file.path.unlink(missing_ok=True)
                return None
            return file.path.replace(file.path.with_suffix(".damaged"))

    def _places(self) -> Iterator[tuple[Path, str]]:
        """Folders, and how the names of side files begin there."""
        if self._beside is not None:
            yield self._beside.parent, f"{self._beside.name}.aside-"
        with contextlib.suppress(RuntimeError):
            state = Path(os.environ.get("XDG_STATE_HOME", ""))
            home = state if state.is_absolute() else Path("~/.local/state").expanduser()
            yield home / "octossh", f"{self._name}.aside-"

    def _open(self, entry: Mapping[str, Any]) -> None:
        problem: OSError | None = None
        for folder, front in self._places():
            path = folder / f"{front}{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}.jsonl"
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._file, fcntl.LOCK_EX)
                self._append(entry)
                _sync(folder)
            except OSError as error:
                problem = error
                if self._file is not None:
                    path.unlink(missing_ok=True)
                    self._leave()
            else:
                self.path = path
                return
        raise problem or FileNotFoundError("there is no folder for it")

    def _append(self, entry: Mapping[str, Any]) -> None:
        assert self._file is not None
        line = json.dumps({**entry, "prev": self._last}, sort_keys=True, separators=(",", ":")).encode()
        size = os.fstat(self._file).st_size
        try:
            left = memoryview(line + b"\n")
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise
        self._last = hashlib.sha256(line).hexdigest()

    def _leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._last, self.path = None, _FIRST, None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path, content: bytes) -> SideFile:
    """What stands in a side file, up to the first line that does not follow the one before it."""
    entries: list[Mapping[str, Any]] = []
    last = _FIRST
    # What stands behind the last line break was never acknowledged: its writer died meanwhile.
    for line in content.split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
            if entry.pop("prev") != last:
                return SideFile(path, tuple(entries), whole=False, sha256=last)
        except (AttributeError, KeyError, TypeError, ValueError):
            return SideFile(path, tuple(entries), whole=False, sha256=last)
        entries.append(entry)
        last = hashlib.sha256(line).hexdigest()
    return SideFile(path, tuple(entries), whole=True, sha256=last)
