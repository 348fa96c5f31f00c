"""Targets that a command prints."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.inventory.entries import entry_of, fields_of
from octossh.model import Target

__all__ = ["CommandTargets", "printed", "words_of"]


def words_of(value: Any) -> tuple[str, ...]:
    """The words of a command.

    Raises:
        ModelError: There are none.
    """
    made = () if isinstance(value, str | bytes) or not isinstance(value, Iterable) else tuple(value)
    if not made or not all(isinstance(word, str | Path) for word in made):
        raise ModelError(f"the command {value!r} is no list of words; write ['...', '...']")
    return tuple(str(word) for word in made)


def printed(command: tuple[str, ...], timeout_s: float) -> tuple[str, Any]:
    """How *command* is shown in messages, and the JSON that it prints. It is not run by a shell.

    Raises:
        ModelError: It is not there, failed, took too long, or printed something else.
    """
    shown = f"targets of {shlex.join(command)!r}"
    program = shutil.which(command[0])
    if program is None:
        raise ModelError(f"{shown}: there is no command {command[0]!r}; install it, or put it on the PATH")
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and the words are the user's own
            [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{shown}: it took longer than {timeout_s:g} s; run it by hand to see why") from None
    except OSError as error:
        raise ModelError(f"{shown}: it cannot be started: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        said = next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "without a word")
        raise ModelError(f"{shown}: it failed with exit code {done.returncode}: {said}")
    try:
        return shown, json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{shown}: it printed what is not JSON ({error}); let it print nothing else") from None


@frozen
class CommandTargets:
    """A command that prints targets as JSON: of a cloud, a list of hosts, or your own.

    It prints the fields of `Target` by name, as a file of targets has them:
    ``{"targets": {"h01": {"address": "10.0.0.11", "roles": ["web"]}}}``; or without ``targets`` around; or as a list
    with the name in a field of its own, ``[{"name": "h01", "address": "10.0.0.11"}]``. It is run when the space is
    made, and not by a shell.

    Attributes:
        command: Its words.
        timeout_s: Seconds that it may take.
    """

    command: tuple[str, ...] = field(converter=words_of)
    timeout_s: float = field(default=60.0, kw_only=True)

    def __call__(self) -> tuple[Target, ...]:
        """Run it.

        Raises:
            ModelError: It failed, or printed something else.
        """
        shown, data = printed(self.command, self.timeout_s)
        if isinstance(data, dict) and set(data) == {"targets"}:
            data = data["targets"]
        if isinstance(data, dict):
            return fields_of(shown, data)
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            raise ModelError(f"{shown}: it printed no targets; print {{'h01': {{'address': '10.0.0.11'}}}} as JSON")
        return tuple(
            entry_of(shown, entry.get("name"), {key: value for key, value in entry.items() if key != "name"})
            for entry in data
        )
