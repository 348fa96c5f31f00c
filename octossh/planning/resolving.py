"""What a step means on one target: its expressions evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, Self

import attrs
from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model import (
    CONDITIONS,
    Evaluated,
    Mode,
    Release,
    SecretRef,
    Step,
    Target,
    Templates,
    Variable,
    changed,
    mapped,
    slug,
    value_of,
)
from octossh.planning.hosts import hosts_of
from octossh.planning.wanting import Wanted, next_name, old_name, wanted_of
from octossh.shell import Secret
from octossh.templating import NotYetKnown, evaluate, has_expression, references, value_alone

__all__ = ["Facts", "Resolver", "SecretOutput"]


@frozen
class SecretOutput:
    """An output that is a secret: it can be a whole environment variable, and nothing else."""

    ref: SecretRef

    def __str__(self) -> NoReturn:
        raise ModelError(
            "the output is a secret, which can only be an environment variable as a whole; "
            "write env={'NAME': '{{ steps.....outputs.NAME }}'}"
        )


@frozen
class Facts:
    """What a step left on one target, for the expressions of later steps."""

    inspect: Mapping[str, Any] = field(factory=dict)
    outputs: Mapping[str, str | bytes | SecretOutput] = field(factory=dict)


class _Steps:
    """``steps`` in expressions. No mapping: a step may be named ``items``."""

    def __init__(self, resolver: Resolver, target: Target, known: Mapping[tuple[str, str], Facts]) -> None:
        self._resolver, self._target, self._known = resolver, target, known

    def __getitem__(self, name: str) -> _StepView:
        step = next((step for step in self._resolver.release.process.steps if step.name == name), None)
        if step is None:
            raise KeyError(name)
        reach = self._resolver.reach(step)
        # What ran in one place only is the same from everywhere.
        place = next(iter(reach)) if step.runs_on != "each" and reach else self._target.name
        return _StepView(step, place, reach, self._known, self._resolver.left_out)

    def __getattr__(self, name: str) -> _StepView:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class _StepView:
    """``steps.<name>`` in expressions: what it left on this target, and ``on[target]`` for another's."""

    def __init__(
        self,
        step: Step,
        target: str,
        reach: Mapping[str, Target],
        known: Mapping[tuple[str, str], Facts],
        left_out: tuple[str, ...] = (),
    ) -> None:
        self._step, self._target, self._reach, self._known, self._left_out = step, target, reach, known, left_out

    def __getattr__(self, name: str) -> Any:
        """What is there under another name is asked for by mistake; what libraries look for is just not there."""
        if name.startswith("_"):
            raise AttributeError(name)
        known = [one for one in vars(_StepView) if not one.startswith("_")]
        raise ModelError(f"steps.{self._step.name} has no {name!r}; {did_you_mean(name, known)}")

    def _facts(self) -> Facts:
        if self._target not in self._reach:
            places = ", ".join(f"steps[{self._step.name!r}].on[{name!r}]" for name in list(self._reach)[:3])
            raise ModelError(
                f"step {self._step.name!r} does not run on target {self._target!r}; "
                + (f"say on which one you mean: {places}" if places else "it runs on no target here")
            )
        facts = self._known.get((self._step.name, self._target))
        if facts is None:
            raise NotYetKnown(self._step.name)
        return facts

    @property
    def inspect(self) -> Mapping[str, Any]:
        return self._facts().inspect

    @property
    def outputs(self) -> Mapping[str, str | bytes | SecretOutput]:
        return self._facts().outputs

    @property
    def on(self) -> Mapping[str, _StepView]:
        views = {name: _StepView(self._step, name, self._reach, self._known) for name in self._reach}
        return _Places(self._step.name, views, self._left_out)


class _Places(dict[str, _StepView]):
    """``steps.<name>.on``: the places where a step runs, by the name of the target."""

    def __init__(self, step: str, views: Mapping[str, _StepView], left_out: tuple[str, ...]) -> None:
        super().__init__(views)
        self._step, self._left_out = step, left_out

    def __missing__(self, name: str) -> _StepView:
        if name in self._left_out:
            raise ModelError(
                f"step {self._step!r} does not run on target {name!r} now, which this deployment leaves out; take it in"
            )
        raise KeyError(name)


def _is_open(text: str) -> bool:
    return not isinstance(text, Evaluated) and has_expression(text)


@frozen(eq=False)
class _Kept:
    """What has been found of one step, so that a thousand targets on which it is the same cost little more than one.

    Attributes:
        step: As the release has it.
        texts: Those in it that hold expressions: text, field and metadata.
        fields: The names of the fields of the step in which they stand, in the same order.
        alike: Whether a text means the same wherever the steps that it reads run, by its place.
        fixed: The values of those that are the same on all targets, by their place in *texts*.
        later: The step that has to run before one of them is known, as long as nothing is; by its place, and by which
            of the steps that it reads run on the target.
        made: The resolved step, by the values of its texts.
        wanted: What resolved steps keep, by their identity; they stand beside it, so that none goes away.
    """

    step: Step
    texts: tuple[tuple[str, str, Mapping[str, Any]], ...]
    fields: tuple[str, ...]
    alike: dict[int, bool] = field(factory=dict)
    fixed: dict[int, str | SecretRef] = field(factory=dict)
    later: dict[tuple[int, tuple[bool, ...]], str] = field(factory=dict)
    made: dict[tuple[str | SecretRef, ...], Step] = field(factory=dict)
    wanted: dict[int, tuple[Step, Wanted]] = field(factory=dict)

    @classmethod
    def of(cls, step: Step) -> Self:
        """Find the texts of *step*."""
        found: list[tuple[str, str, Mapping[str, Any]]] = []

        def note(text: str, field: str, metadata: Mapping[str, Any]) -> str:
            if _is_open(text):
                found.append((text, field, metadata))
            return text

        fields = []
        for attribute in attrs.fields(type(step)):
            before = len(found)
            if not attribute.metadata.get("literal"):
                mapped(getattr(step, attribute.name), note, attribute.name, attribute.metadata)
            if len(found) > before:
                fields.append(attribute.name)
        return cls(step, tuple(found), tuple(fields))

    def with_texts(self, values: Iterable[str | SecretRef]) -> Step:
        """The step with these in the place of its texts."""
        left = iter(values)

        def take(text: str, _field: str, _metadata: Mapping[str, Any]) -> str | SecretRef:
            return next(left) if _is_open(text) else text

        return changed(self.step, {name: mapped(getattr(self.step, name), take) for name in self.fields})


@frozen
class Resolver:
    """Evaluates the steps of a release for the targets of one environment. Pure.

    Attributes:
        release: What is deployed.
        environment: The name of the environment.
        targets: All targets of the environment.
        secrets: Values of the secrets, by name; only their fingerprints go anywhere.
        templates: Of the user, in front of ours.
        mode: What the deployment is.
        left_out: Names of targets of the environment that this deployment does not go to.
    """

    release: Release
    environment: str
    targets: tuple[Target, ...]
    secrets: Mapping[str, Secret] = field(factory=dict, repr=False)
    templates: Templates = field(factory=Templates)
    mode: Mode = Mode.DEPLOY
    left_out: tuple[str, ...] = ()
    _hosts: dict[str, tuple[Target, ...]] = field(factory=dict, init=False, repr=False, eq=False)
    _reach: dict[str, Mapping[str, Target]] = field(factory=dict, init=False, repr=False, eq=False)
    _kept: dict[str, _Kept] = field(factory=dict, init=False, repr=False, eq=False)
    _named: dict[str, dict[str | None, list[Variable]]] = field(factory=dict, init=False, repr=False, eq=False)
    _evaluated: dict[tuple[object, ...], str] = field(factory=dict, init=False, repr=False, eq=False)

    def reach(self, step: Step) -> Mapping[str, Target]:
        """The targets that *step* runs on, by name."""
        if (known := self._reach.get(step.name)) is None:
            known = self._reach[step.name] = {target.name: target for target in self.hosts(step)}
        return known

    def hosts(self, step: Step) -> tuple[Target, ...]:
        """The targets that *step* runs on; of those that it may run on, the first, where it runs once."""
        if (known := self._hosts.get(step.name)) is None:
            known = self._hosts[step.name] = hosts_of(step, self.targets)
        return known

    def holds(self, step: Step, target: Target, known: Mapping[tuple[str, str], Facts], *, failed: bool) -> bool:
        """Whether the condition of *step* holds on *target*; *failed*: something has failed there before.

        Raises:
            ModelError: It fails, or gives neither true nor false.
            NotYetKnown: It reads what an earlier step has not brought about yet.
        """
        if step.when in CONDITIONS:
            return step.when == "always" or failed == (step.when == "failure")
        where = f"{self.release.project}: step {step.name!r} on {target.name!r}, field when"
        if failed and "failed" not in references(step.when, where=where).names:
            return False
        said = str(self._text(step.when, step, target, known, where=where, whole=False, language="", failed=failed))
        if said.strip().lower() in {"true", "false", "1", "0", ""}:
            return said.strip().lower() in {"true", "1"}
        raise ModelError(f"{where}: {step.when!r} gives {said[:80]!r}, which is neither true nor false; compare it")

    def resolve(self, step: Step, target: Target, known: Mapping[tuple[str, str], Facts]) -> Step:
        """*step* with its expressions evaluated for *target*.

        Raises:
            ModelError: An expression fails, or what it gives does not fit its field.
            NotYetKnown: An expression reads what an earlier step has not brought about yet.
        """
        kept = self._kept.get(step.name)
        if kept is None or kept.step is not step:
            kept = self._kept[step.name] = _Kept.of(step)
        if not kept.texts:
            return step
        values = tuple(self._one(kept, place, target, known) for place in range(len(kept.texts)))
        if values not in kept.made:
            kept.made[values] = kept.with_texts(values)
        return kept.made[values]

    def _one(self, kept: _Kept, place: int, target: Target, known: Mapping[tuple[str, str], Facts]) -> str | SecretRef:
        """What one text of a step is on *target*; found once where it is the same on all of them."""
        if place in kept.fixed:
            return kept.fixed[place]
        text, field, metadata = kept.texts[place]
        step = kept.step
        where = f"{self.release.project}: step {step.name!r} on {target.name!r}, field {field}"
        if place not in kept.alike:
            kept.alike[place] = self._is_alike(text, where)
        alike = self._read_here(text, where, target) if kept.alike[place] else None
        if alike is not None and not known and (later := kept.later.get((place, alike))):
            raise NotYetKnown(later)
        whole, language = metadata.get("may_be_secret", False), step.language if metadata.get("shell") else ""
        try:
            made = self._text(text, step, target, known, where=where, whole=whole, language=language)
        except NotYetKnown as unknown:
            if alike is not None and not known:
                kept.later[place, alike] = unknown.step
            raise
        made = Evaluated(made) if language else made
        if alike == ():
            kept.fixed[place] = made
        return made

    def _is_alike(self, text: str, where: str) -> bool:
        """Whether *text* is the same on all targets on which the steps that it reads run."""
        read = references(text, where=where).names
        return "target" not in read and not any(
            (v.target is not None or v.role is not None) and v.name in read for v in self.release.variables
        )

    def _read_here(self, text: str, where: str, target: Target) -> tuple[bool, ...]:
        """Which of the steps that *text* reads run on *target*; nothing where it reads none."""
        read = references(text, where=where)
        if "steps" not in read.names:
            return ()
        by_name = {step.name: step for step in self.release.process.steps if step.name in read.steps}
        return (*(name in by_name and target.name in self.reach(by_name[name]) for name in sorted(read.steps)), True)

    def _definitions(self, name: str, target: Target) -> Sequence[Variable]:
        """Those of the variable *name* that may count on *target*; a thousand of others are not looked at each time."""
        if name not in self._named:
            bound: dict[str | None, list[Variable]] = {None: []}
            for variable in self.release.variables:
                if variable.name == name:
                    bound.setdefault(variable.target, []).append(variable)
            self._named[name] = bound
        return [*self._named[name][None], *self._named[name].get(target.name, ())]

    def _text(
        self,
        text: str,
        step: Step,
        target: Target,
        known: Mapping[tuple[str, str], Facts],
        *,
        where: str,
        whole: bool,
        language: str,
        failed: bool | None = None,
    ) -> str | SecretRef:
        values = self._always(target, known, failed)
        read = references(text, where=where).names
        for name in read - values.keys():
            value = value_of(
                name,
                self._definitions(name, target),
                environment=self.environment,
                channel=self.release.channel,
                target=target.name,
                roles=target.roles,
                step=step.name,
            )
            if isinstance(value, SecretRef):
                # A secret may be a whole environment variable, and nothing else: it must not end up in text.
                if whole and text.strip("{} \t") == name:
                    return value
                raise ModelError(
                    f"{where}: variable {name!r} is a secret, which can only be an environment variable as a whole; "
                    f"write env={{'NAME': '{{{{ {name} }}}}'}}"
                )
            if value is not None:
                values[name] = value
            elif any(variable.name == name for variable in self.release.variables):
                raise ModelError(
                    f"{where}: variable {name!r} has no value in {self.environment!r} on this target; "
                    "add one without a scope, or with this environment"
                )
        if whole and "steps" in read and isinstance(alone := value_alone(text, values), SecretOutput):
            return alone.ref
        if not read.isdisjoint(("target", "steps")):
            return evaluate(text, values, where=where, language=language)
        # A thousand hosts have few different values; 1 and true are equal, as 0.0 and -0.0 are, and no text shows them
        # so. What the filter `random` draws is the same for the same values, as it is where a text has none.
        key = (text, language, *((type(v := values[name]), repr(v)) for name in sorted(read & values.keys())))
        if key not in self._evaluated:
            self._evaluated[key] = evaluate(text, values, where=where, language=language)
        return self._evaluated[key]

    def _always(self, target: Target, known: Mapping[tuple[str, str], Facts], failed: bool | None) -> dict[str, Any]:
        """What expressions know without a variable."""
        values: dict[str, Any] = {
            "project": self.release.project,
            "environment": self.environment,
            "release": self.release.number,
            "channel": self.release.channel,
            "mode": self.mode.value,
            "target": target,
            "steps": _Steps(self, target, known),
        }
        return values if failed is None else {**values, "failed": failed}

    def wanted(self, step: Step) -> Wanted | None:
        """What a resolved *step* makes on a target; None where it makes nothing.

        Raises:
            ModelError: A secret has no value.
        """
        if not step.makes:
            return None
        kept = self._kept.get(step.name)
        known = kept.wanted.get(id(step)) if kept is not None else None
        if known is not None and known[0] is step:
            return known[1]
        made = wanted_of(
            step,
            step.given_name or self.name(step),
            self.release,
            self.secrets,
            self.templates.marks.get(step.kind, ""),
        )
        if kept is not None:
            kept.wanted[id(step)] = step, made
        return made

    def docker_name(self, step: Step, target: Target) -> str | None:
        """Docker's name for what *step* keeps on *target*; None where it is not known yet."""
        given = step.given_name
        if given is None:
            return self.name(step)
        try:
            return str(self._text(given, step, target, {}, where=f"step {step.name!r}", whole=False, language=""))
        except NotYetKnown:
            return None

    def kept(self, target: Target) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """What the release keeps on *target*: kind and docker's name; and the steps whose names are not known here.

        What a container is called while it is replaced is among it.
        """
        names: list[tuple[str, str]] = []
        unknown = []
        for step in self.release.process.steps:
            if not step.keeps or target not in self.hosts(step):
                continue
            name = self.docker_name(step, target)
            if name is None or step.keeps in {"compose", "stack"}:  # docker names what is in it
                unknown.append(step.name)
                continue
            names.append((step.keeps, name))
            if step.keeps == "container":
                names += [(step.keeps, old_name(name)), (step.keeps, next_name(name))]
        return tuple(names), tuple(unknown)

    def name(self, step: Step) -> str:
        """What docker calls what *step* keeps, unless the step says otherwise."""
        if step.keeps == "image":
            return self.release.pin(step.needed_images[0]).reference
        return step.docker_name(*(slug(part) for part in (self.release.project, self.environment, step.name)))
