"""The order of environments, and which versions may enter it."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Described, Pairs, check_name, named, sorted_names, telling
from octossh.versions import Rule

__all__ = ["Channel", "Lifecycle"]


def _phases(value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ModelError("a lifecycle needs an environment, such as Lifecycle('Dev', 'Production')")
    if wrong := next((phase for phase in value if not isinstance(phase, str | list | tuple)), None):
        raise ModelError(
            f"the phase {wrong!r} of a lifecycle is neither the name of an environment nor a tuple of names"
        )
    phases = tuple((phase,) if isinstance(phase, str) else tuple(phase) for phase in value)
    names = [check_name(name, "environment") for phase in phases for name in phase]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise ModelError(f"environment {double!r} stands twice in the lifecycle; name it once")
    if not all(phases):
        raise ModelError("a phase of the lifecycle has no environment; name one, or leave the phase out")
    return phases


@frozen(init=False)
class Lifecycle(Described):
    """Environments in the order in which a release passes them.

    Each argument is a phase: the name of one environment, or a tuple of several that stand side by side. A
    release may enter a phase when it has been deployed with success to all environments of the phases before.
    """

    phases: tuple[tuple[str, ...], ...] = field(converter=_phases)

    def __init__(self, *phases: str | tuple[str, ...]) -> None:
        self.__attrs_init__(phases)

    @property
    def environments(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(name for phase in self.phases for name in phase)

    def before(self, environment: str) -> tuple[str, ...]:
        """The environments that a release must have passed before it may enter *environment*.

        Raises:
            ModelError: The lifecycle has no such environment.
        """
        for number, phase in enumerate(self.phases):
            if environment in phase:
                return tuple(name for earlier in self.phases[:number] for name in earlier)
        raise ModelError(
            f"environment {environment!r} is not in the lifecycle; {did_you_mean(environment, self.environments)}"
        )


def _rules(value: Any) -> Pairs[Rule]:
    rules: Pairs[Rule] = Pairs(value)
    if wrong := next((name for name, rule in rules.items() if not isinstance(rule, Rule)), None):
        raise ModelError(
            f"the rule for {wrong!r} is {rules[wrong]!r}; write octossh.versions.Rule('[15,16)', variant='alpine')"
        )
    return rules


@frozen(field_transformer=telling)
class Channel(Described, Rule):
    """Which versions of its images a release may pick.

    It is a `octossh.versions.Rule` with a name, so its fields stand here too: *variant*, *prefix*,
    *prerelease*, *tag*, *scheme*, *mode*, *downgrade*, *max_major_jump* and *min_age_days*. The current tag is
    that of the last release of the channel whose version it would still admit; without *downgrade*, no release
    gets an older version than that one.

    Attributes:
        name: Unique in its project.
        range: Such as ``[1.0,2.0)``. None: any.
        images: Repositories that the rules are for; none: all. The others take their newest stable version.
        rules: A `Rule` of their own for single repositories, in place of those of the channel.
    """

    name: str = field(validator=named("channel"))
    range: str | None = None
    images: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    rules: Pairs[Rule] = field(factory=Pairs, kw_only=True, converter=_rules)

    def __attrs_post_init__(self) -> None:
        try:
            Rule.__attrs_post_init__(self)
        except ModelError as error:
            raise ModelError(f"channel {self.name!r}: {error}") from None

    def rule(self, repository: str) -> Rule:
        """What holds for the tags of *repository*."""
        if repository in self.rules:
            return self.rules[repository]
        return Rule() if self.images and repository not in self.images else self

    def __str__(self) -> str:
        return self.name
