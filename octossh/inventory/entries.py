"""Targets from plain data: names, and the fields of each."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

from octossh.documents import read_yaml
from octossh.errors import ModelError, did_you_mean
from octossh.model import Target

__all__ = ["Names", "entry_of", "fields_of", "matched", "names_of", "read_text", "read_yaml_file"]

Names = Mapping[str, str | list[str] | tuple[str, ...]]
"""One name or several, by the name or the pattern of something."""

_FIELDS = tuple(field.name for field in attrs.fields(Target) if field.name != "name")


def read_text(file: Path, subject: str) -> str:
    """What is in *file*.

    Raises:
        ModelError: It cannot be read, or is no text.
    """
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{subject} cannot be read: {error.strerror}; give another path") from error
    except ValueError as error:
        raise ModelError(f"{subject} is not text in UTF-8: {error}; correct it there") from error


def read_yaml_file(file: Path, subject: str) -> Any:
    """The YAML in *file*.

    Raises:
        ModelError: It cannot be read, or is no YAML.
    """
    try:
        text = read_text(file, subject)
    except ModelError as error:
        if isinstance(error.__cause__, ValueError):
            raise ModelError(f"{subject} is not YAML: {error.__cause__}; correct it there") from error.__cause__
        raise
    return read_yaml(text, subject)


def fields_of(subject: str, data: Any) -> tuple[Target, ...]:
    """The targets of a mapping from names to fields.

    Raises:
        ModelError: A field is wrong; it begins with *subject*.
    """
    return tuple(entry_of(subject, name, entry) for name, entry in data.items())


def entry_of(subject: str, name: Any, entry: Any) -> Target:
    """The target *name* with the fields in *entry*.

    Raises:
        ModelError: A field is wrong; it begins with *subject*.
    """
    if not isinstance(name, str):
        raise ModelError(f"{subject}: the name {name!r} is not text; put it in quotes")
    if not isinstance(entry, dict):
        raise ModelError(f"{subject}: target {name!r} has no fields; give it an address")
    for key in entry:
        if key not in _FIELDS:
            raise ModelError(f"{subject}: target {name!r} has no field {key!r}; {did_you_mean(str(key), _FIELDS)}")
    values = dict(entry)
    try:
        return Target(name, values.pop("address", ""), **values)
    except ModelError as error:
        raise ModelError(f"{subject}: {error}") from None


def names_of(given: Any, what: str) -> Names:
    """A mapping that a user gave, from patterns to names.

    Raises:
        ModelError: It is none.
    """
    if not isinstance(given, Mapping) or not all(
        isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))
        for value in given.values()
    ):
        raise ModelError(f"{what} is {given!r}; give a mapping such as {{'web*': 'web', 'db01': ['db', 'big']}}")
    return given


def matched(names: Names, name: str) -> list[str]:
    """What *names* has for *name*, by each pattern that it fits."""
    found: list[str] = []
    for pattern, value in names.items():
        if fnmatchcase(name, pattern):
            found += [value] if isinstance(value, str) else value
    return found
