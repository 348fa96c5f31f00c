"""The order of environments, and which versions may enter it."""

from __future__ import annotations

import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Described, check_name, named, of, sorted_names, telling
from octossh.versions import Range

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


def _check_range(instance: Channel, _attribute: Any, text: Any) -> None:
    if text is None:
        return
    try:
        Range.parse(text)
    except ModelError as error:
        raise ModelError(f"channel {instance.name!r}: {error}") from None


def _check_regex(instance: Channel, _attribute: Any, text: Any) -> None:
    if text is None:
        return
    if not isinstance(text, str):
        raise ModelError(f"channel {instance.name!r}: {text!r} is not a regular expression; put it in quotes")
    try:
        re.compile(text)
    except re.error as error:
        raise ModelError(f"channel {instance.name!r}: {text!r} is not a regular expression: {error}") from None


@frozen(field_transformer=telling)
class Channel(Described):
    """Which versions of its images a release may pick.

    Attributes:
        name: Unique in its project.
        range: Such as ``[1.0,2.0)``. None: any.
        prerelease: A regular expression on the prerelease label, such as ``^rc``. None: stable versions only.
        variant: The exact variant, such as ``alpine``. Empty: the plain one.
        tag: A regular expression that a tag must match.
        images: Repositories that the rules are for; none: all. The others take their newest stable version.
    """

    name: str = field(validator=named("channel"))
    range: str | None = field(default=None, validator=_check_range)
    prerelease: str | None = field(default=None, kw_only=True, validator=_check_regex)
    variant: str = field(default="", kw_only=True, validator=of(str))
    tag: str | None = field(default=None, kw_only=True, validator=_check_regex)
    images: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)

    def __str__(self) -> str:
        return self.name
