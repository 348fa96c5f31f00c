"""What whoever deploys says beside the release and the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, Pairs, of, sorted_names, telling
from octossh.model.rollout import Rollout
from octossh.model.secrets import SecretRef
from octossh.model.variables import Value, check_value
from octossh.shell import Secret

__all__ = ["OptionFields", "Options"]


class OptionFields(TypedDict, total=False):
    """The fields of `Options` as arguments of verbs. The value of a secret may stand there, and goes no further."""

    skip: Iterable[str]
    only: Iterable[str]
    exclude: Iterable[str]
    variables: Mapping[str, Value | Secret]
    override_freeze: str
    why: str
    rollout: Rollout | None


def _variables(value: Any) -> Pairs[Value]:
    pairs: Pairs[Value] = Pairs(value)
    for name, said in pairs.items():
        check_value(name, said)
    return pairs


@frozen(kw_only=True, field_transformer=telling)
class Options(Described):
    """What is said for one deployment. It stands in its plan and in the record.

    `Space.plan`, ``deploy``, ``promote``, ``rollback`` and ``schedule`` take each of them by its name.

    Attributes:
        skip: Names of steps that do not run.
        only: Names of targets: the others are left out. None: all of the environment.
        exclude: Names of targets that are left out.
        variables: Values by the names of variables, for this deployment only. A secret is `octossh.secret`.
        override_freeze: Why it is deployed although a freeze forbids it; empty: it is not.
        why: Why it is deployed, for whoever reads the record later.
        rollout: How it goes over its hosts. None: as the environment says, else the project.
        undoes: The id of the deployment whose hosts it puts back to what stood there before.
    """

    skip: tuple[str, ...] = field(default=(), converter=sorted_names)
    only: tuple[str, ...] = field(default=(), converter=sorted_names)
    exclude: tuple[str, ...] = field(default=(), converter=sorted_names)
    variables: Pairs[Value] = field(factory=Pairs, converter=_variables)
    override_freeze: str = field(default="", validator=of(str))
    why: str = field(default="", validator=of(str))
    rollout: Rollout | None = field(default=None, validator=of(Rollout, optional=True))
    undoes: str = field(default="", validator=of(str))

    def __attrs_post_init__(self) -> None:
        if both := sorted(set(self.only) & set(self.exclude)):
            raise ModelError(f"target {both[0]!r} shall be taken and left out at once; say one of the two")

    @property
    def fields(self) -> OptionFields:
        """What whoever deploys can say of it, as arguments of verbs."""
        said: Any = {name: getattr(self, name) for name in OptionFields.__annotations__}
        return cast("OptionFields", said)

    def __bool__(self) -> bool:
        """Whether anything is said at all."""
        return self != Options()

    def __str__(self) -> str:
        said = [f"{what} {', '.join(names)}" for what, names in (
            ("without step", self.skip), ("only on", self.only), ("not on", self.exclude),
        ) if names]  # fmt: skip
        said += [f"{name}={_shown(value)}" for name, value in self.variables.items()]
        if self.override_freeze:
            said.append(f"in spite of a freeze: {self.override_freeze}")
        if self.why:
            said.append(f"because: {self.why}")
        if self.undoes:
            said.append(f"undoes {self.undoes}")
        return "; ".join(said)


def _shown(value: Value) -> str:
    return f"(secret {value.name})" if isinstance(value, SecretRef) else str(value)
