"""``space.freezes``: when nothing is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from octossh import model, planning
from octossh.errors import ModelError

if TYPE_CHECKING:
    from octossh.model import Catalog, Freeze
    from octossh.recording import Store

__all__ = ["Freezes"]

_KIND = "freeze"


class Freezes:
    """The freezes of a space, as `Space.freezes`. Each change stands in the audit chain, with who made it and why.

    Args:
        store: Where they are kept.
        catalog: The projects and environments that there are.
    """

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store, self._catalog = store, catalog

    def add(self, freeze: Freeze, *, why: str) -> Freeze:
        """Let *freeze* hold.

        Args:
            freeze: Whose name is not taken.
            why: The reason, in words.

        Raises:
            ModelError: It names a project or environment that is not there, or there is no reason.
            Refused: There is one of that name.

        Hosts:
            untouched.
        """
        for name in freeze.environments:
            self._catalog.environment(name)
        for name in freeze.projects:
            self._catalog.project(name)
        self._store.keep(_KIND, freeze.name, freeze, why=_reason(why, f"freeze {freeze.name!r}"), expect=None)
        return freeze

    def remove(self, name: str, *, why: str) -> None:
        """Let the freeze *name* hold no longer.

        Raises:
            ModelError: There is none of that name, or there is no reason.

        Hosts:
            untouched.
        """
        self._store.drop(_KIND, name, why=_reason(why, f"removing freeze {name!r}"))

    def list(self) -> tuple[Freeze, ...]:
        """All of them, those that have ended too, by their names."""
        return tuple(self._store.kept(_KIND, model.Freeze).values())

    def holding(self, project: str, environment: str) -> str:
        """What freeze holds there now, and until when, in words; empty if none does."""
        return planning.frozen(self.list(), project, environment, datetime.now(UTC))

    def check(self, project: str, environment: str, override: str = "") -> None:
        """Check that none holds there now, or that *override* says why it does not matter.

        Raises:
            Refused: One does.
        """
        planning.check_freezes(self.list(), project, environment, datetime.now(UTC), override)

    def __iter__(self) -> Iterator[Freeze]:
        return iter(self.list())

    def to_dict(self) -> dict[str, Any]:
        """All of them as plain data."""
        now = datetime.now(UTC)
        return {"freezes": [{**freeze.to_dict(), "holds": freeze.until(now) is not None} for freeze in self]}

    def __str__(self) -> str:
        now, freezes = datetime.now(UTC), self.list()
        if not freezes:
            return "there is no freeze"
        rows = [
            (
                freeze.name,
                ", ".join(freeze.projects) or "all",
                ", ".join(freeze.environments) or "all",
                freeze.when,
                "yes" if freeze.until(now) is not None else "no",
            )
            for freeze in freezes
        ]
        return model.columns(rows, ("freeze", "projects", "environments", "when", "holds now"))


def _reason(why: str, what: str) -> str:
    if not isinstance(why, str) or not why.strip():
        raise ModelError(f"{what} needs a reason, which stands in the record; say why")
    return why
