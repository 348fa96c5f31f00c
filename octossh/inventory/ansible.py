"""Targets out of an inventory of Ansible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from octossh.errors import ModelError
from octossh.inventory.ansible_files import Group, read_ini, read_json, read_tree
from octossh.inventory.commands import printed, words_of
from octossh.inventory.entries import Names, entry_of, matched, names_of, read_text, read_yaml_file
from octossh.model import Target

__all__ = ["AnsibleTargets"]

_OWN = ("all", "ungrouped")
_ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
# ssh takes the name of an option in any case; "none" is how one says that there is none.
_PROXY_COMMAND = re.compile(r"-o\s*['\"]?ProxyCommand(?:\s*=\s*|\s+)(?!['\"]?none\b)[^\s=]", re.IGNORECASE)


def _source(value: Any) -> str | Path | tuple[str, ...]:
    return value if isinstance(value, str | Path) else words_of(value)


def _roles(value: Any) -> Names | None:
    return None if value is None else names_of(value, "AnsibleTargets(roles=...)")


def _environments(value: Any) -> Names:
    return names_of(value, "AnsibleTargets(environments=...)")


@frozen
class AnsibleTargets:
    """The hosts of an inventory of Ansible: a file in the notation of INI or of YAML, or a command.

    Of the variables of a host count ``ansible_host``, ``ansible_port``, ``ansible_user`` and, in
    ``ansible_ssh_common_args`` or ``ansible_ssh_extra_args``, a jump (``-J`` or ``-o ProxyJump=``). A ``ProxyCommand``
    there is refused, since a target has none of its own. Hosts with ``ansible_connection=local`` are no targets.
    Folders ``group_vars`` and ``host_vars`` are understood by Ansible alone: where there are any, give the command
    ``["ansible-inventory", "-i", "hosts.ini", "--list"]``.

    Attributes:
        source: The path of a file; or the words of a command that prints JSON as ``ansible-inventory --list`` does.
        roles: The roles of targets, by patterns of groups. None: each group is a role.
        environments: Where they stand, by patterns of groups, such as ``{"prod": "Production"}``.
        only: The group whose hosts count.
        timeout_s: Seconds that a command may take.
    """

    source: str | Path | tuple[str, ...] = field(converter=_source)
    roles: Names | None = field(default=None, kw_only=True, converter=_roles)
    environments: Names = field(factory=dict, kw_only=True, converter=_environments)
    only: str = field(default="all", kw_only=True)
    timeout_s: float = field(default=60.0, kw_only=True)

    def __call__(self) -> tuple[Target, ...]:
        """Read it.

        Raises:
            ModelError: It cannot be read, or holds what is no target.
        """
        subject, groups = self._groups()
        if self.only not in groups:
            raise ModelError(f"{subject}: there is no group {self.only!r}; there is {', '.join(sorted(groups))}")
        hosts = _Hosts.of(groups)
        wanted = _members(groups, self.only)
        made = []
        for name, variables in hosts.variables.items():
            if name in wanted and variables.get("ansible_connection") != "local":
                made.append(self._target(subject, name, variables, hosts.groups[name]))
        return tuple(made)

    def _groups(self) -> tuple[str, dict[str, Group]]:
        if isinstance(self.source, tuple):
            subject, data = printed(self.source, self.timeout_s)
            return subject, read_json(subject, data)
        file = Path(self.source).expanduser()
        subject = f"Ansible inventory {file}"
        for folder in ("group_vars", "host_vars"):
            if (file.parent / folder).exists():
                raise ModelError(
                    f"{subject}: there is a folder {folder} beside it, which Ansible alone understands; give "
                    f"AnsibleTargets(['ansible-inventory', '-i', {str(file)!r}, '--list'])"
                )
        if file.suffix in (".yml", ".yaml", ".json"):
            return subject, read_tree(subject, read_yaml_file(file, subject))
        return subject, read_ini(subject, read_text(file, subject))

    def _target(self, subject: str, name: str, variables: Mapping[str, Any], groups: list[str]) -> Target:
        for key in ("ansible_host", "ansible_user", "ansible_port"):
            if "{{" in str(variables.get(key, "")):
                raise ModelError(
                    f"{subject}: host {name!r} has {key} {variables[key]!r}, which Ansible alone can evaluate; "
                    "write it out, or give the command ['ansible-inventory', ..., '--list']"
                )
        arguments = " ".join(str(variables[key]) for key in _ARGUMENTS if variables.get(key))
        if _PROXY_COMMAND.search(arguments):
            raise ModelError(
                f"{subject}: host {name!r} is reached by a ProxyCommand in its arguments of ssh, which a target cannot "
                f"have; write ProxyJump there, or the ProxyCommand into ~/.ssh/config, under the Host of its address"
            )
        found = {
            "address": str(variables.get("ansible_host", variables.get("ansible_ssh_host", name))),
            "user": variables.get("ansible_user", variables.get("ansible_ssh_user")),
            "port": _number(variables.get("ansible_port", variables.get("ansible_ssh_port"))),
            "jump": _jump(arguments),
            "roles": self._of(self.roles, groups),
            "environments": self._of(self.environments, groups),
        }
        return entry_of(subject, name, found)

    def _of(self, names: Names | None, groups: list[str]) -> list[str]:
        if names is None:
            return groups
        return [name for group in groups for name in matched(names, group)]


@define
class _Hosts:
    """Per host its variables, those nearest to it first, and its groups."""

    variables: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]

    @classmethod
    def of(cls, groups: dict[str, Group]) -> _Hosts:
        depth = _depths(groups)
        made = cls({}, {})
        for group in groups.values():
            for name in group.hosts:
                made.variables.setdefault(name, {})
        for name, variables in made.variables.items():
            mine = sorted((g for g in groups if name in _members(groups, g)), key=lambda g: (depth[g], g))
            # Ansible: a group's counts more than that of the group that it is in, the host's own most of all.
            for one in mine:
                variables.update(groups[one].variables)
            for one in mine:
                variables.update(groups[one].hosts.get(name, {}))
            made.groups[name] = [one for one in mine if one not in _OWN]
        return made


def _members(groups: dict[str, Group], name: str) -> set[str]:
    if name == "all":
        return {host for group in groups.values() for host in group.hosts}
    found: set[str] = set()
    waiting, passed = [name], set()
    while waiting:
        one = waiting.pop()
        if one not in passed and one in groups:
            passed.add(one)
            found |= set(groups[one].hosts)
            waiting += groups[one].children
    return found


def _depths(groups: dict[str, Group]) -> dict[str, int]:
    """How deep each group stands: 0 for all, 1 below it."""
    depths = {name: 0 if name == "all" else 1 for name in groups}
    for _ in groups:  # enough for the longest chain, and it ends where groups contain each other
        for name, group in groups.items():
            for child in group.children:
                if child in depths and name != "all":
                    depths[child] = max(depths[child], min(depths[name] + 1, len(groups)))
    return depths


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _jump(arguments: str) -> str | None:
    found = re.search(r"(?:^|[\s'\"])(?:-J\s*|-o\s*ProxyJump[= ]\s*)([^\s'\"]+)", arguments)
    return found[1] if found else None
