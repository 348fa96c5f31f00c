"""The text of our own templates."""

from __future__ import annotations

from importlib import resources

__all__ = ["OURS", "our_template"]

_FOLDER = resources.files("octossh.rendering").joinpath("templates")

OURS = frozenset(file.name.removesuffix(".sh.j2") for file in _FOLDER.iterdir() if file.name.endswith(".sh.j2"))
"""The names of our templates, without their ending."""


def our_template(name: str) -> str | None:
    """The text of a template by name, or None where there is none; ``octossh/NAME`` is always ours."""
    stem = name.removeprefix("octossh/")
    return _FOLDER.joinpath(stem).read_text(encoding="utf-8") if stem.removesuffix(".sh.j2") in OURS else None
