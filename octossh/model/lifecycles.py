"""The order of environments, and which versions may enter it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from attrs import Factory, field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Described, Pairs, check_name, named, of, sorted_names, telling
from octossh.versions import Rule

__all__ = ["Channel", "Keep", "Lifecycle", "Phase"]


@frozen(kw_only=True)
class Keep(Described):
    """How many releases are kept: the newest so many, and those of the last so many days.

    What either of them keeps stays. A plain number stands for so many releases: ``keep=5``.
    """

    releases: int | None = None
    days: float | None = None

    def __attrs_post_init__(self) -> None:
        for what, number in (("releases", self.releases), ("days", self.days)):
            whole = isinstance(number, int) and not isinstance(number, bool)
            if number is not None and not ((whole or (what == "days" and isinstance(number, float))) and number >= 1):
                raise ModelError(f"{number!r} {what} cannot be kept; write a number from 1 on, or leave it out for all")
        if self.releases is None and self.days is None:
            raise ModelError("it keeps neither releases nor days; write keep=5, or leave it out to keep all")

    def __str__(self) -> str:
        parts = [f"{self.releases} releases"] if self.releases is not None else []
        parts += [f"{self.days:g} days"] if self.days is not None else []
        return " and ".join(parts)


def _keep(value: Any) -> Keep | None:
    if value is None or isinstance(value, Keep):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Keep(releases=value)
    raise ModelError(f"keep is {value!r}; write a number of releases such as keep=5, or octossh.Keep(days=30)")


def _environments(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else None
    if names is None:
        raise ModelError(f"the environments of a phase are {value!r}; write a list of names")
    return tuple(check_name(name, "environment") for name in names)


@frozen(init=False)
class Phase(Described):
    """A stage of a lifecycle: one environment, or several that stand side by side.

    Attributes:
        name: What it is called in messages; the name of its environment where it has only one. May be empty.
        environments: Default: the one that is named as the phase.
        minimum: In so many of them a release has to succeed before it may go on. None: in all of them.
        optional: Whether a release may go on without it.
        automatic: The environments to which a release is deployed by itself as soon as it has passed the phase
            directly before; ``True``: all of them.
        keep: How many releases stay in the store for the sake of its environments; None: as the lifecycle says.
    """

    name: str = ""
    environments: tuple[str, ...] = field(
        default=Factory(lambda self: (self.name,) if self.name else (), takes_self=True), converter=_environments
    )
    minimum: int | None = field(default=None, kw_only=True)
    optional: bool = field(default=False, kw_only=True, validator=of(bool))
    automatic: tuple[str, ...] = field(default=(), kw_only=True)
    keep: Keep | None = field(default=None, kw_only=True, converter=_keep)

    def __init__(
        self,
        name: str = "",
        environments: str | Iterable[str] | None = None,
        *,
        minimum: int | None = None,
        optional: bool = False,
        automatic: bool | str | Iterable[str] = False,
        keep: int | Keep | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise ModelError(f"the name of a phase is {name!r}; write Phase('Tests', {name!r})")
        if name:
            check_name(name, "phase")
        given = (name,) if name and environments is None else () if environments is None else environments
        names = _environments(given if isinstance(given, str) else tuple(given))
        self.__attrs_init__(
            name,
            names,
            minimum=minimum,
            optional=optional,
            automatic=names if automatic is True else () if automatic is False else _environments(automatic),
            keep=keep,
        )

    def __attrs_post_init__(self) -> None:
        where = f"phase {self.title!r}"
        if not self.environments:
            raise ModelError("a phase of the lifecycle has no environment; name one, or leave the phase out")
        if self.minimum == 0:
            raise ModelError(
                f"{where}: a minimum of 0 says nothing; leave it out where all environments count, or write "
                "optional=True where a release may go on without this phase"
            )
        if self.minimum is not None and (
            not isinstance(self.minimum, int)
            or isinstance(self.minimum, bool)
            or not 1 <= self.minimum <= len(self.environments)
        ):
            raise ModelError(
                f"{where}: a minimum of {self.minimum!r} cannot be reached with {len(self.environments)} "
                "environments; write a number from 1 to that, or leave it out for all"
            )
        if stray := next((name for name in self.automatic if name not in self.environments), None):
            raise ModelError(f"{where}: automatic names {stray!r}; {did_you_mean(stray, self.environments)}")

    @property
    def title(self) -> str:
        """Its name, or those of its environments."""
        return self.name or ", ".join(self.environments)

    @property
    def needed(self) -> int:
        """In how many of its environments a release has to succeed."""
        return self.minimum or len(self.environments)

    def passed(self, succeeded: Container[str]) -> bool:
        """Whether a release that has succeeded in the environments *succeeded* has done enough here."""
        return sum(name in succeeded for name in self.environments) >= self.needed


def _phase(value: Any) -> Phase:
    if isinstance(value, Phase):
        return value
    if not isinstance(value, str | list | tuple):
        raise ModelError(
            f"the phase {value!r} of a lifecycle is neither the name of an environment, nor a tuple of names, nor an "
            "octossh.Phase"
        )
    return Phase(value) if isinstance(value, str) and value else Phase(environments=value)


def _phases(value: Any) -> tuple[Phase, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ModelError("a lifecycle needs an environment, such as Lifecycle('Dev', 'Production')")
    phases = tuple(_phase(phase) for phase in value)
    names = [name for phase in phases for name in phase.environments]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise ModelError(f"environment {double!r} stands twice in the lifecycle; name it once")
    titles = [phase.name for phase in phases if phase.name]
    if double := next((name for name in titles if titles.count(name) > 1), None):
        raise ModelError(f"there are two phases {double!r} in the lifecycle; give one of them another name")
    if phases[0].automatic:
        raise ModelError(
            f"phase {phases[0].title!r} is the first one, so there is no success before it that could start it; "
            "deploy to it after 'release create'"
        )
    return phases


@frozen(init=False)
class Lifecycle(Described):
    """Environments in the order in which a release passes them.

    Each argument is a phase: the name of one environment, a tuple of several that stand side by side, or a `Phase`,
    which can say more. A release may enter a phase when it has been deployed with success to all environments of
    the phases before, or to as many as they say.

    Attributes:
        phases: In order.
        keep: How many releases stay in the store for the sake of each environment. None: all of them.
    """

    phases: tuple[Phase, ...] = field(converter=_phases)
    keep: Keep | None = field(default=None, kw_only=True, converter=_keep)

    def __init__(self, *phases: str | tuple[str, ...] | Phase, keep: int | Keep | None = None) -> None:
        self.__attrs_init__(phases, keep=keep)

    @property
    def environments(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(name for phase in self.phases for name in phase.environments)

    def phase_of(self, environment: str) -> Phase:
        """The phase that *environment* stands in.

        Raises:
            ModelError: The lifecycle has no such environment.
        """
        return self.phases[self._place(environment)]

    def phases_before(self, environment: str) -> tuple[Phase, ...]:
        """The phases before the one that *environment* stands in.

        Raises:
            ModelError: The lifecycle has no such environment.
        """
        return self.phases[: self._place(environment)]

    def before(self, environment: str) -> tuple[str, ...]:
        """The environments of the phases before the one that *environment* stands in.

        Raises:
            ModelError: The lifecycle has no such environment.
        """
        return tuple(name for phase in self.phases_before(environment) for name in phase.environments)

    def _place(self, environment: str) -> int:
        for number, phase in enumerate(self.phases):
            if environment in phase.environments:
                return number
        raise ModelError(
            f"environment {environment!r} is not in the lifecycle; {did_you_mean(environment, self.environments)}"
        )

    def __str__(self) -> str:
        return " > ".join(phase.title for phase in self.phases)


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
        lifecycle: The order of environments for releases of this channel; None: as the project says.
    """

    name: str = field(validator=named("channel"))
    range: str | None = None
    images: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    rules: Pairs[Rule] = field(factory=Pairs, kw_only=True, converter=_rules)
    lifecycle: Lifecycle | None = field(default=None, kw_only=True, validator=of(Lifecycle, optional=True))

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
