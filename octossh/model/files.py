"""Files on this machine as values of fields: read when the field is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from octossh.errors import ModelError
from octossh.templating import as_text

__all__ = ["env_file", "read_text", "write_whole"]


def read_text(path: str | os.PathLike[str], *, literal: bool = False) -> str:
    """The text of a file on this machine, read here and now, for ``PutFile(content=...)`` and other fields.

    Args:
        path: In an octofile, a relative one starts at its folder.
        literal: Braces in it are only braces: no expressions.

    Raises:
        ModelError: It cannot be read, or is no text in UTF-8.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ModelError(f"the file {os.fspath(path)!r} cannot be read: {reason}; give another path") from None
    return as_text(text) if literal else text


def env_file(path: str | os.PathLike[str], *, literal: bool = False) -> dict[str, str]:
    """The variables of an env file, read here and now, for ``env=...``; their values may hold ``{{ }}``.

    The format is that of ``docker run --env-file``: lines ``NAME=VALUE`` without quotes, and comments.

    Args:
        path: In an octofile, a relative one starts at its folder.
        literal: Braces in values are only braces: no expressions.

    Raises:
        ModelError: It cannot be read, is no text in UTF-8, or holds a line of another form.
    """
    made: dict[str, str] = {}
    for number, line in enumerate(read_text(path).removeprefix("\ufeff").splitlines(), 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = text.partition("=")
        if not name or not sign or name != name.strip():
            raise ModelError(f"the file {os.fspath(path)!r}, line {number}: it is not NAME=VALUE; correct it there")
        if name in made:
            raise ModelError(f"the file {os.fspath(path)!r}, line {number}: {name} stands there twice; remove one")
        made[name] = as_text(value) if literal else value
    return made


def write_whole(path: str | Path, pieces: Iterable[str]) -> None:
    """Write *pieces* into a file: whoever reads it meets what was there before, or all of the new.

    Raises:
        ModelError: It cannot be written; what was there is there still.
    """
    place = Path(path).resolve()
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        if place.exists() and not place.is_file():  # such as /dev/stdout
            with place.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
            return
        try:
            with beside.open("x", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            if place.exists():
                beside.chmod(stat.S_IMODE(place.stat().st_mode))
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"the file {str(path)!r} cannot be written: {error.strerror}; give another path") from None
