"""Targets out of ssh's configuration: each host that it names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.inventory.entries import Names, entry_of, matched, names_of, read_text
from octossh.model import Target

__all__ = ["SSHConfigTargets"]

_LINE = re.compile(r"\s*(?P<word>\w+)(?:\s*=\s*|\s+)(?P<rest>.*?)\s*")
_DEEP = 16


def _roles(value: Any) -> Names:
    return names_of(value, "SSHConfigTargets(roles=...)")


def _environments(value: Any) -> Names:
    return names_of(value, "SSHConfigTargets(environments=...)")


@frozen
class SSHConfigTargets:
    """The hosts that ssh's configuration names, each by its alias.

    An alias is the address of its target; where that is, who logs in there and through whom, the transport finds in the
    same configuration. Names with ``*``, ``?`` or ``!`` are patterns, and no targets. ``Include`` is followed.

    Attributes:
        file: Default: ``~/.ssh/config``. When it is another one, give it to the transport, too:
            ``SSH(config=...)``.
        only: A pattern of the aliases that count, such as ``web*``.
        roles: The roles of targets, by patterns of their aliases.
        environments: In the same way, where they stand.
    """

    file: str | Path = "~/.ssh/config"
    only: str = field(default="*", kw_only=True)
    roles: Names = field(factory=dict, kw_only=True, converter=_roles)
    environments: Names = field(factory=dict, kw_only=True, converter=_environments)

    def __call__(self) -> tuple[Target, ...]:
        """Read the file.

        Raises:
            ModelError: It cannot be read, or an alias is no address.
        """
        file = Path(self.file).expanduser()
        found: dict[str, str] = {}
        # For ssh a relative path after Include is one in there, whichever file it stands in.
        for place, alias in _aliases(file, Path("~/.ssh").expanduser(), 0):
            if fnmatchcase(alias, self.only):
                found.setdefault(alias, place)
        return tuple(
            entry_of(
                place,
                alias,
                {
                    "address": alias,
                    "roles": matched(self.roles, alias),
                    "environments": matched(self.environments, alias),
                },
            )
            for alias, place in found.items()
        )


def _aliases(file: Path, folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    """Where each alias stands, and the alias itself."""
    if depth > _DEEP:
        raise ModelError(f"ssh configuration {file}: files include each other without end; take out one Include")
    for number, line in enumerate(read_text(file, f"ssh configuration {file}").split("\n"), 1):
        match = _LINE.fullmatch(line)
        if match is None or match["word"].lower() not in ("host", "include"):
            continue
        place = f"ssh configuration {file}, line {number}"
        try:
            words = shlex.split(match["rest"], comments=True)
        except ValueError:
            raise ModelError(f"{place}: a quote is without its other half; correct it there") from None
        if match["word"].lower() == "host":
            yield from ((place, word) for word in words if not set(word) & set("*?!"))
            continue
        for word in words:
            path = Path(word).expanduser()
            base = Path("/") if path.is_absolute() else folder
            for included in sorted(base.glob(str(path.relative_to("/")) if path.is_absolute() else str(path))):
                if included.is_file():
                    yield from _aliases(included, folder, depth + 1)
