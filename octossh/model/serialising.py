"""The model as plain data and back. The door of cattrs."""

from __future__ import annotations

import base64
import contextlib
import enum
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import attrs

from octossh.errors import ModelError
from octossh.model._values import Pairs
from octossh.model.credentials import AUTHS, Auth, Callback
from octossh.model.lifecycles import Keep, Lifecycle, Phase
from octossh.model.secrets import SecretRef
from octossh.model.steps import KINDS, PROBES, STRATEGIES, Join, Probe, Step, Strategy
from octossh.model.variables import Value

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")

__all__ = ["from_dict", "to_dict"]


def _value(data: Any, _type: object) -> Any:
    return SecretRef(data["secret"]) if isinstance(data, Mapping) else data


def _output(data: Any, _type: object) -> Any:
    return base64.b64decode(data["base64"]) if isinstance(data, Mapping) else data


def _plain_output(value: str | bytes) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _time(data: str, _type: object) -> datetime:
    moment = datetime.fromisoformat(data)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@functools.cache
def _converter(*, telling: bool = False) -> cattrs.Converter:
    """What writes and reads.

    To write the reader of a class takes as long as to read hundreds of it, so that fields are read one by one, which is
    as quick; the reader is written where something is wrong, since it is *telling* in which field that is.
    """
    import cattrs

    converter = cattrs.Converter(unstruct_collection_overrides={tuple: list})
    if not telling:
        converter.register_structure_hook_func(attrs.has, functools.partial(_read, converter))
    converter.register_unstructure_hook(datetime, lambda moment: moment.isoformat())
    converter.register_structure_hook(datetime, _time)
    converter.register_unstructure_hook(SecretRef, lambda ref: {"secret": ref.name})
    converter.register_structure_hook(SecretRef, lambda data, _: SecretRef(data["secret"]))
    for union in (str | SecretRef, Value, Value | None):
        converter.register_structure_hook(union, _value)
        converter.register_unstructure_hook(union, converter.unstructure)
    converter.register_structure_hook(
        str | Join, lambda data, _: converter.structure(data, Join) if isinstance(data, Mapping) else data
    )
    converter.register_unstructure_hook(str | Join, converter.unstructure)
    converter.register_structure_hook(str | bytes, _output)
    converter.register_unstructure_hook(str | bytes, _plain_output)
    converter.register_unstructure_hook(bytes, _plain_output)
    converter.register_structure_hook(int | str, lambda data, _: data)
    converter.register_unstructure_hook(int | str, lambda value: value)
    converter.register_unstructure_hook(enum.Enum, lambda member: member.value)
    converter.register_unstructure_hook_func(
        _is_pairs, lambda pairs: {key: converter.unstructure(item) for key, item in pairs.items()}
    )
    converter.register_structure_hook_func(
        _is_pairs,
        lambda data, kind: Pairs({key: converter.structure(item, get_args(kind)[0]) for key, item in data.items()}),
    )
    converter.register_structure_hook_func(_is_json, lambda data, _: data)
    converter.register_unstructure_hook_func(_is_json, lambda data: data)
    converter.register_structure_hook(Phase, lambda data, _: _phase(converter, data))
    converter.register_structure_hook(
        Lifecycle,
        lambda data, _: Lifecycle(
            *(_phase(converter, phase) for phase in data["phases"]), keep=_kept(converter, data.get("keep"))
        ),
    )
    _register_auths(converter)
    _register_kinds(converter, Probe, PROBES, telling=telling)
    _register_kinds(converter, Strategy, STRATEGIES, telling=telling)
    _register_kinds(converter, Step, KINDS, telling=telling)
    return converter


def _read(converter: cattrs.Converter, data: Any, kind: Any) -> Any:
    return converter.structure_attrs_fromdict(data, attrs.resolve_types(kind))


def _phase(converter: cattrs.Converter, data: Any) -> Phase:
    if isinstance(data, list):  # as phases were before they could say more
        return Phase(environments=data) if len(data) > 1 else Phase(*data)
    return Phase(**{**data, "keep": _kept(converter, data.get("keep"))})


def _kept(converter: cattrs.Converter, data: Any) -> Keep | None:
    return None if data is None else converter.structure(data, Keep)


def _is_pairs(kind: Any) -> bool:
    return kind is Pairs or getattr(kind, "__origin__", None) is Pairs


def _is_json(kind: Any) -> bool:
    return bool(kind == Mapping[str, Any])


def _register_kinds(
    converter: cattrs.Converter, base: type[Any], kinds: Mapping[str, type[Any]], *, telling: bool
) -> None:
    """A *base* says its kind, since several can stand in one place. What is made for a kind waits for the first one."""
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

    @functools.cache
    def unstructure(name: str) -> Any:
        return make_dict_unstructure_fn(kinds[name], converter)

    @functools.cache
    def structure(name: str) -> Any:
        return make_dict_structure_fn(kinds[name], converter)

    def plain(value: Any) -> dict[str, Any]:
        if type(value) is not kinds[value.kind]:
            raise KeyError(type(value))  # it would come back as another
        return {"kind": value.kind, **unstructure(value.kind)(value)}

    def of_kind(data: Mapping[str, Any], _type: object) -> Any:
        name: Any = data.get("kind")
        if name not in kinds:
            what = f"kind of {base.__name__.lower()}"
            raise ModelError(f"there is no {what} {name!r}; this release needs a newer octossh")
        fields = {key: item for key, item in data.items() if key != "kind"}
        return structure(name)(fields, base) if telling else _read(converter, fields, kinds[name])

    converter.register_unstructure_hook(base, plain)
    converter.register_structure_hook(base, of_kind)


def _register_auths(converter: cattrs.Converter) -> None:
    names = {kind: name for name, kind in AUTHS.items()}

    def plain(auth: Any) -> Any:
        # What a function gives is not for a record, nor is the function.
        fields = {} if isinstance(auth, Callback) else converter.unstructure(auth, type(auth))
        return {"kind": names[type(auth)], **fields}

    def of_kind(data: Mapping[str, Any], _type: object) -> Any:
        # Before there were others, a login without a kind was one by user and password.
        kind = data.get("kind", "basic")
        if kind not in AUTHS:
            raise ModelError(f"there is no way to log in named {kind!r}; this release needs a newer octossh")
        if AUTHS[kind] is Callback:
            return Callback()
        return converter.structure({key: item for key, item in data.items() if key != "kind"}, AUTHS[kind])

    converter.register_unstructure_hook(Auth, plain)
    converter.register_structure_hook(Auth, of_kind)
    optional: Any = Auth | None
    converter.register_unstructure_hook(optional, lambda auth: auth and plain(auth))
    converter.register_structure_hook(optional, lambda data, kind: data and of_kind(data, kind))


def to_dict(value: Any) -> Any:
    """*value* as dictionaries, lists, strings and numbers; times in ISO 8601, secrets by name."""
    return _converter().unstructure(value)


def from_dict(kind: type[T], data: Any) -> T:
    """The value of *kind* that `to_dict` gave *data* for.

    Raises:
        ModelError: *data* is not of that form.
    """
    with contextlib.suppress(Exception):  # it is raised again, with its place
        return _converter().structure(data, kind)
    import cattrs

    try:
        return _converter(telling=True).structure(data, kind)
    except cattrs.BaseValidationError as error:
        details = "; ".join(cattrs.transform_error(error, format_exception=_said))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        details = _said(error, None)
    raise ModelError(f"this is not a {kind.__name__} as octossh writes it: {details}")


def _said(error: BaseException, kind: type | None) -> str:
    import cattrs.v

    return str(error) if isinstance(error, ModelError) else cattrs.v.format_exception(error, kind)
