"""Finding the value of a secret in the first of several sources that has one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from octossh.errors import ModelError

__all__ = ["SecretSource", "find_secret", "sources_of"]

SecretSource = Mapping[str, str] | Callable[[str], str | None]
"""A mapping from names to values, or a function that gives the value of a name, or None."""


def find_secret(sources: Iterable[SecretSource], name: str) -> str | None:
    """The value of the secret *name* in the first of *sources* that has one; None: no one has.

    Raises:
        ModelError: A source cannot be asked.
    """
    found = (source(name) if callable(source) else source.get(name) for source in sources)
    return next((value for value in found if value is not None), None)


def sources_of(given: SecretSource | Iterable[SecretSource] | None) -> tuple[SecretSource, ...]:
    """What a user gave as the source of secrets, as a sequence of sources.

    Raises:
        ModelError: It is none.
    """
    if given is None:
        return (os.environ,)
    sources: tuple[Any, ...] = (given,)
    if isinstance(given, Iterable) and not isinstance(given, Mapping | str) and not callable(given):
        sources = tuple(given)
    for source in sources:
        if not isinstance(source, Mapping) and not callable(source):
            raise ModelError(
                f"secrets: a {type(source).__name__} is no source of them; give a mapping of names to values, a "
                "function, or a list of both"
            )
    return sources
