"""Variables with scopes, and which definition holds where."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, of
from octossh.model.secrets import SecretRef

__all__ = ["RESERVED", "SCOPES", "Value", "Variable", "check_value", "value_of"]

Value = str | int | float | bool | SecretRef

SCOPES = ("step", "target", "role", "environment", "channel")
"""The keys of a scope, the strongest first."""

RESERVED = frozenset({"channel", "environment", "mode", "project", "release", "steps", "target"})
"""Names that expressions know already."""


_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _check_name(_instance: Any, _attribute: Any, name: Any) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        raise ModelError(f"variable {name!r}: a name is letters, digits and _, and does not start with a digit")
    if name in RESERVED:
        raise ModelError(f"variable {name!r}: expressions know this name already; choose another")


def _check_scope(instance: Variable, attribute: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ModelError(
            f"variable {instance.name!r}: {value!r} is not the name of a {attribute.name}; "
            "give one name, and define the variable once more for another"
        )


def check_value(name: str, value: object) -> None:
    """Check that a variable can have *value*.

    Raises:
        ModelError: It cannot.
    """
    if not isinstance(value, str | int | float | bool | SecretRef):
        raise ModelError(f"variable {name!r}: {value!r} is not text, a number, a boolean or octossh.secret(...)")
    if isinstance(value, float) and not math.isfinite(value):
        raise ModelError(f"variable {name!r}: {value!r} is no number that JSON can hold; write it as text")


def _check_value(instance: Variable, _attribute: Any, value: Any) -> None:
    if value is not None:
        check_value(instance.name, value)


@frozen
class Variable(Described):
    """A name, a value, and where the value holds. Without a scope it holds everywhere.

    One with a *prompt* is asked for at each deployment, where there is somebody to ask; see `Options.variables`. What
    was answered holds for that deployment only.

    Attributes:
        name: As expressions write it.
        value: Text, a number, a boolean, or `octossh.secret`. With a *prompt*: what is proposed. None there: nothing.
        environment: Holds in this environment only; and so on with *role* (of the target), *target*, *step*, *channel*.
        prompt: The question.
        required: With *prompt*: somebody has to answer; if not, *value* holds where nobody does, or empty text.
        sensitive: With *prompt*: the answer is a secret. Where nobody gives one, it is the secret of the variable's
            own name, or *value*.
    """

    name: str = field(validator=_check_name)
    value: Value | None = field(default=None, validator=_check_value)
    environment: str | None = field(default=None, kw_only=True, validator=_check_scope)
    role: str | None = field(default=None, kw_only=True, validator=_check_scope)
    target: str | None = field(default=None, kw_only=True, validator=_check_scope)
    step: str | None = field(default=None, kw_only=True, validator=_check_scope)
    channel: str | None = field(default=None, kw_only=True, validator=_check_scope)
    prompt: str | None = field(default=None, kw_only=True, validator=of(str, optional=True))
    required: bool = field(default=False, kw_only=True, validator=of(bool))
    sensitive: bool = field(default=False, kw_only=True, validator=of(bool))

    def __attrs_post_init__(self) -> None:
        if self.prompt is not None and not self.prompt.strip():
            raise ModelError(f"variable {self.name!r}: its prompt is empty; write a question, or leave it out")
        if self.prompt is None and (self.value is None or self.required or self.sensitive):
            what = "has no value" if self.value is None else "is required or sensitive, and asked for by nobody"
            raise ModelError(f"variable {self.name!r} {what}; give it a value, or a prompt")
        if self.sensitive and not isinstance(self.value, SecretRef | None):
            raise ModelError(
                f"variable {self.name!r} is sensitive; write octossh.secret('NAME') for its value, or none"
            )

    @property
    def secret(self) -> bool:
        """Whether its value is a secret."""
        return self.sensitive or isinstance(self.value, SecretRef)

    def read(self, text: str) -> Value:
        """What somebody typed as a value of the kind that *value* is of.

        Raises:
            ModelError: It is none.
        """
        kind = type(self.value)
        try:
            if kind is bool:
                return _BOOLEANS[text.strip().lower()]
            return int(text) if kind is int else float(text) if kind is float else text
        except (KeyError, ValueError):
            what = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
            raise ModelError(f"variable {self.name!r}: {text!r} is not {what}; give one like {self.value}") from None

    @property
    def scope(self) -> dict[str, str]:
        """The keys that it is bound to, the strongest first."""
        return {key: value for key in SCOPES if (value := getattr(self, key)) is not None}

    def rank(self) -> tuple[bool, ...]:
        """How strong the scope is: the greater tuple wins."""
        return tuple(getattr(self, key) is not None for key in SCOPES)


def value_of(
    name: str,
    variables: Iterable[Variable],
    *,
    environment: str,
    channel: str,
    target: str,
    roles: Iterable[str],
    step: str,
) -> Value | None:
    """The value of *name* at one place: the definition with the strongest scope wins.

    Raises:
        ModelError: Two definitions are equally strong there.
    """
    here = {"environment": {environment}, "channel": {channel}, "target": {target}, "role": set(roles), "step": {step}}
    fitting = [
        variable
        for variable in variables
        if variable.name == name and all(value in here[key] for key, value in variable.scope.items())
    ]
    if len(fitting) < 2:
        return fitting[0].value if fitting else None
    best = max(variable.rank() for variable in fitting)
    winners = [variable for variable in fitting if variable.rank() == best]
    if len({(type(winner.value), winner.value) for winner in winners}) > 1:
        both = " and ".join(f"{winner.value!r} for {winner.scope or 'everything'}" for winner in winners[:2])
        raise ModelError(
            f"variable {name!r} is ambiguous on target {target!r} in {environment!r}: {both} are equally strong; "
            "give one of them a narrower scope"
        )
    return winners[0].value
