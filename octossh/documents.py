"""YAML as plain data. The door of yaml."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from octossh.errors import ModelError

if TYPE_CHECKING:
    import yaml

__all__ = ["read_yaml"]


def read_yaml(text: str, subject: str) -> Any:
    """The YAML document *text* as dictionaries, lists, texts, numbers, booleans and None.

    As YAML 1.2 has it: ``yes``, ``22:30`` and ``2026-01-02`` are texts.

    Args:
        text: One document.
        subject: What it is, as the subject of an error message, such as ``targets file targets.yml``.

    Raises:
        ModelError: It is not YAML, or a name stands twice in one mapping.
    """
    import yaml

    try:
        node = yaml.compose(text, _loader())
        double = _double(node, set()) if node is not None else ""
        data = yaml.load(text, _loader())  # noqa: S506 - a SafeLoader that knows fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())
        raise ModelError(f"{subject} is not YAML: {what}; correct it there") from error
    if double:
        raise ModelError(f"{subject}, {double}; rename or remove one of them")
    return data


@functools.cache
def _loader() -> type[yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.2's core types, and ``<<``."""

    old = {"bool", "float", "int", "timestamp"}
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in old]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("int", r"[-+]?(0[0-7]*|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
        ("float", r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", "-+.0123456789"),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), list(first))
    return Loader


def _double(node: yaml.Node, passed: set[int]) -> str:
    """The first name that stands twice in one mapping, since YAML itself would take the last one without a word."""
    import yaml

    if id(node) in passed:
        return ""
    passed.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return next((found for item in node.value if (found := _double(item, passed))), "")
    if not isinstance(node, yaml.MappingNode):
        return ""
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key.value, str):
            if key.value in seen:
                return f"line {key.start_mark.line + 1}: {key.value!r} stands there twice"
            seen.add(key.value)
        if found := _double(value, passed):
            return found
    return ""
