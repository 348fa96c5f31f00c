"""Targets from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from octossh.documents import read_yaml
from octossh.errors import ModelError, did_you_mean
from octossh.model import Target

__all__ = ["read_targets"]

_FIELDS = (
    "address",
    "user",
    "port",
    "host_key",
    "jump",
    "roles",
    "environments",
    "docker",
    "docker_host",
    "images",
    "labels",
    "maintenance",
)


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
    data = _read(file)
    targets = data.get("targets") if isinstance(data, dict) else None
    if not isinstance(targets, dict) or not targets or len(data) > 1:
        raise ModelError(
            f"targets file {file}: write 'targets:' at its top, nothing beside it, and below it one entry per target"
        )
    return tuple(_target(file, name, entry) for name, entry in targets.items())


def _read(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"targets file {file} cannot be read: {error.strerror}; give another path") from error
    except ValueError as error:
        raise ModelError(f"targets file {file} is not YAML: {error}; correct it there") from error
    return read_yaml(text, f"targets file {file}")


def _target(file: Path, name: Any, entry: Any) -> Target:
    if not isinstance(name, str):
        raise ModelError(f"targets file {file}: the name {name!r} is not text; put it in quotes")
    if not isinstance(entry, dict):
        raise ModelError(f"targets file {file}: target {name!r} has no fields; give it an address")
    for key in entry:
        if key not in _FIELDS:
            raise ModelError(
                f"targets file {file}: target {name!r} has no field {key!r}; {did_you_mean(str(key), _FIELDS)}"
            )
    values = dict(entry)
    try:
        return Target(name, values.pop("address", ""), **values)
    except ModelError as error:
        raise ModelError(f"targets file {file}: {error}") from None
