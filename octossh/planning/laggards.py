"""Which hosts lack the release that stands in an environment, by the record. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from octossh.model import Mode, State

if TYPE_CHECKING:
    from octossh.model import Deployment, Outcome

__all__ = ["lagging"]


def lagging(history: Iterable[Deployment], environment: str, release: str, targets: Iterable[str]) -> tuple[str, ...]:
    """Those of *targets* that do not have *release*, in their order.

    A host has it if the last deployment that did anything there was one of *release*, and all that was for the host
    succeeded. One that was left out, or that no deployment has ever reached, does not.

    Args:
        history: Deployments of the project with their outcomes, newest first.
        environment: Where.
        release: The number of the release that stands there.
        targets: Names of the targets that stand there.
    """
    wanted = tuple(targets)
    has: dict[str, bool] = {}
    for deployment in history:
        if deployment.environment != environment or deployment.mode is Mode.PRUNE:
            continue
        by_target: dict[str, list[Outcome]] = {}
        for outcome in deployment.outcomes:
            by_target.setdefault(outcome.target, []).append(outcome)
        for name, outcomes in by_target.items():
            if name in has or not any(_tried(outcome) for outcome in outcomes):
                continue
            has[name] = deployment.release == release and all(_well(outcome) for outcome in outcomes)
        if all(name in has for name in wanted):
            break
    return tuple(name for name in wanted if not has.get(name, False))


def _tried(outcome: Outcome) -> bool:
    return outcome.state is not State.SKIPPED


def _well(outcome: Outcome) -> bool:
    return outcome.state is State.SUCCEEDED or (outcome.state is State.SKIPPED and outcome.action == "not needed")
