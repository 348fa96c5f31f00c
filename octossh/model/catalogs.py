"""What a space knows: projects, targets and environments, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self, TypeVar

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model.images import Image
from octossh.model.projects import Project
from octossh.model.rollout import Rollout
from octossh.model.targets import CONTROLLER, Environment, Target

__all__ = ["Catalog"]


@frozen
class Catalog:
    """Projects, targets and environments that fit together.

    Attributes:
        projects: By name.
        targets: All of them.
        environments: Their names: those of lifecycles in their order, then the others.
        rollouts: Of environments that have one.
    """

    projects: Mapping[str, Project]
    targets: tuple[Target, ...]
    environments: tuple[str, ...]
    rollouts: Mapping[str, Rollout] = field(factory=dict)

    @classmethod
    def of(cls, projects: Iterable[Project], targets: Iterable[Target], environments: Iterable[Environment]) -> Self:
        """Put them together.

        Raises:
            ModelError: Two of a kind have one name, or one names another that is not there.
        """
        known = _by_name(projects, Project, "projects")
        hosts = tuple(_by_name(targets, Target, "targets").values())
        if any(host.name == CONTROLLER.name for host in hosts):
            raise ModelError(f"{CONTROLLER.name!r} stands for the machine that deploys; give that target another name")
        places = _by_name(environments, Environment, "environments")
        names = _environments(known.values(), hosts, places)
        _check_scopes(known.values(), hosts)
        rollouts = {name: place.rollout for name, place in places.items() if place.rollout}
        _check_minima({f"project {name!r}": one.rollout for name, one in known.items()}, hosts)
        _check_minima({f"environment {name!r}": rollout for name, rollout in rollouts.items()}, hosts)
        return cls(known, hosts, names, rollouts)

    def rollout(self, project: str, environment: str) -> Rollout:
        """How deployments of *project* go over the hosts of *environment*, where nobody says otherwise."""
        if environment in self.rollouts:
            return self.rollouts[environment]
        return self.projects[project].rollout if project in self.projects else Rollout()

    def project(self, name: str | None = None) -> Project:
        """The project *name*; without a name, the only one.

        Raises:
            ModelError: There is none of that name, or there are several and no name is given.
        """
        if name is None and len(self.projects) == 1:
            return next(iter(self.projects.values()))
        if name is None:
            raise ModelError(f"there are several projects; say which: {', '.join(self.projects)}")
        if name not in self.projects:
            raise ModelError(f"there is no project {name!r}; {did_you_mean(name, self.projects)}")
        return self.projects[name]

    def image(self, name: str, project: str | None = None) -> tuple[Project, Image]:
        """The image with the repository or full name *name*, and the first project that runs it, or *project*.

        Raises:
            ModelError: None does, or there is no such project.
        """
        owners = [self.project(project)] if project else list(self.projects.values())
        images = [(owner, image) for owner in owners for image in owner.process.images]
        for owner, image in images:
            if name in {image.repository, image.name}:
                return owner, image
        known = [image.repository for _, image in images]
        raise ModelError(f"no project runs the image {name!r}; {did_you_mean(name, known)}")

    def environment(self, name: str) -> str:
        """*name* itself, if there is such an environment.

        Raises:
            ModelError: There is none of that name.
        """
        if name not in self.environments:
            raise ModelError(f"there is no environment {name!r}; {did_you_mean(name, self.environments)}")
        return name


def _check_scopes(projects: Iterable[Project], targets: tuple[Target, ...]) -> None:
    """A variable for a role or target that nothing has would hold nowhere, in silence."""
    known = {
        "role": {role for target in targets for role in target.roles},
        "target": {target.name for target in targets},
    }
    for project in projects:
        for variable in project.variables:
            for key, names in known.items():
                value = variable.scope.get(key)
                if targets and value is not None and value not in names:
                    raise ModelError(
                        f"project {project.name!r}: variable {variable.name!r} is for {key} {value!r}, "
                        f"which no target {'has' if key == 'role' else 'is'}; {did_you_mean(value, names)}"
                    )


def _check_minima(rollouts: Mapping[str, Rollout], targets: tuple[Target, ...]) -> None:
    """A minimum of hosts for a role that nothing has would guard nothing, in silence."""
    known = {role for target in targets for role in target.roles}
    for where, rollout in rollouts.items():
        if targets and (stray := next((role for role in rollout.at_least if role not in known), None)):
            raise ModelError(
                f"{where}: at_least is for role {stray!r}, which no target has; {did_you_mean(stray, known)}"
            )


def _environments(projects: Iterable[Project], targets: tuple[Target, ...], more: Iterable[str]) -> tuple[str, ...]:
    names = list(more)
    for project in projects:
        names += project.environments
    standing = [name for target in targets for name in target.environments]
    # Where a lifecycle names the environments, a target's that is none of them is a slip of the pen.
    if names and (stray := next((name for name in standing if name not in names), None)):
        target = next(target.name for target in targets if stray in target.environments)
        raise ModelError(
            f"target {target!r} stands in environment {stray!r}, which no lifecycle has; "
            f"{did_you_mean(stray, names)} Or give it to the space: environments=[Environment({stray!r})]"
        )
    return tuple(dict.fromkeys([*names, *standing]))


N = TypeVar("N", Project, Target, Environment)


def _by_name(items: Iterable[N], kind: type[N], what: str) -> dict[str, N]:
    if isinstance(items, str) or not isinstance(items, Iterable):
        raise ModelError(f"a space takes {what} as a list, not {items!r}; write {what}=[...]")
    made: dict[str, N] = {}
    for item in items:
        if not isinstance(item, kind):
            raise ModelError(f"a space takes {kind.__name__}s as {what}, and {item!r} is none")
        if item.name in made:
            raise ModelError(f"there are two {what} named {item.name!r}; rename one of them")
        made[item.name] = item
    return made
