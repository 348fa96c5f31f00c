"""Ansible's ways to write groups down: INI, YAML, and what ``ansible-inventory --list`` prints. Pure."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from octossh.errors import ModelError

__all__ = ["Group", "expanded", "read_ini", "read_json", "read_tree"]

_MOST = 10_000
_SECTION = re.compile(r"\[(?P<name>[^:\]\s]+)(?::(?P<kind>\w+))?\]\s*(?:#.*)?")
_RANGE = re.compile(r"\[(?P<first>[0-9]+|[A-Za-z]):(?P<last>[0-9]+|[A-Za-z])(?::(?P<step>[0-9]+))?\]")


@define
class Group:
    """A group of hosts.

    Attributes:
        hosts: Its own ones, with their variables.
        variables: Those of the group.
        children: Names of the groups in it.
    """

    hosts: dict[str, dict[str, Any]] = field(factory=dict)
    variables: dict[str, Any] = field(factory=dict)
    children: list[str] = field(factory=list)


def expanded(pattern: str, place: str) -> list[str]:
    """The names that ``web[01:10]`` stands for.

    Raises:
        ModelError: A range is none, or stands for too many.
    """
    match = _RANGE.search(pattern)
    if match is None:
        if "[" in pattern or "]" in pattern:
            raise ModelError(f"{place}: {pattern!r} has a range that is none; write one such as web[01:10]")
        return [pattern]
    before, after = pattern[: match.start()], pattern[match.end() :]
    if "[" in before or "]" in before:
        raise ModelError(f"{place}: {pattern!r} has a range that is none; write one such as web[01:10]")
    middles, ends = list(_steps(match, pattern, place)), expanded(after, place)
    if len(middles) * len(ends) > _MOST:
        raise ModelError(f"{place}: {pattern!r} stands for more than {_MOST} hosts; give a smaller range")
    return [f"{before}{middle}{end}" for middle in middles for end in ends]


def _steps(match: re.Match[str], pattern: str, place: str) -> Iterator[str]:
    first, last, step = match["first"], match["last"], int(match["step"] or 1)
    numbers = first.isdigit() and last.isdigit()
    a, b = (int(first), int(last)) if numbers else (ord(first[0]), ord(last[0]))
    if first.isdigit() != last.isdigit() or a > b or step < 1 or (b - a) // step >= _MOST:
        raise ModelError(f"{place}: {pattern!r} has a range that is none; write one such as web[01:10]")
    width = len(first) if first.startswith("0") else 0
    for value in range(a, b + 1, step):
        yield str(value).zfill(width) if numbers else chr(value)


def read_ini(subject: str, text: str) -> dict[str, Group]:
    """The groups of an inventory in the notation of INI.

    Raises:
        ModelError: A line is wrong; it says which.
    """
    groups: dict[str, Group] = {"all": Group(), "ungrouped": Group()}
    name, kind = "ungrouped", ""
    named: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{subject}, line {number}"
        if not (line := line.strip()) or line[0] in "#;":
            continue
        if line.startswith("[") and (match := _SECTION.fullmatch(line)):
            name, kind = match["name"], match["kind"] or ""
            if kind not in ("", "vars", "children"):
                raise ModelError(
                    f"{place}: [{name}:{kind}] is no section; it is [{name}], with :vars or with :children"
                )
            groups.setdefault(name, Group())
            if kind != "vars":
                named.pop(name, None)
            continue
        _ini_line(groups, named, name, kind, line, place)
    for child, place in named.items():
        if child not in groups:
            raise ModelError(f"{place}: there is no group {child!r}; add a section [{child}]")
    return groups


def _ini_line(groups: dict[str, Group], named: dict[str, str], name: str, kind: str, line: str, place: str) -> None:
    """One line of a section."""
    group = groups[name]
    if kind == "vars":
        key, equals, value = line.partition("=")
        if not equals:
            raise ModelError(f"{place}: {line!r} is no variable; write NAME=value")
        group.variables[key.strip()] = _literal(value.strip())
        return
    words = _words(line, place)
    if kind == "children":
        group.children.append(words[0])
        named.setdefault(words[0], place)
        return
    pattern, port = words[0], None
    if (plain := _RANGE.sub("", pattern)).count(":") == 1 and re.search(r":[0-9]+$", plain):
        pattern, _, digits = pattern.rpartition(":")
        port = int(digits)
    variables: dict[str, Any] = {} if port is None else {"ansible_port": port}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            raise ModelError(f"{place}: {word!r} is no variable; write NAME=value, or one host in a line")
        variables[key] = _literal(value)
    for host in expanded(pattern, place):
        group.hosts.setdefault(host, {}).update(variables)


def _words(line: str, place: str) -> list[str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        raise ModelError(f"{place}: a quote is without its other half; correct it there") from None
    if not words:
        raise ModelError(f"{place}: there is nothing in it; take it out")
    return words


def _literal(value: str) -> Any:
    """A value as Ansible reads it: Python's where it is such, else text."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def read_tree(subject: str, data: Any) -> dict[str, Group]:
    """The groups of an inventory in YAML.

    Raises:
        ModelError: It is none.
    """
    groups: dict[str, Group] = {"all": Group()}
    if not isinstance(data, dict):
        raise ModelError(f"{subject}: it has no groups; write 'all:', and below it 'hosts:' or 'children:'")
    waiting: list[tuple[Any, Any]] = list(data.items())
    while waiting:
        name, body = waiting.pop(0)
        where = f"{subject}, group {name!r}"
        parts = _mapping(where, body)
        for key in parts:
            if key not in ("hosts", "vars", "children"):
                raise ModelError(f"{where}: {key!r} is nothing that a group has; it has hosts, vars and children")
        group = groups.setdefault(str(name), Group())
        group.variables |= _mapping(f"{where}, vars", parts.get("vars"))
        for pattern, variables in _mapping(f"{where}, hosts", parts.get("hosts")).items():
            for host in expanded(str(pattern), where):
                group.hosts.setdefault(host, {}).update(_mapping(f"{where}, host {host!r}", variables))
        children = _mapping(f"{where}, children", parts.get("children"))
        group.children += [str(child) for child in children]
        waiting += children.items()
    return groups


def _mapping(where: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ModelError(f"{where}: it is {value!r}; write a mapping, such as 'h01:' in a line of its own")
    return value


def _listed(where: str, value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise ModelError(f"{where}: it is {value!r}; let it print a list of names")
    return value or []


def read_json(subject: str, data: Any) -> dict[str, Group]:
    """The groups of what a command for Ansible prints.

    Raises:
        ModelError: It is something else.
    """
    if not isinstance(data, dict):
        raise ModelError(f"{subject}: it printed no groups; let it print what 'ansible-inventory --list' does")
    meta = _mapping(f"{subject}, _meta", data.get("_meta"))
    variables = _mapping(f"{subject}, hostvars", meta.get("hostvars"))
    groups: dict[str, Group] = {"all": Group()}
    for name, body in data.items():
        if name == "_meta":
            continue
        where = f"{subject}, group {name!r}"
        parts = {"hosts": body} if isinstance(body, list) else _mapping(where, body)
        group = groups.setdefault(name, Group())
        group.variables |= _mapping(f"{where}, vars", parts.get("vars"))
        group.children += [str(child) for child in _listed(f"{where}, children", parts.get("children"))]
        for host in _listed(f"{where}, hosts", parts.get("hosts")):
            group.hosts[str(host)] = _mapping(f"{where}, host {host!r}", variables.get(host))
    return groups
