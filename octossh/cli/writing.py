"""How an octofile is written: loaded first, and never over another one unasked."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from octossh.cli.options import load
from octossh.errors import ModelError, to_type

__all__ = ["check_free", "check_loads", "to_type_with", "write_octofile"]


def to_type_with(octofile: str, *words: str) -> str:
    """The command that does *words* with *octofile*, as one types it."""
    return to_type(*(() if octofile == "octofile.py" else ("-f", octofile)), *words)


def check_free(octofile: Path, beside: Iterable[Path], *, force: bool) -> None:
    """Raise `ModelError` where the files cannot all be there.

    One of them is there already, unless *force* says that it does not matter, or *octofile* is one of those *beside*.
    """
    paths = [octofile, *beside]
    if octofile in paths[1:]:
        raise ModelError(
            f"the octofile cannot be {str(octofile)!r}: the targets are written there; give it another name, such as "
            "octofile.py"
        )
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise ModelError(
            f"{' and '.join(map(str, there))} would be written over; give --force if that shall be so, or start in "
            "another folder"
        )


def write_octofile(folder: Path, texts: Mapping[str, str], octofile: str) -> None:
    """Write the files, once they have been loaded from a folder beside: half of them is never there.

    Raises:
        ModelError: They cannot be loaded, or not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".octossh-", dir=folder) as beside:
            _load_in(Path(beside), texts, octofile)
            for name in texts:
                (Path(beside) / name).replace(folder / name)
    except OSError as error:
        why = error.strerror
        raise ModelError(f"the folder {str(folder)!r} cannot be written to: {why}; use another one") from None


def check_loads(texts: Mapping[str, str], octofile: str) -> None:
    """Raise `ModelError` unless the files can be loaded."""
    with tempfile.TemporaryDirectory(prefix="octossh-") as beside:
        _load_in(Path(beside), texts, octofile)


def _load_in(folder: Path, texts: Mapping[str, str], octofile: str) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    with _here():
        load(str(folder / octofile)).close()


@contextlib.contextmanager
def _here() -> Iterator[None]:
    """An octofile is loaded in its own folder; afterwards all is as before."""
    place, path = Path.cwd(), list(sys.path)
    try:
        yield
    finally:
        os.chdir(place)
        sys.path[:] = path
