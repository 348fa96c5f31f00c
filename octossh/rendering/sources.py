"""The text of our own templates, and the environment in which they and those of users are rendered."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any

from octossh.errors import ModelError
from octossh.model import Templates
from octossh.shell import Words
from octossh.templating import compiled, script_environment

__all__ = ["INCLUDE", "OURS", "environment_of", "our_template", "prepare"]

INCLUDE = re.compile(r"\{%\s*include\s+\"(?P<name>[^\"{}]+)\"\s*%\}")
"""How a template takes in another one."""

_NONE = Templates()

_FOLDER = resources.files("octossh.rendering").joinpath("templates")

OURS = frozenset(file.name.removesuffix(".sh.j2") for file in _FOLDER.iterdir() if file.name.endswith(".sh.j2"))
"""The names of our templates, without their ending."""


def our_template(name: str) -> str | None:
    """The text of a template by name, or None where there is none; ``octossh/NAME`` is always ours."""
    stem = name.removeprefix("octossh/")
    return _FOLDER.joinpath(stem).read_text(encoding="utf-8") if stem.removesuffix(".sh.j2") in OURS else None


def environment_of(templates: Templates = _NONE) -> Any:
    """The environment in which *templates* stand in front of ours."""
    return _environment(templates)


@functools.lru_cache(maxsize=16)
def _environment(templates: Templates) -> Any:
    environment = script_environment(functools.partial(_text, templates))
    environment.filters["word"] = Words
    environment.filters["comment"] = lambda text: Words(re.sub(r"[^ -~]+", " ", text))
    return environment


def _text(templates: Templates, name: str) -> str | None:
    return templates.texts[name] if name in templates.texts else our_template(name)


@functools.lru_cache(maxsize=256)
def _included(text: str) -> tuple[str, ...]:
    """The names of the templates that *text* takes in."""
    return tuple(INCLUDE.findall(text))


def prepare(kinds: Iterable[str], templates: Templates = _NONE) -> None:
    """Compile the templates of these kinds of steps, so that no host has to wait for that.

    What is wrong with one is said by whoever renders it.
    """
    for made, names in ((templates, kinds), (_NONE, ["_outlive"])):
        environment = environment_of(made)
        waiting, seen = [f"{name}.sh.j2" for name in names], set[str]()
        while waiting:
            name = waiting.pop()
            text = None if name in seen else _text(made, name)
            seen.add(name)
            if text is not None:
                with contextlib.suppress(ModelError):
                    compiled(environment, name)
                waiting += _included(text)
