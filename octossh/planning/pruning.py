"""What old releases left on hosts and no release that counts needs: what to prune. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from octossh.errors import PlanError
from octossh.model import Mode, Prune, State
from octossh.planning.resolving import Resolver

if TYPE_CHECKING:
    from octossh.model import Deployment, Release, Target

__all__ = ["to_prune"]


def to_prune(
    project: str,
    environment: str,
    keep: int,
    history: Sequence[Deployment],
    find: Callable[[str, str], Release | None],
    targets: Sequence[Target],
) -> Prune:
    """The step that removes from *environment* what only releases before its last *keep* needed.

    A release counts that succeeded there, or that was deployed last, whatever became of it. An image stays that a
    release needs which counts in any environment of any project: hosts and images may be shared.

    Args:
        project: Whose releases.
        environment: Where.
        keep: How many releases stay ready to come back; at least 1.
        history: The deployments of all projects, newest first.
        find: A release by project and number; None: it is not stored any more, so nothing is known of its images.
        targets: All targets.

    Raises:
        PlanError: *keep* is no such number, or nothing was ever deployed there.
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise PlanError(f"{keep!r} releases cannot be kept; give a number from 1, which is the one that stands there")
    history = [deployment for deployment in history if deployment.mode is not Mode.PRUNE]
    here = [d for d in history if _place(d) == (project, environment)]
    if not here:
        raise PlanError(f"nothing of {project!r} was deployed to {environment!r}, so there is nothing to prune")
    places: dict[tuple[str, str], list[Deployment]] = {}
    for deployment in history:
        places.setdefault(_place(deployment), []).append(deployment)
    counting = {(name, number) for (name, _), past in places.items() for number in _counting(past, keep)}
    needed = _images(find(*place) for place in counting)
    pulled = _images(find(project, number) for number in {d.release for d in here})
    kept = _counting(here, keep)
    hosts = tuple(target for target in targets if environment in target.environments)
    resolvers = [Resolver(found, environment, hosts) for number in kept if (found := find(project, number))]
    stays = [resolver.kept(target) for resolver in resolvers for target in hosts]
    return Prune(
        "prune",
        images=pulled - needed,
        keep=kept,
        containers={name for names, _ in stays for kind, name in names if kind == "container"},
        steps={step for _, steps in stays for step in steps},
    )


def _images(releases: Iterable[Release | None]) -> set[str]:
    return {pin.reference for release in releases if release for pin in release.pins}


def _place(deployment: Deployment) -> tuple[str, str]:
    return deployment.project, deployment.environment


def _counting(history: Sequence[Deployment], keep: int) -> tuple[str, ...]:
    """The releases that count in one environment of one project."""
    passed = dict.fromkeys(d.release for d in history if d.state is State.SUCCEEDED)
    return tuple({*list(passed)[:keep], history[0].release})
