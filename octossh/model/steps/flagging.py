"""Which option of docker a field becomes: scripts, hashes, plans and the reference all read it from here.

A field that becomes an option says so in its metadata, ``field(..., metadata=flag("--memory", size))``, and nowhere
else; there stands its normal form, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

import attrs
from attrs import frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, telling, words
from octossh.templating import has_expression

__all__ = ["Flag", "flag", "flags", "kept", "normalised", "options", "text"]

Normal = Callable[[str], str]


@frozen
class Flag:
    """What a field becomes.

    Attributes:
        name: Docker's option, such as ``--memory``, or ``IMAGE`` and ``COMMAND`` for what stands behind them.
        normal: Gives a text, or each text of a list, the one form of all that mean the same to docker; or raises.
        form: How the value is written, as a format string.
        joint: What stands between name and value of a mapping.
        ordered: Whether the order of a list matters to docker.
        by_hand: The script needs more than the option, so code of its own writes it.
        kept: Whether another value makes another container, network or volume.
        since: The version of docker that knows it, where 20.10 does not.
    """

    name: str
    normal: Normal | None = None
    form: str = "{}"
    joint: str = "="
    ordered: bool = False
    by_hand: bool = False
    kept: bool = True
    since: str = ""


def flag(
    name: str, normal: Normal | None = None, metadata: Mapping[str, Any] | None = None, **more: Any
) -> Mapping[str, Any]:
    """Metadata of a field that becomes docker's option *name*, besides *metadata*; *more* as in `Flag`."""
    return {**(metadata or {}), "flag": Flag(name, normal, **more)}


def text(value: Any) -> str | None:
    """A converter: text stays, a number becomes text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise ModelError(f"{value!r} is not text; put it in quotes")
    return value if value is None else str(value)


def normalised(kind: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """An attrs field transformer: `telling`, and each field in the normal form that its flag names."""
    return telling(kind, [_normalised(attribute) for attribute in fields])


def _normalised(attribute: attrs.Attribute[Any]) -> attrs.Attribute[Any]:
    made, convert = attribute.metadata.get("flag"), attribute.converter
    # What is inherited is an attrs.Converter already.
    if made is None or made.normal is None or isinstance(convert, attrs.Converter):
        return attribute
    normal: Normal = made.normal
    many = convert == words

    def one(given: str | None) -> str | None:
        # Text with an expression is converted once more when that is evaluated.
        return given if given is None or has_expression(given) else normal(given)

    def whole(value: Any) -> Any:
        return tuple(map(one, words(value))) if many else one(text(value))

    return attribute.evolve(converter=whole)


@frozen
class _Told:
    """What is told of the fields of a class, and their defaults, none of which can be changed."""

    flags: Mapping[str, Flag]
    defaults: tuple[tuple[str, Flag, Any], ...]
    nested: bool


class _Classes(dict[type, _Told]):
    """By class, worked out when it is first asked for."""

    def __missing__(self, kind: type) -> _Told:
        found = []
        for attribute in attrs.fields(kind) if attrs.has(kind) else ():
            if (made := attribute.metadata.get("flag")) is None:
                continue
            default: Any = attribute.default
            if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
                default = default.factory()
            found.append((attribute.name, made, default))
        told = {name: made for name, made, _ in found}
        self[kind] = _Told(told, tuple(found), any(made.name.startswith("--") for made in told.values()))
        return self[kind]


_CLASSES = _Classes()


def flags(kind: type) -> Mapping[str, Flag]:
    """The fields of *kind* that become options, in order."""
    return _CLASSES[kind].flags


def _nested(value: Any) -> TypeGuard[attrs.AttrsInstance]:
    """Whether *value* becomes several options, each of a field of its own."""
    return _CLASSES[type(value)].nested


def _given(value: Any) -> Iterator[tuple[str, Flag, Any]]:
    """The fields that are not at their default, with what they become."""
    for name, made, default in _CLASSES[type(value)].defaults:
        content = getattr(value, name)
        if content is not default and content != default:
            yield name, made, content


def options(value: Any) -> list[str]:
    """The words of a command line that the fields of a step become, but for those that are written by hand."""
    words: list[str] = []
    for _, made, content in _given(value):
        if made.by_hand:
            continue
        if content is True:
            words.append(made.name)
        elif isinstance(content, Pairs):
            words += [word for name, item in content.items() for word in (made.name, f"{name}{made.joint}{item}")]
        else:
            items = content if isinstance(content, tuple) else (content,)
            for item in items:
                words += options(item) if _nested(item) else [made.name, made.form.format(item)]
    return words


def kept(value: Any) -> dict[str, Any]:
    """The fields of a step that make what it keeps, as plain data and without what is at its default."""
    return {name: _plain(content, made) for name, made, content in _given(value) if made.kept}


def _plain(content: Any, made: Flag) -> Any:
    if _nested(content):
        return kept(content)
    if isinstance(content, Pairs):
        return {name: item if isinstance(item, str) else str(item) for name, item in content.items()}
    if isinstance(content, tuple):
        texts = [str(item) for item in content]
        return texts if made.ordered else sorted(texts)
    if isinstance(content, float) and content.is_integer():
        return int(content)  # a whole number of seconds is read from the store as 5.0
    return content if isinstance(content, bool | int | float) else str(content)
