"""What the options of one deployment make of a release and of the targets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from octossh.errors import ModelError, PlanError, Refused, did_you_mean
from octossh.model import SecretRef, Variable, is_approve, texts
from octossh.templating import references

if TYPE_CHECKING:
    from octossh.model import Options, Release, Step, Target, Value

__all__ = ["check_skips", "chosen_targets", "prompts", "skipped", "with_said"]


def prompts(release: Release, environment: str, said: Iterable[str]) -> tuple[Variable, ...]:
    """The variables that somebody is to be asked for: those with a prompt, each name once, but for those *said*."""
    asked: dict[str, Variable] = {}
    known = frozenset(said)
    for variable in _here(release, environment):
        if variable.prompt is not None and variable.name not in known:
            asked.setdefault(variable.name, variable)
    return tuple(asked.values())


def with_said(release: Release, environment: str, options: Options) -> Release:
    """*release* with the values that are said for this deployment, in place of all that its variables have there.

    Raises:
        ModelError: There is no such variable, one that is a secret is said in clear, or a required one is not said.
    """
    known = {variable.name for variable in release.variables}
    for name, value in options.variables.items():
        if name not in known:
            near = did_you_mean(name, known)
            raise ModelError(f"{release.project} {release.number} has no variable {name!r}; {near}")
        secret = any(variable.secret for variable in release.variables if variable.name == name)
        if secret and not isinstance(value, SecretRef):
            raise ModelError(f"variable {name!r} is a secret; give octossh.Secret('...') or octossh.secret('NAME')")
    unsaid = prompts(release, environment, options.variables)
    if missing := [variable for variable in unsaid if variable.required and not variable.sensitive]:
        questions = ", ".join(f"{variable.name!r} ({variable.prompt})" for variable in missing)
        raise ModelError(
            f"{release.project} {release.number} asks for {questions}, and there is nobody to ask; say "
            f"{'it' if len(missing) == 1 else 'them'} with --variable {missing[0].name}=VALUE, or "
            f"variables={{{missing[0].name!r}: ...}}"
        )
    said = [Variable(name, _read(release, name, value)) for name, value in options.variables.items()]
    rest = [variable for variable in release.variables if variable.name not in options.variables]
    return attrs.evolve(release, variables=(*map(_answered, rest), *said))


def _read(release: Release, name: str, value: Value) -> Value:
    """Text that is said for a number is that number: nobody can type anything else than text."""
    kinds = (variable for variable in release.variables if variable.name == name and variable.value is not None)
    found = next(kinds, None)
    return found.read(value) if found is not None and isinstance(value, str) else value


def _answered(variable: Variable) -> Variable:
    """A variable with what holds where nobody has answered; one of another environment stays for whom it concerns."""
    if variable.prompt is None or variable.value is not None:
        return variable
    return attrs.evolve(variable, value=SecretRef(variable.name) if variable.sensitive else "")


def _here(release: Release, environment: str) -> Iterable[Variable]:
    for variable in release.variables:
        if variable.environment in {None, environment} and variable.channel in {None, release.channel}:
            yield variable


def chosen_targets(
    environment: str, here: Sequence[Target], options: Options
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The targets that a deployment goes to, and the names of those that it leaves out.

    Raises:
        ModelError: One that is named is not there.
        PlanError: None is left.
    """
    names = [target.name for target in here]
    for name in (*options.only, *options.exclude):
        if name not in names:
            raise ModelError(f"there is no target {name!r} in environment {environment!r}; {did_you_mean(name, names)}")
    chosen = tuple(
        target
        for target in here
        if (not options.only or target.name in options.only) and target.name not in options.exclude
    )
    if here and not chosen:
        raise PlanError(f"no target of {environment!r} is left to deploy to; exclude fewer of them")
    kept = {target.name for target in chosen}
    return chosen, tuple(name for name in names if name not in kept)


def check_skips(release: Release, options: Options) -> None:
    """Check that the steps that are to be skipped are there, and that no other one reads them.

    Raises:
        ModelError: There is no such step, or another one reads it.
        Refused: It is an approval.
    """
    steps = {step.name: step for step in release.process.steps}
    for name in options.skip:
        if name not in steps:
            raise ModelError(
                f"{release.project} {release.number} has no step {name!r} to skip; {did_you_mean(name, steps)}"
            )
        if is_approve(steps[name]):
            raise Refused(f"step {name!r} asks for an approval, which nobody can skip; have it approved")
    for step in steps.values():
        if step.name not in options.skip and (read := sorted(_reads(step) & set(options.skip))):
            raise skipped(release, step.name, read[0])
    if options.skip and not set(steps) - set(options.skip):
        raise PlanError(f"{release.project} {release.number} has no step left; skip fewer of them")


def skipped(release: Release, reader: str, read: str) -> ModelError:
    """What is wrong when the step *reader* reads the step *read*, which is skipped."""
    return ModelError(
        f"{release.project} {release.number}: step {reader!r} reads what step {read!r} leaves, which is to be "
        f"skipped; skip {reader!r} too, or neither of them"
    )


def _reads(step: Step) -> frozenset[str]:
    fields = [*texts(step), ("when", step.when)]
    return frozenset().union(
        *(references(text, where=f"step {step.name!r}, field {name}").steps for name, text in fields)
    )
