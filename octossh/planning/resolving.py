"""What a step means on one target: its expressions evaluated, and what is wanted there as a hashable whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from octossh.errors import ModelError, PlanError
from octossh.model import (
    CreateNetwork,
    Evaluated,
    Pairs,
    Release,
    RunContainer,
    SecretRef,
    Step,
    Target,
    slug,
    value_of,
)
from octossh.shell import Secret
from octossh.templating import NotYetKnown, evaluate, has_expression, references

__all__ = ["Facts", "Resolver", "Wanted", "next_name", "old_name"]


@frozen
class Facts:
    """What a step left on one target, for the expressions of later steps."""

    inspect: Mapping[str, Any] = field(factory=dict)
    outputs: Mapping[str, str] = field(factory=dict)


def old_name(name: str) -> str:
    """What a container is called while its successor has to prove itself; it stays where a run was cut short."""
    return f"{name}--old"


def next_name(name: str) -> str:
    """What a container is called before it takes the place of another."""
    return f"{name}--next"


@frozen
class Wanted:
    """A container or network as it shall be.

    Attributes:
        kind: ``container`` or ``network``.
        name: Docker's name for it.
        fields: All that matters, without what is left at its default; secrets by name and fingerprint.
    """

    kind: str
    name: str
    fields: Mapping[str, Any] = field(eq=False)

    @property
    def marks(self) -> Mapping[str, Any]:
        """The fields as they may stand in a label: of an environment variable a hash, not its value."""
        env = {name: _mark(value) for name, value in self.fields.get("env", {}).items()}
        return {**self.fields, "env": env} if env else self.fields

    @property
    def text(self) -> str:
        """The marks as canonical JSON."""
        return _canonical(self.marks)

    @property
    def spec(self) -> str:
        """``sha256:`` and 64 hex digits of the fields: equal where nothing that matters differs.

        The tag does not matter: the digest says what runs.
        """
        matters = {name: value for name, value in self.fields.items() if name != "tag"}
        return "sha256:" + hashlib.sha256(_canonical(matters).encode()).hexdigest()


def _mark(value: Any) -> Any:
    return hashlib.sha256(value.encode()).hexdigest()[:16] if isinstance(value, str) else value


def _canonical(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class _Steps:
    """``steps`` in expressions. No mapping: a step may be named ``items``."""

    def __init__(self, resolver: Resolver, target: Target, known: Mapping[tuple[str, str], Facts]) -> None:
        self._resolver, self._target, self._known = resolver, target, known

    def __getitem__(self, name: str) -> _StepView:
        step = next((step for step in self._resolver.release.process.steps if step.name == name), None)
        if step is None:
            raise KeyError(name)
        return _StepView(step, self._target.name, self._resolver.reach(step), self._known)

    def __getattr__(self, name: str) -> _StepView:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class _StepView:
    """``steps.<name>`` in expressions: what it left on this target, and ``on[target]`` for another's."""

    def __init__(self, step: Step, target: str, reach: tuple[str, ...], known: Mapping[tuple[str, str], Facts]) -> None:
        self._step, self._target, self._reach, self._known = step, target, reach, known

    def _facts(self) -> Facts:
        if self._target not in self._reach:
            places = ", ".join(f"steps[{self._step.name!r}].on[{name!r}]" for name in self._reach[:3])
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
    def outputs(self) -> Mapping[str, str]:
        return self._facts().outputs

    @property
    def on(self) -> Mapping[str, _StepView]:
        return {name: _StepView(self._step, name, self._reach, self._known) for name in self._reach}


@frozen
class Resolver:
    """Evaluates the steps of a release for the targets of one environment. Pure.

    Attributes:
        release: What is deployed.
        environment: The name of the environment.
        targets: All targets of the environment.
        secrets: Values of the secrets, by name; only their fingerprints go anywhere.
    """

    release: Release
    environment: str
    targets: tuple[Target, ...]
    secrets: Mapping[str, Secret] = field(factory=dict, repr=False)

    def reach(self, step: Step) -> tuple[str, ...]:
        """The names of the targets that *step* runs on."""
        return tuple(target.name for target in self.hosts(step))

    def hosts(self, step: Step) -> tuple[Target, ...]:
        """The targets that *step* runs on."""
        return tuple(t for t in self.targets if not step.roles or set(step.roles) & set(t.roles))

    def resolve(self, step: Step, target: Target, known: Mapping[tuple[str, str], Facts]) -> Step:
        """*step* with its expressions evaluated for *target*.

        Raises:
            ModelError: An expression fails, or what it gives does not fit its field.
            NotYetKnown: An expression reads what an earlier step has not brought about yet.
        """
        changes: dict[str, Any] = {}
        for attribute in attrs.fields(type(step)):
            if attribute.name in {"name", "roles", "steps"}:
                continue
            value = getattr(step, attribute.name)
            made = self._evaluated(step, attribute.name, value, target, known)
            if made is not value:
                changes[attribute.name] = made
        return attrs.evolve(step, **changes) if changes else step

    def _evaluated(
        self, step: Step, name: str, value: Any, target: Target, known: Mapping[tuple[str, str], Facts]
    ) -> Any:
        where = f"{self.release.project}: step {step.name!r} on {target.name!r}, field {name}"

        def one(text: Any, where: str) -> Any:
            if not isinstance(text, str) or not has_expression(text):
                return text
            return self._text(text, step, target, known, where=where, whole=name == "env", quoting=name == "script")

        if isinstance(value, str):
            made = one(value, where)
            return Evaluated(made) if name == "script" and made is not value else made
        if isinstance(value, tuple) and any(isinstance(item, str) and has_expression(item) for item in value):
            return tuple(one(item, where) for item in value)
        if isinstance(value, Pairs) and any(isinstance(item, str) and has_expression(item) for item in value.values()):
            return Pairs({key: one(item, f"{where} {key}") for key, item in value.items()})
        return value

    def _text(
        self,
        text: str,
        step: Step,
        target: Target,
        known: Mapping[tuple[str, str], Facts],
        *,
        where: str,
        whole: bool,
        quoting: bool,
    ) -> str | SecretRef:
        values: dict[str, Any] = {
            "project": self.release.project,
            "environment": self.environment,
            "release": self.release.number,
            "channel": self.release.channel,
            "target": target,
            "steps": _Steps(self, target, known),
        }
        for name in references(text, where=where).names - values.keys():
            value = value_of(
                name,
                self.release.variables,
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
        return evaluate(text, values, where=where, quoting=quoting)

    def wanted(self, step: Step) -> Wanted | None:
        """What a resolved *step* keeps on a target; None where it keeps nothing.

        Raises:
            ModelError: A secret has no value.
        """
        if isinstance(step, RunContainer):
            pin = self.release.pin(step.image)
            fields: dict[str, Any] = {
                "v": 1,
                "image": pin.reference,
                "tag": pin.tag,
                "command": list(step.command),
                "env": {name: self._env(value) for name, value in step.env.items()},
                "publish": list(step.publish),
                "networks": list(step.networks),
                "aliases": list(step.aliases),
                "volumes": list(step.volumes),
                "labels": dict(step.labels),
                "restart": step.restart if step.restart != "no" else "",
                "stop_grace_s": step.stop_grace_s if step.stop_grace_s != 10 else 0,  # docker's own default
                "extra_args": list(step.extra_args),
            }
            return Wanted("container", step.container_name or self.name(step), _without_empty(fields))
        if isinstance(step, CreateNetwork):
            fields = {
                "v": 1,
                "driver": step.driver,
                "subnet": step.subnet,
                "gateway": step.gateway,
                "internal": step.internal,
                "labels": dict(step.labels),
            }
            return Wanted("network", step.network_name or self.name(step), _without_empty(fields))
        return None

    def resource_name(self, step: Step, target: Target) -> tuple[str, str] | None:
        """Kind and name of what *step* keeps on *target*; None where it keeps nothing, or the name is not known yet."""
        if isinstance(step, RunContainer):
            kind, given = "container", step.container_name
        elif isinstance(step, CreateNetwork):
            kind, given = "network", step.network_name
        else:
            return None
        if given is None:
            return kind, self.name(step)
        try:
            return kind, str(
                self._text(given, step, target, {}, where=f"step {step.name!r}", whole=False, quoting=False)
            )
        except NotYetKnown:
            return None

    def name(self, step: Step) -> str:
        """What docker calls what *step* keeps, unless the step says otherwise."""
        return "-".join(slug(part) for part in (self.release.project, self.environment, step.name))

    def _env(self, value: str | SecretRef) -> Any:
        if isinstance(value, str):
            return value
        if value.name not in self.secrets:
            raise PlanError(f"secret {value.name!r} has no value; set the environment variable, or give secrets=...")
        return {"secret": value.name, "version": self.secrets[value.name].fingerprint(value.name)}


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    # What is at its default is left out, so that a field that octossh learns later changes no hash made before.
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, 0, False)}
