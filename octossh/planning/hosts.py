"""Which hosts a step runs on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from octossh.model.targets import CONTROLLER

if TYPE_CHECKING:
    from octossh.model import Step, Target

__all__ = ["hosts_of", "is_primary"]


def hosts_of(step: Step, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Those of *targets* that *step* runs on, its primary one first; where it runs once, that one only."""
    if step.runs_on == "controller":
        return (CONTROLLER,)
    able = [target for target in targets if not step.roles or set(step.roles) & set(target.roles)]
    if step.primary:
        able.sort(key=lambda target: not is_primary(step, target))
    return tuple(able[:1] if step.runs_on == "one" else able)


def is_primary(step: Step, target: Target) -> bool:
    """Whether *target* is what *step* calls its primary one."""
    label, given, value = step.primary.partition("=")
    return target.labels.get(label) == value if given else target.name == step.primary
