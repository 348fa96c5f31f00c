"""The text of our own templates, and the environment in which they and those of users are rendered."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Any

from octossh.model import Templates
from octossh.shell import Words
from octossh.templating import script_environment

__all__ = ["OURS", "environment_of", "our_template"]

_NONE = Templates()

_FOLDER = resources.files("octossh.rendering").joinpath("templates")

OURS = frozenset(file.name.removesuffix(".sh.j2") for file in _FOLDER.iterdir() if file.name.endswith(".sh.j2"))
"""The names of our templates, without their ending."""


def our_template(name: str) -> str | None:
    """The text of a template by name, or None where there is none; ``octossh/NAME`` is always ours."""
    stem = name.removeprefix("octossh/")
    return _FOLDER.joinpath(stem).read_text(encoding="utf-8") if stem.removesuffix(".sh.j2") in OURS else None


@functools.lru_cache(maxsize=16)
def environment_of(templates: Templates = _NONE) -> Any:
    """The environment in which *templates* stand in front of ours."""

    def load(name: str) -> str | None:
        return templates.texts[name] if name in templates.texts else our_template(name)

    environment = script_environment(load)
    environment.filters["word"] = Words
    environment.filters["comment"] = lambda text: Words(re.sub(r"[^ -~]+", " ", text))
    return environment
