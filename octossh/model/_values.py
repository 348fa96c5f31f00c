"""What the values of the model share: checks, converters and their form as plain data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

import attrs

from octossh.errors import ModelError
from octossh.model.tables import Table, escaped
from octossh.templating import has_expression
from octossh.visible import one_line

V = TypeVar("V")

__all__ = [
    "Described",
    "Listed",
    "Pairs",
    "as_json",
    "check_name",
    "checked",
    "named",
    "of",
    "slug",
    "sorted_names",
    "telling",
    "unique_names",
    "words",
]


class Described:
    """A value with a plain form: ``to_dict()`` gives what JSON can hold."""

    __slots__ = ()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        # IPython looks for it, class by class, before it takes the __repr__ that attrs makes.
        cls._repr_pretty_ = Described._repr_pretty_  # type: ignore[method-assign]

    def to_dict(self) -> dict[str, Any]:
        """The value as dictionaries, lists, strings and numbers."""
        from octossh.model.serialising import to_dict

        data: dict[str, Any] = to_dict(self)
        return data

    def tables(self) -> tuple[Table, ...]:
        """What it is in tables, as notebooks show it; none: they show its text."""
        return ()

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables()) or f"<pre>{escaped(str(self))}</pre>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        # As IPython shows it at a terminal; inside of a list, what is made of several lines would fall apart.
        printer.text(str(self) if len(printer.stack) == 1 else repr(self))


class Listed(Described, Sequence[V]):
    """A value that is a sequence: its one field is the tuple of what is in it."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> V: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[V, ...]: ...

    def __getitem__(self, index: int | slice) -> V | tuple[V, ...]:
        return self._listed[index]

    def __len__(self) -> int:
        return len(self._listed)

    def __iter__(self) -> Iterator[V]:
        return iter(self._listed)

    @property
    def _listed(self) -> tuple[V, ...]:
        (only,) = attrs.fields(type(self))  # type: ignore[arg-type]
        items: tuple[V, ...] = getattr(self, only.name)
        return items


class Pairs(Mapping[str, V]):
    """An immutable, hashable, sorted mapping from text."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | Iterable[tuple[str, V]] = ()) -> None:
        try:
            pairs = dict(items)
        except (TypeError, ValueError):
            raise ModelError(f"it takes a mapping, not {items!r}; write {{'NAME': 'value'}}") from None
        if wrong := next((key for key in pairs if not isinstance(key, str)), None):
            raise ModelError(f"the name {wrong!r} is not text")
        self._items: dict[str, V] = {key: pairs[key] for key in sorted(pairs)}

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    # Mapping has these, and asks for each item by itself.
    def items(self) -> ItemsView[str, V]:
        return self._items.items()

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, Pairs) else super().__eq__(other)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def check_name(name: object, what: str) -> str:
    """A name that people gave: 1 to 100 characters on one line, in one direction, of which docker takes something, too.

    Raises:
        ModelError: It is none.
    """
    if not isinstance(name, str) or not name.strip():
        raise ModelError(f"the {what} {name!r} has no name; give it some text")
    if name != name.strip() or len(name) > 100 or name != one_line(name):
        raise ModelError(
            f"{what} {name[:100]!r}: a name is one line of at most 100 characters, no blanks around it, and nothing in "
            "it that moves a cursor or turns the writing around"
        )
    slug(name, what)
    return name


def named(what: str) -> Callable[[Any, Any, Any], None]:
    """An attrs validator for the name of *what*."""

    def validate(_instance: Any, _attribute: Any, value: Any) -> None:
        check_name(value, what)

    return validate


def slug(name: str, what: str = "name") -> str:
    """*name* as part of a docker name: ``Custom Network`` gives ``custom-network``.

    Raises:
        ModelError: Nothing of it is left.
    """
    made = re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-._")
    if not made:
        raise ModelError(f"{what} {name!r} needs a letter a-z or a digit, since docker names are made of it")
    return made


def words(value: Any) -> tuple[str, ...]:
    """A sequence of strings as a tuple; a single string is refused, since it would fall into letters.

    Raises:
        ModelError: It is something else.
    """
    if isinstance(value, str):
        raise ModelError(f"it takes a list of texts, not {value!r}; write [{value!r}]")
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise ModelError(f"it takes a list of texts, not {value!r}; write ['...'], or leave it out")
    items = tuple(value)
    for item in items:
        if not isinstance(item, str):
            raise ModelError(f"it takes a list of texts, and {item!r} is none; put it in quotes")
    return items


def unique_names(value: Any) -> tuple[str, ...]:
    """Names without doubles, in the order in which they were given."""
    return tuple(dict.fromkeys(words(value)))


def sorted_names(value: Any) -> tuple[str, ...]:
    """A set of names as a sorted tuple without doubles."""
    return tuple(sorted(set(words(value))))


def as_json(value: object) -> str:
    """Plain data as one text: what compares and hashes a mapping that cannot be hashed itself."""
    return json.dumps(value, sort_keys=True, default=repr)


def _where(instance: object, attribute: attrs.Attribute[Any]) -> str:
    # A converter runs while the instance is being made: it has a name already, or none yet.
    name = getattr(instance, "name", None)
    return f"{type(instance).__name__}{f' {name!r}' if isinstance(name, str) else ''}, field {attribute.name}"


def telling(_kind: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """An attrs field transformer: an error in a converter says which field of what it is about."""

    def wrapped(convert: Any) -> Any:
        # attrs puts the annotation of the value at the constructor, in a module that may have no other name for it.
        def within(value: object, instance: Any, attribute: attrs.Attribute[Any]) -> Any:
            try:
                return convert(value)
            except ModelError as error:
                raise ModelError(f"{_where(instance, attribute)}: {error}") from None

        return attrs.Converter(within, takes_self=True, takes_field=True)

    # What is inherited is an attrs.Converter already.
    return [
        field.evolve(converter=wrapped(field.converter))
        if field.converter is not None and not isinstance(field.converter, attrs.Converter)
        else field
        for field in fields
    ]


_KINDS = {str: "text", int: "a whole number", bool: "True or False"}


def of(
    kind: type, *, optional: bool = False, advice: str = "", hidden: bool = False
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """An attrs validator: the value is a *kind*; a boolean is no number here. What may be a password is *hidden*."""

    def validate(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if (value is None and optional) or (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
            return
        wanted = _KINDS.get(kind, f"octossh.{kind.__name__}")
        raise ModelError(
            f"{_where(instance, attribute)}: {f'a {type(value).__name__}' if hidden else repr(value)} is not {wanted}"
            + (f"; {advice}" if advice else "; give one")
        )

    return validate


def checked(
    check: Callable[[str], object], *, optional: bool = False
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """An attrs validator that applies *check* to a text, or to each text of a tuple.

    Text that still holds an expression is left for later: it is checked again once it is evaluated.
    """

    def validate(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and optional:
            return
        for text in value if isinstance(value, tuple) else (value,):
            where = _where(instance, attribute)
            if not isinstance(text, str):
                raise ModelError(f"{where}: {text!r} is not text; put it in quotes")
            if has_expression(text):
                continue
            try:
                check(text)
            except ModelError as error:
                raise ModelError(f"{where}: {error}") from None

    return validate
