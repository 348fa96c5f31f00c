"""What all kinds of steps have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import attrs
from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, Pairs, named, of, sorted_names, telling
from octossh.model.images import Image
from octossh.model.rollout import Retry, Rolling
from octossh.model.secrets import SecretRef
from octossh.model.steps.fields import seconds
from octossh.templating import has_expression

__all__ = [
    "CONDITIONS",
    "LITERAL",
    "MAY_BE_SECRET",
    "SHELL",
    "Evaluated",
    "Part",
    "Step",
    "changed",
    "check_controller",
    "mapped",
    "texts",
]

P = TypeVar("P", bound="Step | Part")

LITERAL: Mapping[str, Any] = {"literal": True}
"""Metadata of a field whose texts are taken as they are: no expressions."""

MAY_BE_SECRET: Mapping[str, Any] = {"may_be_secret": True}
"""Metadata of a field in which an expression may give a secret, as a whole value."""

CONDITIONS = ("success", "failure", "always")
"""When a step runs, besides expressions."""

SHELL: Mapping[str, Any] = {"shell": True}
"""Metadata of a field that holds shell text: what an expression gives there becomes one quoted word."""


def _rolling(value: Any) -> Rolling | None:
    return value if value is None or isinstance(value, Rolling) else Rolling(value)


def _retry(value: Any) -> Retry | None:
    return value if value is None or isinstance(value, Retry) else Retry(value)


def _retried(instance: Step, _attribute: Any, retry: Retry | None) -> None:
    if retry is not None and not (instance.repeatable and instance.scripted):
        raise ModelError(
            f"{type(instance).__name__} {instance.name!r}: it is no step that looks first what is done already, so it "
            "is not tried again by itself; leave out retry"
        )


def _start(instance: Step, _attribute: Any, start: Any) -> None:
    if start not in ("after_previous", "with_previous"):
        raise ModelError(
            f"{type(instance).__name__} {instance.name!r}: start {start!r} is neither 'after_previous' nor "
            "'with_previous'"
        )


def _when(instance: Step, _attribute: Any, when: Any) -> None:
    if when not in CONDITIONS and not (isinstance(when, str) and has_expression(when)):
        raise ModelError(
            f"{type(instance).__name__} {instance.name!r}: when {when!r} is none of 'success', 'failure' and 'always', "
            "and no expression such as '{{ Flag }}'"
        )


class Evaluated(str):
    """A script whose expressions have been evaluated: braces in it are only braces."""

    __slots__ = ()


@frozen
class Part(Described):
    """A value inside of a step whose texts may hold expressions too."""


@frozen(field_transformer=telling)
class Step(Described):
    """What all steps have.

    Attributes:
        name: Unique in its process; names the container or network, and ``steps.<name>`` in expressions.
        roles: The step runs on the targets that have one of these; none: on each target of the environment.
        rolling: In how many waves; a number, a percentage, a list of both, or `Rolling`. None: all at once.
        primary: The target that comes first, and on which a step runs that runs once: its name, or ``label=value``.
            Empty: the first in the space.
        start: ``after_previous``, or ``with_previous``: beside the step before it. On one host, one comes after
            the other.
        when: Whether it runs. ``success``: as long as nothing has failed there. ``failure``: only after that, as
            for telling somebody. ``always``: either way. Or an expression that gives true or false, over variables
            and ``steps``; after a failure it is asked only if it reads ``failed``, which is true then.
        required: Nobody can skip it, and where it fails no `Rollout` makes up for it.
        retry: Try it again where it failed; a number of times, or a `Retry`.
        timeout_s: Seconds for which a host is waited for. A `RunScript` that is not done there by then is ended, and
            has failed; of other steps it is not known then how they end.
    """

    kind: ClassVar[str] = "step"
    """The name of the kind: of its template, of its golden cases, and in plain data."""

    keeps: ClassVar[str] = ""
    """The kind of docker object that it keeps, such as ``container``; empty for a step that does and is done."""

    repeatable: ClassVar[bool] = True
    """Whether its script may be sent once more after a lost link: it looks first, and finds what is done."""

    name: str = field(validator=named("step"), metadata=LITERAL)
    roles: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)
    rolling: Rolling | None = field(default=None, kw_only=True, converter=_rolling)
    primary: str = field(default="", kw_only=True, validator=of(str), metadata=LITERAL)
    start: str = field(default="after_previous", kw_only=True, validator=_start, metadata=LITERAL)
    when: str = field(default="success", kw_only=True, validator=_when, metadata=LITERAL)
    required: bool = field(default=False, kw_only=True, validator=of(bool))
    retry: Retry | None = field(default=None, kw_only=True, converter=_retry, validator=_retried)
    timeout_s: float = field(default=900.0, kw_only=True, validator=seconds)

    verb: ClassVar[str] = "run"
    """What a plan calls it, where it keeps nothing: ``run``, ``wait`` or ``ask``."""

    scripted: ClassVar[bool] = True
    """Whether it is a script; if not, nothing is sent anywhere."""

    leaves: ClassVar[bool] = False
    """Whether its script leaves a container for as long as its answer has not been seen."""

    @property
    def runs_on(self) -> str:
        """``each`` of its targets, ``one`` of them, or the ``controller``."""
        return "each"

    @property
    def makes(self) -> str:
        """The kind of docker object that it makes, kept or not; empty for none."""
        return self.keeps

    @property
    def purpose(self) -> str:
        """What a plan says of it, where it keeps nothing."""
        return "reads only" if self.reads_only else ""

    @property
    def language(self) -> str:
        """Of its scripts, for what expressions give there: ``shell`` or ``python``."""
        return "shell"

    @property
    def patience_s(self) -> float:
        """Seconds after which a host that has not answered is given up."""
        return self.timeout_s

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing: a plan of such steps only counts as "no changes"."""
        return False

    @property
    def needed_images(self) -> tuple[Image, ...]:
        """The images that it needs."""
        return tuple(value for _, value in self._values() if isinstance(value, Image))

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets in its fields."""
        return frozenset(value.name for _, value in self._values() if isinstance(value, SecretRef))

    @property
    def given_name(self) -> str | None:
        """Docker's name for what it keeps, where the user gave one."""
        return None

    @property
    def replaces(self) -> bool:
        """Whether what it keeps is replaced where it differs; if not, the step is refused there."""
        return True

    @classmethod
    def docker_name(cls, project: str, environment: str, step: str) -> str:
        """Docker's name for what it keeps, made of these; each is fit for a container's."""
        return f"{project}-{environment}-{step}"

    @property
    def looks_at(self) -> tuple[tuple[str, str], ...]:
        """What a plan has to know of besides what bears our labels and what it keeps: kinds and docker's names."""
        return ()

    def _values(self) -> Iterator[tuple[str, Any]]:
        return _leaves("", self)


def check_controller(step: Step, where: str) -> None:
    """Check that a step for the controller asks for nothing that only targets have.

    Raises:
        ModelError: It does.
    """
    if where == "controller" and (step.roles or step.rolling or step.needed_images):
        raise ModelError(
            f"{type(step).__name__} {step.name!r}: on the controller there are no roles, waves or images; leave "
            "them out, or leave out where='controller'"
        )


_PLAIN = frozenset({str, int, float, bool, type(None)})


@functools.cache
def _open_fields(kind: type[Step | Part]) -> tuple[str, ...]:
    """The names of the fields of *kind* that may hold expressions, or values in them."""
    return tuple(one.name for one in attrs.fields(kind) if not one.metadata.get("literal"))


def _leaves(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What stands at the ends of a step's fields, each with the way to it."""
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(where, item)
    elif isinstance(value, Step | Part):
        before = f"{where} " if where else ""
        for name in _open_fields(type(value)):  # type: ignore[arg-type]  # mypy asks for the hash of its values
            item = getattr(value, name)
            if type(item) in _PLAIN:  # as are most of the eighty of a container
                yield before + name, item
            else:
                yield from _leaves(before + name, item)
    elif isinstance(value, Pairs):
        for key, item in value.items():
            yield from _leaves(f"{where} {key}", item)
    else:
        yield where, value


def texts(step: Step) -> Iterator[tuple[str, str]]:
    """Each text of *step* that may hold an expression, with the name of its field: ``("env COUNT", "{{ n }}")``."""
    return ((where, value) for where, value in step._values() if isinstance(value, str))  # noqa: SLF001


def mapped(value: Any, do: Callable[[str, str, Mapping[str, Any]], Any], where: str = "", meta: Any = None) -> Any:
    """*value* with *do* applied to each text that may hold an expression; itself where nothing changes.

    Args:
        value: A step, or what stands in one.
        do: Takes a text, the way to it such as ``env COUNT``, and the metadata of its field.
        where: The way to *value*.
        meta: The metadata of the field in which *value* stands.
    """
    if isinstance(value, str):
        return do(value, where, meta or {})
    if isinstance(value, Step | Part):
        changes = {}
        for attribute in attrs.fields(type(value)):
            if attribute.metadata.get("literal"):
                continue
            old = getattr(value, attribute.name)
            new = mapped(old, do, f"{where} {attribute.name}".strip(), attribute.metadata)
            if new is not old:
                changes[attribute.name] = new
        return changed(value, changes) if changes else value
    if isinstance(value, Pairs):
        pairs = {key: mapped(item, do, f"{where} {key}", meta) for key, item in value.items()}
        return value if all(pairs[key] is value[key] for key in pairs) else Pairs(pairs)
    if isinstance(value, tuple):
        items = tuple(mapped(item, do, where, meta) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def changed(value: P, changes: Mapping[str, Any]) -> P:
    """*value* with other values in some of its fields, checked as when it is made.

    It is what `attrs.evolve` gives; the fields that stay, of which a container has eighty, are not converted once more.

    Args:
        value: A step, or a part of one.
        changes: Values by the names of fields.
    """
    made, put = object.__new__(type(value)), object.__setattr__  # frozen, and still in the making
    fields = attrs.fields(type(value))
    for attribute in fields:
        put(made, attribute.name, getattr(value, attribute.name))
    for name, content in changes.items():
        put(made, name, attrs.setters.convert(made, getattr(fields, name), content))
    attrs.validate(made)
    if hasattr(made, "__attrs_post_init__"):
        made.__attrs_post_init__()
    return made
