"""Values of the model as Python source that makes them again, and targets as YAML."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from attrs import frozen

from octossh.errors import ModelError
from octossh.model import Channel, Image, Lifecycle, Pairs, Phase, Process, Project, Registry, SecretRef, Target
from octossh.versions import Rule

__all__ = ["expression", "octofile", "targets_file"]

_WIDTH = 100
_INDENT = "    "


@frozen
class _Group:
    """Something in brackets: on one line where there is room, else with a line for each item.

    Attributes:
        items: Text that stands in front of an item, and the item.
    """

    opening: str
    items: tuple[tuple[str, _Node], ...]
    closing: str
    between: str = ","


_Node = str | _Group


def _laid(node: _Node, indent: int, room: int) -> str:
    """*node* as text whose further lines are indented by *indent* levels; *room* is left on its first line."""
    if isinstance(node, str):
        return node
    flat = _flat(node)
    if not node.items or (len(flat) <= room and "\n" not in flat and node.between):
        return flat
    lines = [f"{node.opening}\n"]
    for front, item in node.items:
        left = _WIDTH - len(_INDENT) * (indent + 1) - len(front) - 1
        lines.append(f"{_INDENT * (indent + 1)}{front}{_laid(item, indent + 1, left)}{node.between}\n")
    return "".join([*lines, f"{_INDENT * indent}{node.closing}"])


def _flat(node: _Node) -> str:
    if isinstance(node, str):
        return node
    inner = f"{node.between} ".join(front + _flat(item) for front, item in node.items)
    return f"{node.opening}{inner}{node.closing}"


# ------------------------------------------------------------------ values


def text_literal(text: str) -> str:
    """*text* as Python writes it, in double quotes where that needs no more escapes."""
    return repr(text) if '"' in text else f'"{repr(chr(39) + text)[2:]}'


def _text(text: str) -> _Node:
    lines = text.splitlines(keepends=True)
    if len(lines) < 2 or len(text) <= _WIDTH // 2:
        return text_literal(text)
    return _Group("(", tuple(("", text_literal(line)) for line in lines), ")", between="")


def _node(value: Any, names: Mapping[Any, str]) -> _Node:
    if isinstance(value, Registry) and value in names:
        return names[value]
    if isinstance(value, Image):
        return _Group(f"{_flat(_node(value.registry, names))}.image(", (("", text_literal(value.repository)),), ")")
    if isinstance(value, SecretRef):
        return f"oc.secret({text_literal(value.name)})"
    if isinstance(value, Process):
        return _node(value.steps, names)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping | Pairs):
        return _Group("{", tuple((f"{text_literal(key)}: ", _node(item, names)) for key, item in value.items()), "}")
    if isinstance(value, list | tuple):
        return _Group("[", tuple(("", _node(item, names)) for item in value), "]")
    if isinstance(value, Lifecycle | Phase):
        return _phased(value, names)
    if attrs.has(type(value)):
        return _call(value, names)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise ModelError(f"{value!r} cannot be written into an octofile; write it there by hand")


def _call(value: Any, names: Mapping[Any, str]) -> _Node:
    module = "oc.versions" if type(value) is Rule else "oc"
    placed: list[tuple[str, _Node]] = []
    named: list[tuple[str, _Node]] = []
    by_place = True
    for field in attrs.fields(type(value)):
        content = getattr(value, field.name)
        if not field.init:
            continue
        if content == _default(field, value):
            by_place = by_place and bool(field.kw_only)
            continue
        if by_place and not field.kw_only:
            placed.append(("", _node(content, names)))
        else:
            named.append((f"{field.alias}=", _node(content, names)))
    return _Group(f"{module}.{type(value).__name__}(", (*placed, *named), ")")


def _default(field: attrs.Attribute[Any], value: Any) -> Any:
    if isinstance(value, Project) and field.name == "channels":
        return (Channel("default"),)
    made: Any = field.default
    if isinstance(made, attrs.Factory):  # type: ignore[arg-type]
        made = made.factory(value) if made.takes_self else made.factory()
    return made


def _phased(value: Lifecycle | Phase, names: Mapping[Any, str]) -> _Node:
    """Both take what stands in them otherwise than as it stands there."""
    if isinstance(value, Lifecycle):
        items: list[tuple[str, _Node]] = [("", _phase(phase, names)) for phase in value.phases]
        items += [("keep=", _node(value.keep, names))] if value.keep is not None else []
        return _Group("oc.Lifecycle(", tuple(items), ")")
    items = [("", text_literal(value.name))]
    items += [("", _node(value.environments, names))] if value.environments != (value.name,) else []
    for name in ("minimum", "optional", "automatic", "keep"):
        content = getattr(value, name)
        if content:
            every = name == "automatic" and content == value.environments
            items.append((f"{name}=", "True" if every else _node(content, names)))
    return _Group("oc.Phase(", tuple(items), ")")


def _phase(phase: Phase, names: Mapping[Any, str]) -> _Node:
    if phase == Phase(phase.name) if phase.name else False:
        return text_literal(phase.name)
    return _phased(phase, names)


def expression(value: Any, names: Mapping[Any, str] | None = None) -> str:
    """Python source that gives *value*, where ``oc`` is octossh.

    Args:
        value: Of the model, or made of texts, numbers, lists and mappings of these.
        names: Of variables that hold a value already, such as registries.

    Raises:
        ModelError: It holds a function, such as a login that is one.
    """
    return _laid(_node(value, names or {}), 0, _WIDTH)


# ------------------------------------------------------------------- files


def octofile(
    projects: Sequence[Project],
    *,
    targets: str | Sequence[Target],
    about: str,
    store: str = "sqlite:///octossh.db",
) -> str:
    """An octofile with *projects*; each registry and each project gets a variable.

    Args:
        projects: At least one.
        targets: The file that they stand in, such as ``targets.yml``, or the targets themselves.
        about: What it is, for its first line.
        store: URL of the store.
    """
    taken = {"oc", "space"}
    registries = dict.fromkeys(image.registry for project in projects for image in project.process.images)
    names: dict[Any, str] = {registry: _identifier(registry.name, taken) for registry in registries}
    parts = [f"{name} = {_laid(_node(value, {}), 0, _WIDTH - len(name) - 3)}\n" for value, name in names.items()]
    own = []
    for project in projects:
        name = _identifier(project.name, taken)
        own.append(name)
        parts.append(f"{name} = {_laid(_node(project, names), 0, _WIDTH - len(name) - 3)}\n")
    arguments: list[tuple[str, _Node]] = [("", text_literal(store)), ("projects=", f"[{', '.join(own)}]")]
    arguments += [("targets=", _node(targets, {}))] if targets else []
    space = _laid(_Group("oc.Space(", tuple(arguments), ")"), 0, _WIDTH - len("space = "))
    # Python takes its encoding from a comment such as "coding=...", and a name of a file may be no UTF-8.
    about = re.sub(r"coding(?=[:=])", "coding ", about.encode("utf-8", "replace").decode())
    head = "".join(f"# {line}\n" for line in about.splitlines())
    return "\n".join([f"{head}import octossh as oc\n", *parts, f"space = {space}\n"])


def _identifier(name: str, taken: set[str]) -> str:
    """A name for a variable made of *name*, which is not *taken*; afterwards it is."""
    made = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "it"
    made = f"_{made}" if made[0].isdigit() else made
    made = f"{made}_" if keyword.iskeyword(made) or keyword.issoftkeyword(made) else made
    while made in taken:
        made += "_"
    taken.add(made)
    return made


_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|[0-9]{1,3}(\.[0-9]{1,3}){3}")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def targets_file(targets: Iterable[Target]) -> str:
    """A file of *targets*, as ``octossh.Space(targets=...)`` reads it."""
    return "".join(["targets:\n", *(f"  {_yaml(target.name)}: {_yaml(_fields(target))}\n" for target in targets)])


def _fields(target: Target) -> dict[str, Any]:
    known = attrs.fields_dict(Target)
    said = {"address": target.address}
    for name, field in known.items():
        content = getattr(target, name)
        if name not in {"name", "address"} and content != _default(field, target):
            said[name] = content
    return said


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value)
    if isinstance(value, Mapping | Pairs):
        return f"{{{', '.join(f'{_yaml(key)}: {_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return json.dumps(value)
