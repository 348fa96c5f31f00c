"""What old releases left on hosts and no release that counts needs: what to prune. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from octossh.errors import PlanError
from octossh.model import Prune
from octossh.planning.resolving import Resolver

if TYPE_CHECKING:
    from octossh.model import Pin, Release, Target

__all__ = ["Came", "to_prune"]


class Came(NamedTuple):
    """That a release was deployed to an environment. Tidying up does not count.

    Attributes:
        last: When it was last deployed there: what is later has a higher number.
        passed: When it last succeeded there; None: it never has.
    """

    project: str
    environment: str
    release: str
    last: int
    passed: int | None


def to_prune(
    project: str,
    environment: str,
    keep: int,
    came: Iterable[Came],
    pins: Callable[[str, Set[str]], Iterable[Pin]],
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
        came: What has come where, of all projects.
        pins: What releases pin, by project and numbers; of those that are not stored any more, nothing is known.
        find: A release by project and number; None: it is not stored any more.
        targets: All targets.

    Raises:
        PlanError: *keep* is no such number, or nothing was ever deployed there.
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise PlanError(f"{keep!r} releases cannot be kept; give a number from 1, which is the one that stands there")
    places: dict[tuple[str, str], list[Came]] = {}
    for one in came:
        places.setdefault((one.project, one.environment), []).append(one)
    here = places.get((project, environment))
    if here is None:
        raise PlanError(f"nothing of {project!r} was deployed to {environment!r}, so there is nothing to prune")
    counting: dict[str, set[str]] = {}
    for (name, _), there in places.items():
        counting.setdefault(name, set()).update(_counting(there, keep))
    needed = {pin.reference for name, numbers in counting.items() for pin in pins(name, numbers)}
    pulled = {pin.reference for pin in pins(project, {one.release for one in here})}
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


def _counting(there: Sequence[Came], keep: int) -> set[str]:
    """The releases that count in one environment of one project."""
    passed = sorted((one.passed, one.release) for one in there if one.passed is not None)
    return {max(there, key=lambda one: one.last).release, *(number for _, number in passed[-keep:])}
