"""What the lifecycle says: may a release enter an environment, what is promoted, where a rollback goes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from octossh.errors import PlanError, Refused
from octossh.model import Deployment, Mode, Project, State

__all__ = ["check_may_enter", "current", "mode_of", "to_promote", "to_roll_back"]


def current(history: Sequence[Deployment], environment: str) -> Deployment | None:
    """The last deployment to *environment* that succeeded. *history* is newest first."""
    return next((d for d in history if d.environment == environment and d.state is State.SUCCEEDED), None)


def check_may_enter(project: Project, release: str, environment: str, history: Sequence[Deployment]) -> None:
    """Check that the lifecycle lets *release* into *environment*.

    Raises:
        Refused: It has not succeeded in an environment before that one.
        ModelError: The lifecycle has no such environment.
    """
    if project.lifecycle is None:
        return
    passed = {d.environment for d in history if d.release == release and d.state is State.SUCCEEDED}
    missing = [name for name in project.lifecycle.before(environment) if name not in passed]
    if missing:
        raise Refused(
            f"{project.name} {release} may not go to {environment!r} yet: it has not succeeded in {missing[0]!r}. "
            f"Deploy it to {missing[0]!r} first"
        )


def mode_of(release: str, environment: str, history: Sequence[Deployment]) -> Mode:
    """``redeploy`` where *release* is what succeeded there last, else ``deploy``."""
    last = current(history, environment)
    return Mode.REDEPLOY if last and last.release == release else Mode.DEPLOY


def to_promote(project: Project, environment: str, history: Sequence[Deployment]) -> str:
    """The number of the release that now stands in the environments just before *environment*.

    Raises:
        PlanError: The project has no lifecycle, or *environment* is its first.
        Refused: Nothing stands there yet, or not the same everywhere.
    """
    if project.lifecycle is None:
        raise PlanError(
            f"project {project.name!r} has no lifecycle, so nothing can be promoted; deploy a release by number"
        )
    before = project.lifecycle.before(environment)
    if not before:
        raise PlanError(
            f"{environment!r} is the first environment of {project.name!r}; deploy a release to it by number"
        )
    phase = next(phase for phase in project.lifecycle.phases if before[-1] in phase)
    standing = {name: current(history, name) for name in phase}
    empty = [name for name, deployment in standing.items() if deployment is None]
    if empty:
        raise Refused(f"nothing has succeeded in {empty[0]!r} yet, so nothing can be promoted to {environment!r}")
    numbers = {deployment.release for deployment in standing.values() if deployment}
    if len(numbers) > 1:
        stand = ", ".join(f"{d.release} in {name!r}" for name, d in standing.items() if d)
        raise Refused(f"different releases stand before {environment!r}: {stand}; deploy one of them by number")
    return numbers.pop()


def to_roll_back(project: str, environment: str, history: Sequence[Deployment]) -> str:
    """The number of the release that a rollback of *environment* goes to.

    The one that succeeded before the present one; where the newest deployment did not succeed, the one that
    stood before it; where that was a rollback, where it was to go. A rollback takes the later ones off the pile,
    so that a second one goes further back.

    Raises:
        PlanError: There is none.
    """
    here = [d for d in reversed(history) if d.environment == environment]
    pile: list[str] = []
    for deployment in here:
        if deployment.state is not State.SUCCEEDED:
            continue
        if deployment.mode is Mode.ROLLBACK and deployment.release in pile:
            while pile[-1] != deployment.release:
                pile.pop()
        elif not pile or pile[-1] != deployment.release:
            pile.append(deployment.release)
    if here and here[-1].mode is Mode.ROLLBACK and here[-1].state is not State.SUCCEEDED and here[-1].release in pile:
        return here[-1].release
    failed = bool(here) and here[-1].state is not State.SUCCEEDED and here[-1].release != (pile[-1] if pile else None)
    wanted = 1 if failed else 2
    if len(pile) < wanted:
        raise PlanError(
            f"there is no earlier release of {project!r} in {environment!r} to roll back to; "
            "see 'history', or deploy a release by number"
        )
    return pile[-wanted]
