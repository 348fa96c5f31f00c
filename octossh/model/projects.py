"""A project: what is deployed, in which steps, with which variables, through which stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Described, named, of, slug, telling
from octossh.model.images import Image
from octossh.model.lifecycles import Channel, Lifecycle
from octossh.model.numbering import check_mask
from octossh.model.rollout import Rollout
from octossh.model.steps import CONDITIONS, Step, is_stop_resource, texts
from octossh.model.variables import RESERVED, Variable
from octossh.templating import references

if TYPE_CHECKING:
    from octossh.model.steps import StopResource

__all__ = ["Process", "Project"]


def _all(kind: type, items: object, what: str) -> tuple[Any, ...]:
    if not isinstance(items, Iterable) or isinstance(items, str):
        raise ModelError(f"{what} takes a list, not {items!r}")
    made = tuple(items)
    for item in made:
        if not isinstance(item, kind):
            raise ModelError(f"{what} takes {kind.__name__}s, and {item!r} is none")
    return made


def _unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelError(f"there are two {what} {name!r}; give one of them another name")
        seen.add(name)


def _steps(steps: Any) -> tuple[Step, ...]:
    made: tuple[Step, ...] = _all(Step, steps, "a process")
    if not made:
        raise ModelError("a process needs a step, such as octossh.RunContainer(...)")
    _unique((step.name for step in made), "steps")
    slugs: dict[str, str] = {}
    for step in made:
        other = slugs.setdefault(slug(step.name), step.name)
        if other != step.name:
            raise ModelError(f"steps {other!r} and {step.name!r} give the same docker name; rename one of them")
    return made


@frozen
class Process(Described):
    """Steps, in the order in which they run."""

    steps: tuple[Step, ...] = field(converter=_steps)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images that it runs, each once, in order."""
        return tuple(dict.fromkeys(image for step in self.steps for image in step.needed_images))

    def check(self, variables: Iterable[Variable], where: str) -> None:
        """Check that expressions read variables and earlier steps only, and that steps name each other rightly.

        Raises:
            ModelError: One does not.
        """
        known = {variable.name for variable in variables} | RESERVED
        earlier: list[str] = []
        beside: list[str] = []
        for step in self.steps:
            if step.start == "after_previous":
                earlier += beside
                beside = []
            for name, text in texts(step):
                _check_reads(text, f"{where}: step {step.name!r}, field {name}", known, earlier, beside)
            if step.when not in CONDITIONS:
                here = f"{where}: step {step.name!r}, field when"
                _check_reads(step.when, here, known | {"failed"}, earlier, beside)
            if is_stop_resource(step):
                self._check_stop(step, where)
            beside.append(step.name)

    def _check_stop(self, stop: StopResource, where: str) -> None:
        # It may name a step of the past, to clear away what that one left; but not one of today in another spelling.
        names = {slug(step.name): step.name for step in self.steps}
        for name in stop.steps:
            if names.get(slug(name), name) != name:
                raise ModelError(f"{where}: step {stop.name!r}: no step {name!r}; {did_you_mean(name, names.values())}")


def _check_reads(text: str, here: str, known: set[str], earlier: list[str], beside: list[str]) -> None:
    read = references(text, where=here)
    for missing in sorted(read.names - known):
        raise ModelError(f"{here}: there is no variable {missing!r}; {did_you_mean(missing, known)}")
    for missing in sorted(read.steps - set(earlier)):
        if missing in beside:
            raise ModelError(
                f"{here}: it reads step {missing!r}, beside which it runs; leave out start='with_previous'"
            )
        raise ModelError(f"{here}: no step before it is named {missing!r}; {did_you_mean(missing, earlier)}")


def _variables(value: Any) -> tuple[Variable, ...]:
    return _all(Variable, value, "variables")


def _channels(value: Any) -> tuple[Channel, ...]:
    return _all(Channel, value, "channels") or (Channel("default"),)


def _process(value: Any) -> Process:
    return value if isinstance(value, Process) else Process(value)


@frozen(field_transformer=telling)
class Project(Described):
    """What is deployed together.

    Attributes:
        name: Unique in its space; stands in the names and labels of what is created.
        process: The steps.
        variables: Values with scopes, for the expressions in steps.
        channels: Which versions releases may pick. The first is the default; none: the newest stable ones.
        lifecycle: The order of environments. None: any environment at any time.
        release_number: How releases are numbered: a mask in which an ``i`` that stands alone counts up, and ``YYYY``,
            ``YY``, ``MM``, ``DD`` and ``WW`` (the week) are today's date in UTC; ``{{ version }}`` is the version of
            the only image, ``{{ images["acme/web"].version }}`` that of one of several, which has ``.tag``,
            ``.major``, ``.minor`` and ``.patch`` as well, and ``{{ channel }}`` the name of the channel.
        rollout: How deployments go over their hosts; an environment, or who deploys, may say otherwise.
    """

    name: str = field(validator=named("project"))
    process: Process = field(kw_only=True, converter=_process)
    variables: tuple[Variable, ...] = field(default=(), kw_only=True, converter=_variables)
    channels: tuple[Channel, ...] = field(default=(), kw_only=True, converter=_channels)
    lifecycle: Lifecycle | None = field(default=None, kw_only=True, validator=of(Lifecycle, optional=True))
    release_number: str = field(default="0.0.i", kw_only=True)
    rollout: Rollout = field(factory=Rollout, kw_only=True, validator=of(Rollout))

    def __attrs_post_init__(self) -> None:
        where = f"project {self.name!r}"
        _unique((channel.name for channel in self.channels), "channels")
        scopes: dict[str, Iterable[str]] = {
            "step": [step.name for step in self.process.steps],
            "channel": [channel.name for channel in self.channels],
        }
        if self.lifecycle:
            scopes["environment"] = self.environments
        for variable in self.variables:
            for key, known in scopes.items():
                value = variable.scope.get(key)
                if value is not None and value not in known:
                    raise ModelError(
                        f"{where}: variable {variable.name!r} is for {key} {value!r}, which is not there; "
                        f"{did_you_mean(value, known)}"
                    )
        self.process.check(self.variables, where)
        repositories = [image.repository for image in self.process.images]
        check_mask(self.release_number, tuple(repositories), where)
        for channel in self.channels:
            for missing in sorted({*channel.images, *channel.rules} - set(repositories)):
                meant = did_you_mean(missing, repositories)
                raise ModelError(f"{where}: channel {channel.name!r}: no step runs {missing!r}; {meant}")

    @property
    def environments(self) -> tuple[str, ...]:
        """Those of its lifecycle and of the lifecycles of its channels, each once."""
        lifecycles = [self.lifecycle, *(channel.lifecycle for channel in self.channels)]
        return tuple(dict.fromkeys(name for found in lifecycles if found for name in found.environments))

    def lifecycle_of(self, channel: str | None = None) -> Lifecycle | None:
        """The order of environments for releases of *channel*: its own, or the project's."""
        own = (found.lifecycle for found in self.channels if found.name == channel)
        return next(own, None) or self.lifecycle

    def channel(self, name: str | None = None) -> Channel:
        """The channel *name*, or the first one.

        Raises:
            ModelError: There is none of that name.
        """
        if name is None:
            return self.channels[0]
        for channel in self.channels:
            if channel.name == name:
                return channel
        known = [channel.name for channel in self.channels]
        raise ModelError(f"project {self.name!r} has no channel {name!r}; {did_you_mean(name, known)}")
