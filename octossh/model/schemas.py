"""JSON schemas, made from the values that are printed: their fields and the types of these."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from octossh.model._values import Pairs
from octossh.model.credentials import AUTHS
from octossh.model.secrets import SecretRef
from octossh.model.steps import Probe, Step, Strategy

__all__ = ["DIALECT", "Schemas"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PLAIN: Mapping[object, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    bytes: {"type": "object", "required": ["base64"]},
    SecretRef: {"type": "object", "required": ["secret"]},
}
_OF_KINDS = (Step, Probe, Strategy)
"""Several of them stand in one place, and each says which one it is."""


class Schemas:
    """Makes schemas that refer to each other; ``definitions`` has those of values within values."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of what `to_dict` of the model makes of a *kind*."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, inner = get_origin(kind) or kind, get_args(kind)
        if origin in {Union, types.UnionType}:
            return {"anyOf": [self.of(one) for one in inner]}
        if origin is Literal:
            return {"enum": list(inner)}
        if isinstance(origin, type):
            return self._of_class(origin, inner)
        return {}

    def _of_class(self, origin: type, inner: tuple[Any, ...]) -> dict[str, Any]:
        if issubclass(origin, _OF_KINDS) or origin in AUTHS.values():
            return {"type": "object", "required": ["kind"]}
        if issubclass(origin, enum.Enum):
            return {"enum": [member.value for member in origin]}
        if attrs.has(origin):
            return {"$ref": f"#/$defs/{self._defined(origin)}"}
        if issubclass(origin, tuple) and inner and inner[-1] is not Ellipsis:
            return {"type": "array", "prefixItems": [self.of(one) for one in inner], "minItems": len(inner)}
        if origin is Pairs or issubclass(origin, Mapping):
            return {"type": "object", **({"additionalProperties": self.of(inner[-1])} if inner else {})}
        if issubclass(origin, Sequence | frozenset) or origin is Iterable:
            return {"type": "array", **({"items": self.of(inner[0])} if inner else {})}
        return {}

    def _defined(self, kind: type) -> str:
        name = kind.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # so that one within itself comes to an end
            hints = typing.get_type_hints(kind)
            fields = [field.name for field in attrs.fields(kind)]
            self.definitions[name] = {
                "type": "object",
                "properties": {field: self.of(hints.get(field, Any)) for field in fields},
                "required": fields,
            }
        return name
