"""How the old container of a step makes way for the new one."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from octossh.model._values import telling
from octossh.model.steps.base import Part

__all__ = ["STRATEGIES", "Replace", "Strategy"]


@frozen(field_transformer=telling)
class Strategy(Part):
    """How the old container makes way for the new one."""

    kind: ClassVar[str] = "strategy"
    """The name of the kind in plain data."""


@frozen(kw_only=True, field_transformer=telling)
class Replace(Strategy):
    """Stop-first: the new container is pulled and created, then the old one stops and the new one starts.

    The old one is kept aside until the new one is healthy, and is put back if it is not.
    """

    kind: ClassVar[str] = "replace"


STRATEGIES: dict[str, type[Strategy]] = {kind.kind: kind for kind in (Replace,)}
"""The kinds of strategies by their names."""
