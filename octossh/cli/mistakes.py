"""Mistakes in a command line, told as all other errors are: what, what is wrong with it, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import click

from octossh.errors import did_you_mean

__all__ = ["Command", "Group", "told"]


class Command(click.Command):
    """A command whose mistakes all say of which command they are."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """What is left of *args* behind its parameters.

        Raises:
            click.UsageError: Something is wrong with them.
        """
        try:
            return super().parse_args(context, args)
        except click.UsageError as error:
            error.ctx = error.ctx or context
            raise


class Group(click.Group):
    """A group of commands that says which one may have been meant."""

    group_class: type = type

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that *arguments* begin with.

        Raises:
            click.UsageError: There is none of that name.
        """
        name = arguments[0]
        wrong = self.get_command(context, name) is None and not name.startswith("-")
        if wrong and not context.resilient_parsing:
            where = context.command_path
            raise click.UsageError(
                f"there is no command {f'{where} {name}'!r}; {did_you_mean(name, self.commands)}", context
            )
        return super().resolve_command(context, arguments)


def told(error: click.ClickException, environments: Callable[[], Sequence[str]]) -> str:
    """What is wrong with a command line, and where to read more.

    Args:
        error: As click has it.
        environments: Gives what there is to choose from where one is missing.
    """
    context = getattr(error, "ctx", None)
    said = _said(error, environments).rstrip(".")
    if context is None:
        return said
    return f"{said}{' See' if said.endswith('?') else '; see'}: {context.command_path} --help"


def _said(error: click.ClickException, environments: Callable[[], Sequence[str]]) -> str:
    if isinstance(error, click.NoSuchOption):
        there = error.ctx.command.params if error.ctx is not None else []
        known = [name for one in there if isinstance(one, click.Option) for name in one.opts if name.startswith("--")]
        return f"there is no option {error.option_name!r}; {did_you_mean(error.option_name, known)}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name = error.param.metavar or error.param.human_readable_name.upper()
        option = f"{error.param.opts[0]} " if isinstance(error.param, click.Option) else ""
        choices = environments() if error.param.name == "environment" else ()
        return f"it needs {option}{name}" + (f"; there is {', '.join(map(repr, choices))}" if choices else "")
    if isinstance(error, click.BadOptionUsage) and "requires" in error.message and error.ctx is not None:
        param = next((one for one in error.ctx.command.params if error.option_name in one.opts), None)
        name = "" if param is None or param.metavar is None else f": {param.metavar}"
        return f"{error.option_name} needs a value{name}"
    if isinstance(error, click.BadParameter):
        if missing := re.fullmatch(r"File '(.*)' does not exist\.", error.message):
            return f"there is no file {missing[1]}"
        hint = error.param_hint or (error.param.opts[0] if error.param is not None else "")
        return f"{hint if isinstance(hint, str) else ' '.join(hint)}: {error.message}"
    return error.message
