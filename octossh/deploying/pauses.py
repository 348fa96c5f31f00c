"""A deployment that nobody lets go on now: what it waits for, put aside until somebody has answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from octossh.errors import to_type

if TYPE_CHECKING:
    from octossh.model import Approve, Deployment, Pause
    from octossh.planning import Plan
    from octossh.shell import Secret

__all__ = ["Shelf", "Unanswered", "Waited", "how_to_go_on", "layout", "waits_in_words"]


@frozen
class Waited:
    """One thing that is to be approved.

    Attributes:
        step: What is asked; of a wave, under the name of its step.
        wave: The number of the wave before which it is; 0 where the step itself asks.
    """

    step: Approve
    wave: int = 0


class Unanswered(Exception):
    """Nobody answers now. It belongs to the deployment, and reaches nobody else."""

    def __init__(self, waited: Waited) -> None:
        super().__init__(waited.step.name)
        self.waited = waited


class Shelf(Protocol):
    """Where a deployment is put that waits.

    Attributes:
        pause: How far one has come that goes on; None for one that begins.
    """

    pause: Pause | None

    def check(self, names: Iterable[str]) -> None:
        """Check that the values of these secrets, which can be had nowhere else, can be kept.

        Raises:
            Refused: They cannot.
        """

    def put(
        self, deployment: Deployment, waits: Iterable[Waited], pause: Pause, secrets: Mapping[str, Secret]
    ) -> Deployment:
        """Keep it there, with the values of those secrets; the deployment as it waits then.

        Raises:
            Refused: The secrets cannot be kept.
            RecordError: It cannot be recorded.
        """


def layout(plan: Plan) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Over which targets each step of *plan* goes, in which order."""
    return {
        stage.step.name: tuple(tuple(task.target.name for task in wave) for wave in stage.waves)
        for stage in plan.stages
    }


def waits_in_words(waits: Iterable[Waited], until: datetime) -> str:
    """What a deployment waits for, who may give it, and until when."""
    asked = []
    for one in waits:
        what = f"wave {one.wave} of step {one.step.name!r}" if one.wave else f"step {one.step.name!r}"
        asked.append(f"{what} by {', '.join(one.step.approvers) or 'anybody'}")
    return f"it waits until {until:%Y-%m-%d %H:%M} UTC for the approval of {', and of '.join(asked)}"


def how_to_go_on(waiting: Deployment, asks: Iterable[str]) -> str:
    """What is to be done about a deployment that waits for the approval of the steps *asks*."""
    commands = " and ".join(to_type("approve", waiting.id, step) for step in asks)
    return (
        f"deployment {waiting.id} has begun, and {waiting.error}; give it with {commands}, and then octossh run-due "
        "goes on, in any process with this store"
    )
