"""Frozen values, whose classes are made quickly."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from attrs import frozen

__all__ = ["frozen"]


def _frozen(kind: type | None = None, /, **options: Any) -> Any:
    """``attrs.frozen``, with methods that show, compare and hash as its own do.

    attrs writes them as Python for each class, and has it compiled. A command makes two hundred classes, of which it
    shows and compares few: what they do is written once, here.
    """
    shown, compared = options.pop("repr", None), options.pop("eq", None)

    def made(kind: type) -> type:
        new: Any = attrs.frozen(kind, eq=False, repr=False, **options)
        fields, own = attrs.fields(new), vars(kind)
        if shown or (shown is None and "__repr__" not in own):
            new.__repr__ = _repr_of(fields)
        if compared or (compared is None and "__eq__" not in own):
            new.__eq__, hashing = _eq_and_hash_of(new, fields)
            if "__hash__" not in own:
                new.__hash__ = hashing
        made: type = new
        return made

    return made if kind is None else made(kind)


if not TYPE_CHECKING:
    frozen = _frozen


def _repr_of(fields: tuple[attrs.Attribute[Any], ...]) -> Callable[[Any], str]:
    shown = [(field.name, field.repr if callable(field.repr) else repr) for field in fields if field.repr]

    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807
        within = [f"{name}={show(getattr(self, name, attrs.NOTHING))}" for name, show in shown]
        return f"{type(self).__qualname__.rsplit('>.', 1)[-1]}({', '.join(within)})"

    return __repr__


def _eq_and_hash_of(
    kind: type, fields: tuple[attrs.Attribute[Any], ...]
) -> tuple[Callable[[Any, object], bool], Callable[[Any], int]]:
    read = _reading([(field.name, field.eq_key) for field in fields if field.eq])  # type: ignore[attr-defined]
    seed = hash((kind.__module__, kind.__qualname__))

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(read(self) == read(other))

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash((seed, read(self)))

    return __eq__, __hash__


def _reading(keys: list[tuple[str, Callable[[Any], Any] | None]]) -> Callable[[Any], Any]:
    """What gives the values of some fields, each by its key where it has one."""
    if keys and not any(key for _, key in keys):
        return attrgetter(*(name for name, _ in keys))

    def read(value: Any) -> tuple[Any, ...]:
        return tuple(key(getattr(value, name)) if key else getattr(value, name) for name, key in keys)

    return read
