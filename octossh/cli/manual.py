"""The manual page, made from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from octossh._version import __version__
from octossh.cli.options import Options, command, octossh

__all__ = ["page"]

_COMMON = {"--json", "--events", "--quiet", "--help"}
_ENDS = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage, or a wrong description"),
    ("3", "there are changes, or something differs from what was deployed"),
    ("4", "refused by a rule"),
    ("130", "interrupted"),
)


@command(octossh, "man")
def _man(_options: Options) -> None:
    """Print the manual page: 'octossh man | man -l -' shows it."""
    click.echo(page(), nl=False)


def page() -> str:
    """The page in the language of man(7)."""
    context = click.Context(octossh, info_name="octossh")
    lines = [f'.TH OCTOSSH 1 "" "octossh {__version__}"', ".SH NAME", f"octossh \\- {_text(octossh.help or '')}"]
    lines += [".SH SYNOPSIS", r".B octossh", r"[\fIoptions\fR] \fIcommand\fR [\fIarguments\fR]"]
    lines += [".SH OPTIONS", "They stand before the name of the command; all but the file behind it, too."]
    lines += [line for parameter in octossh.get_params(context) for line in _option(parameter, context)]
    lines.append(".SH COMMANDS")
    for name, one in _commands(octossh, ""):
        inner = click.Context(one, info_name=name, parent=context)
        pieces = " ".join(piece for piece in one.collect_usage_pieces(inner) if piece != "[OPTIONS]")
        lines += [f".SS {_text(f'octossh {name} {pieces}'.strip())}", *_paragraphs(one.help or "")]
        own = (parameter for parameter in one.get_params(inner) if not _COMMON & set(parameter.opts))
        lines += [line for parameter in own for line in _option(parameter, inner)]
    lines.append(".SH EXIT STATUS")
    for code, meaning in _ENDS:
        lines += [".TP", f".B {code}", _text(meaning)]
    return "\n".join([*lines, ""])


def _commands(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    for name, one in sorted(group.commands.items()):
        if isinstance(one, click.Group):
            yield from _commands(one, f"{before}{name} ")
        else:
            yield f"{before}{name}", one


def _option(parameter: click.Parameter, context: click.Context) -> list[str]:
    record = parameter.get_help_record(context)
    if record is None or isinstance(parameter, click.Argument):
        return []
    flags, text = record
    return [".TP", f"\\fB{_text(flags)}\\fR", _text(text)]


def _paragraphs(text: str) -> list[str]:
    made: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        made += [".PP", _text(" ".join(paragraph.split()))]
    return made


def _text(text: str) -> str:
    """*text* as roff shows it as it is."""
    made = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{made}" if made.startswith((".", r"\(aq")) else made
