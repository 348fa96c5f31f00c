"""Mistakes in a command line, told as all other errors are: what, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from octossh.errors import did_you_mean

__all__ = ["Command", "Group", "ThereIs", "told"]


class ThereIs(click.Path):
    """The path of a file that is there.

    Args:
        allow_dash: ``-`` stands for standard input.
        resolve_path: Make it absolute.
    """

    def __init__(self, *, allow_dash: bool = False, resolve_path: bool = False) -> None:
        super().__init__(allow_dash=allow_dash, resolve_path=resolve_path, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """*value* as a path.

        Raises:
            click.BadParameter: There is no such file, or it is a folder.
        """
        if not (self.allow_dash and value == "-"):
            try:
                there, folder = Path(value).exists(), Path(value).is_dir()
            except OSError as error:
                self.fail(f"{value} cannot be read: {error.strerror}", param, ctx)
            if not there:
                self.fail(f"there is no file {value}", param, ctx)
            if folder:
                self.fail(f"{value} is a folder; name a file", param, ctx)
        return super().convert(value, param, ctx)


class _Telling(click.Command):
    """What it says of a mistake names the command."""

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


class Command(_Telling):
    """A command whose mistakes all say of which command they are."""


class Group(_Telling, click.Group):
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
    if isinstance(error, click.BadOptionUsage) and error.ctx is not None:
        params = [one for one in error.ctx.command.params if error.option_name in (*one.opts, *one.secondary_opts)]
        for param in params:
            if getattr(param, "is_flag", False) or getattr(param, "count", False):
                return f"{error.option_name} does not take a value"
            many = "a value" if param.nargs == 1 else f"{param.nargs} values"
            return f"{error.option_name} needs {many}" + (f": {param.metavar}" if param.metavar else "")
    if isinstance(error, click.BadParameter):
        hint = error.param_hint or _name(error.param)
        return f"{hint if isinstance(hint, str) else ' '.join(hint)}: {error.message}"
    return error.message


def _name(param: click.Parameter | None) -> str:
    """Of an option or an argument, as the help has it."""
    if isinstance(param, click.Option):
        return param.opts[0]
    return "" if param is None else param.metavar or param.human_readable_name.upper()
