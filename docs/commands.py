"""The reference of the command line, made from the command itself when the documentation is built."""

from __future__ import annotations

from collections.abc import Iterator

import click
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

from octossh.cli import octossh

COMMON = ("--json", "--events", "--quiet", "--help")
"""Options that every command has; they are described once."""


def commands(group: click.Group, before: str = "octossh") -> Iterator[tuple[str, click.Command]]:
    """All commands with their full names, in the order in which they are shown."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def reference() -> list[str]:
    """The text, as reST."""
    context = click.Context(octossh, info_name="octossh")
    lines = ["Options of all commands", "-" * 40, ""]
    lines += ["They stand before the name of the command or behind it; ``--file`` before it only.", ""]
    for parameter in octossh.get_params(context):
        lines += _option(parameter, context)
    for name, command in commands(octossh):
        inner = click.Context(command, info_name=name.split(" ", 1)[1], parent=context)
        lines += [name, "-" * len(name), "", (command.help or "").replace("\n", " "), ""]
        usage = " ".join(piece for piece in command.collect_usage_pieces(inner) if piece != "[OPTIONS]")
        lines += [".. code-block:: text", "", f"   {name} {usage} [OPTIONS]".replace("  ", " ").replace("  ", " "), ""]
        for parameter in command.get_params(inner):
            if not set(parameter.opts) & set(COMMON):
                lines += _option(parameter, inner)
    return lines


def _option(parameter: click.Parameter, context: click.Context) -> list[str]:
    record = parameter.get_help_record(context)
    if record is None or isinstance(parameter, click.Argument):
        return []
    flags, text = record
    return [f"``{flags}``", f"   {text.replace('*', chr(92) + '*')}" if text else "   \\", ""]


class Commands(Directive):
    """``.. commands::`` stands for the whole reference."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        made = nodes.section()
        made.document = self.state.document
        nested_parse_with_titles(self.state, StringList(reference(), source="octossh.cli"), made)
        return list(made.children)
