"""What a user gives as targets: a list, a file of them, or what gives them when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from octossh.errors import ModelError
from octossh.inventory.entries import entry_of, fields_of, read_yaml_file
from octossh.model import Target

__all__ = ["TargetSource", "read_targets", "targets_of"]

TargetSource = Callable[[], Iterable[Target] | Mapping[str, Any]]
"""Gives targets when it is called, or their fields by their names."""


def read_targets(path: str | Path) -> tuple[Target, ...]:
    """Read a file of targets.

    It looks like this::

        targets:
          h01:
            address: 10.0.0.11
            user: deploy
            roles: [web]
            environments: [Dev]
            docker: sudo -n docker

    Each entry has the fields of `Target`.

    Raises:
        ModelError: The file cannot be read, or holds something else.
    """
    file = Path(path)
    data = read_yaml_file(file, f"targets file {file}")
    targets = data.get("targets") if isinstance(data, dict) else None
    if not isinstance(targets, dict) or not targets or len(data) > 1:
        raise ModelError(
            f"targets file {file}: write 'targets:' at its top, nothing beside it, and below it one entry per target"
        )
    return fields_of(f"targets file {file}", targets)


def targets_of(given: Iterable[Target | TargetSource | str | Path] | TargetSource | str | Path) -> Iterable[Target]:
    """What a user gave as targets: a path, a source, or several of them with targets in between.

    Raises:
        ModelError: A source gives something else, or cannot be read.
    """
    if isinstance(given, str | Path):
        return read_targets(given)
    if callable(given):
        return _asked(given)
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        return given
    made: list[Target] = []
    for one in given:
        made += targets_of(one) if isinstance(one, str | Path) or callable(one) else [one]
    return made


def _asked(source: TargetSource) -> tuple[Target, ...]:
    shown = getattr(source, "__name__", type(source).__name__)
    found: Any = source()
    if isinstance(found, Mapping):
        return tuple(entry_of(f"targets of {shown}", name, entry) for name, entry in found.items())
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        raise ModelError(
            f"targets of {shown}: it gave {type(found).__name__}; give a list of octossh.Target, or their "
            "fields by name"
        )
    made = tuple(found)
    for one in made:
        if not isinstance(one, Target):
            raise ModelError(f"targets of {shown}: {one!r} is no octossh.Target; give a list of these")
    return made
