"""What the lifecycle says: may a release enter an environment, what is promoted, where a rollback goes. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from octossh.errors import PlanError, Refused, to_type
from octossh.model import Mode, State

if TYPE_CHECKING:
    from octossh.model import Deployment, Phase, Prevention, Project

__all__ = ["check_may_enter", "current", "mode_of", "to_follow", "to_promote", "to_roll_back"]

_FIRST_LOOK = 10
"""Deployments among which it is sought first where a rollback goes; then among twice as many."""


def current(history: Sequence[Deployment], environment: str) -> Deployment | None:
    """The last deployment to *environment* that succeeded. *history* is newest first."""
    return next((d for d in history if d.environment == environment and d.state is State.SUCCEEDED), None)


def check_may_enter(
    project: Project,
    release: str,
    environment: str,
    succeeded: Container[str],
    *,
    channel: str | None = None,
    prevented: Prevention | None = None,
) -> None:
    """Check that *release* may go to *environment*.

    Where it has succeeded already, it may always go again. The lifecycle is the one of today: an environment that has
    joined it since counts for what the release has not reached yet. One that is prevented goes no further than to
    the first phase, and to the phases in which it has succeeded somewhere.

    Args:
        project: Whose release.
        release: Its number.
        environment: Where to.
        succeeded: The environments in which it has succeeded.
        channel: Of the release; it may have a lifecycle of its own.
        prevented: What holds the release back, if anything does.

    Raises:
        Refused: It has not succeeded in the phases before, is prevented, or its channel goes elsewhere.
        ModelError: No lifecycle has such an environment.
    """
    lifecycle = project.lifecycle_of(channel)
    if lifecycle is not None and environment not in lifecycle.environments and environment in project.environments:
        raise Refused(
            f"{project.name} {release} may not go to {environment!r}: it is a release of channel {channel!r}, whose "
            f"lifecycle is {lifecycle}. Create a release in another channel"
        )
    earlier = lifecycle.phases_before(environment) if lifecycle else ()
    if environment in succeeded:
        return
    if prevented is not None:
        reached = lifecycle is not None and (not earlier or _reached(lifecycle.phase_of(environment), succeeded))
        if not reached:
            raise Refused(
                f"{project.name} {release} may not go to {environment!r}: {prevented.by} holds it back, since "
                f"{prevented.why}. Deploy another release, or let it go on with 'octossh release allow {release}'"
            )
    missing = [phase for phase in earlier if not phase.optional and not phase.passed(succeeded)]
    if missing:
        raise Refused(f"{project.name} {release} may not go to {environment!r} yet: {_lacks(missing[0], succeeded)}")


def _reached(phase: Phase, succeeded: Container[str]) -> bool:
    return any(name in succeeded for name in phase.environments)


def _lacks(phase: Phase, succeeded: Container[str]) -> str:
    """What a release has to do yet to pass *phase*."""
    left = [name for name in phase.environments if name not in succeeded]
    if phase.needed == len(phase.environments):
        return f"it has not succeeded in {left[0]!r}. Deploy it to {left[0]!r} first"
    done = len(phase.environments) - len(left)
    more = phase.needed - done
    return (
        f"it has succeeded in {done} of the {phase.needed} environments that phase {phase.title!r} wants. Deploy it to "
        f"{'one' if more == 1 else more}{' more' if done else ''} of {', '.join(map(repr, left))} first"
    )


def mode_of(release: str, environment: str, standing: Mapping[str, str]) -> Mode:
    """``redeploy`` where *release* is what succeeded there last, else ``deploy``; *standing* is by environment."""
    return Mode.REDEPLOY if standing.get(environment) == release else Mode.DEPLOY


def to_promote(project: Project, environment: str, standing: Mapping[str, str], *, channel: str | None = None) -> str:
    """The number of the release that now stands in the phase just before *environment*.

    An optional phase counts where something stands in it; else the one before it does.

    Args:
        project: Whose release.
        environment: Where to.
        standing: By environment the release that succeeded there last.
        channel: Whose lifecycle; None: the project's.

    Raises:
        PlanError: There is no lifecycle, or *environment* is its first.
        Refused: Nothing stands there yet, or in too few environments, or not the same everywhere.
    """
    lifecycle = project.lifecycle_of(channel)
    if lifecycle is None:
        raise PlanError(
            f"project {project.name!r} has no lifecycle, so nothing can be promoted; deploy a release by number: "
            + to_type("deploy", "NUMBER", "--to", environment)
        )
    before = lifecycle.phases_before(environment)
    if not before:
        raise PlanError(
            f"{environment!r} is the first environment of {project.name!r}; deploy a release to it by number: "
            + to_type("deploy", "NUMBER", "--to", environment)
        )
    for phase in reversed(before):
        here = {name: standing[name] for name in phase.environments if name in standing}
        if here or not phase.optional:
            return _one(phase, here, environment)
    raise _nothing([name for phase in before for name in phase.environments], environment)


def _one(phase: Phase, standing: Mapping[str, str], environment: str) -> str:
    """The one release that stands in as many environments of *phase* as it needs."""
    needed = 1 if phase.optional else phase.needed
    empty = [name for name in phase.environments if name not in standing]
    if not standing or (empty and needed == len(phase.environments)):
        raise _nothing(empty if not standing and needed == 1 else empty[:1], environment)
    numbers = set(standing.values())
    if len(numbers) > 1:
        stand = ", ".join(f"{number} in {name!r}" for name, number in standing.items())
        raise Refused(
            f"different releases stand before {environment!r}: {stand}; deploy one of them by number: "
            + to_type("deploy", "NUMBER", "--to", environment)
        )
    number = numbers.pop()
    if len(standing) < needed:
        raise Refused(f"{number} cannot be promoted to {environment!r} yet: {_lacks(phase, standing)}")
    return number


def _nothing(places: Sequence[str], environment: str) -> Refused:
    where = " or ".join(map(repr, places))
    return Refused(
        f"nothing has succeeded in {where} yet, so nothing can be promoted to {environment!r}; deploy a release there "
        f"first: {to_type('deploy', '--to', places[0])}"
    )


def to_follow(project: Project, ended: Deployment, earlier: Set[str], *, channel: str | None = None) -> tuple[str, ...]:
    """The environments to which the release of *ended* goes by itself now.

    Those are the automatic ones of the next phase, once *ended* has brought the release through its own phase: not
    again when it is deployed there once more, and not by a rollback. It skips no phase, not even an optional one; and
    where the release has succeeded already, it does not go.

    Args:
        project: Whose release.
        ended: The deployment that has just ended.
        earlier: The environments in which its release has succeeded, not counting *ended*.
        channel: Of the release; it may have a lifecycle of its own.
    """
    lifecycle = project.lifecycle_of(channel)
    if lifecycle is None or not ended.ok or ended.mode in {Mode.ROLLBACK, Mode.PRUNE}:
        return ()
    if ended.environment not in lifecycle.environments:
        return ()
    place = lifecycle.phases.index(lifecycle.phase_of(ended.environment))
    phase, after = lifecycle.phases[place], lifecycle.phases[place + 1 : place + 2]
    if not after or phase.passed(earlier) or not phase.passed({*earlier, ended.environment}):
        return ()
    return tuple(name for name in after[0].automatic if name not in earlier)


def to_roll_back(project: str, environment: str, past: Iterable[Deployment]) -> str:
    """The number of the release that a rollback of *environment* goes to.

    The one that succeeded before the present one; where the newest deployment did not succeed, the one that
    stood before it; where that was a rollback, where it was to go. A rollback takes the later ones off the pile,
    so that a second one goes further back.

    Args:
        project: Whose.
        environment: Where.
        past: Deployments, newest first; no more are taken than it needs.

    Raises:
        PlanError: There is none.
    """
    left = (deployment for deployment in past if deployment.environment == environment)
    here: list[Deployment] = []
    size = _FIRST_LOOK
    while True:
        here += itertools.islice(left, size - len(here))
        whole = len(here) < size
        if number := _before(here, whole=whole):
            return number
        if whole:
            raise PlanError(
                f"there is no earlier release of {project!r} in {environment!r} to roll back to; "
                f"see {to_type('history', '--in', environment)}, or deploy a release by number"
            )
        size *= 2


def _before(here: Sequence[Deployment], *, whole: bool) -> str | None:
    """The release that a rollback goes to; None: there is none, or *here*, newest first, does not tell by itself."""
    pile: list[str] = []
    for deployment in reversed(here):
        if deployment.state is not State.SUCCEEDED:
            continue
        back = deployment.mode is Mode.ROLLBACK
        if back and deployment.release in pile:
            while pile[-1] != deployment.release:
                pile.pop()
        elif back and not whole:
            pile = [deployment.release]  # it may be an older one, so nobody knows what is below it
        elif not pile or pile[-1] != deployment.release:
            pile.append(deployment.release)
    wanted = 2
    if here and here[0].state is not State.SUCCEEDED:
        if here[0].mode is Mode.ROLLBACK and (here[0].release in pile or not whole):
            return here[0].release if here[0].release in pile else None
        wanted = 1 if not pile or here[0].release != pile[-1] else 2
    return pile[-wanted] if len(pile) >= wanted else None
