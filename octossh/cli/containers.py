"""Commands about single containers: what they say, and what is executed in them."""

from __future__ import annotations

import json
import sys
import threading
import zlib
from typing import Any

import click

import octossh as oc
from octossh.cli.mistakes import Command
from octossh.cli.options import COLOURS, Options, coloured, command, octossh
from octossh.cli.times import since
from octossh.visible import one_line, visible

_project = click.argument("project", required=False)
_in = click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
_on = click.option("--on", multiple=True, metavar="TARGET", help="Only there; may be given again.")
_step = click.option(
    "--step", "steps", multiple=True, metavar="NAME", help="Of a step, or a service of compose; may be given again."
)
_user = click.option("--user", default="", metavar="USER", help="Who runs it. Default: as the container says.")


class _WithWords(Command):
    """A command with another one behind ``--``, whose words are none of its own."""

    words = "-- COMMAND..."

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        context.meta[_WORDS] = tuple(args[at + 1 :])
        return super().parse_args(context, args[:at])

    def collect_usage_pieces(self, context: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(context), self.words]


class _WithWordsOrNone(_WithWords):
    words = "[-- COMMAND...]"


_WORDS = "octossh.words"


def _given() -> tuple[str, ...]:
    words: tuple[str, ...] = click.get_current_context().meta[_WORDS]
    return words


class _Prefixed:
    """Lines with who says them in front, in a colour of its own at a terminal."""

    def __init__(self) -> None:
        self._coloured = coloured()
        self._width = 0

    def __call__(self, line: oc.ContainerLine, time: bool = False) -> None:
        self._width = max(self._width, len(line.place))
        place = f"{line.place.ljust(self._width)} |"
        if self._coloured:
            place = click.style(place, fg=_COLOURS[zlib.crc32(line.target.encode()) % len(_COLOURS)])
        at = f" {line.at:%Y-%m-%dT%H:%M:%S.%fZ}" if time and line.at else ""
        # In one piece, so that no line is torn; without what would move the cursor of whoever reads it.
        click.echo(f"{place}{at} {visible(COLOURS.sub('', line.text.removesuffix(chr(13))))}")


_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_green")


@command(octossh, "logs")
@_project
@_in
@_on
@_step
@click.option("--follow", is_flag=True, help="Go on with what they say, until Ctrl-C.")
@since
@click.option("--tail", type=click.IntRange(0), metavar="N", help="So many lines of each at first. Default: all.")
@click.option("--time", is_flag=True, help="When each line was said.")
def _logs(options: Options, project: str | None, *, on: tuple[str, ...], time: bool, **wanted: Any) -> None:
    """Show what the containers of PROJECT have said, on all hosts. Lines come in the order of time.

    With --json, each line is a document of its own.
    """
    show = _Prefixed()
    try:
        for line in options.space().logs(project, on=on, **wanted):
            if options.as_json:
                click.echo(json.dumps(line.to_dict()))
            else:
                show(line, time=time)
    except KeyboardInterrupt:
        if not wanted["follow"]:
            raise
        sys.exit(130)  # the only end that it has: there is nothing to tell


@command(octossh, "exec", _WithWords)
@_project
@_in
@_on
@_step
@_user
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="For which it may run.",
)
def _exec(options: Options, project: str | None, environment: str, **given: Any) -> None:
    """Execute COMMAND in the container of a step on each host.

    Ends with the highest exit code of all. The command stands in the record, and in the list of processes of the
    host: no secret may be in it.
    """
    words = _given()
    if not words:
        raise click.UsageError("say what to execute, behind --, such as: octossh exec shop --in Test -- ls /tmp")
    show = _Prefixed()
    lock = threading.Lock()

    def heard(line: oc.ContainerLine) -> None:
        with lock:
            show(line)

    made = options.space().exec(project, environment, words, on_line=None if options.as_json else heard, **given)
    if options.as_json:
        options.show(made)
    for item in made if not options.as_json else ():
        why = item.why or f"exit code {item.exit_code}"
        if not item.ok or len(made) > 1:
            click.echo(one_line(f"octossh: {item.target} {item.container}".rstrip() + f": {why}"), err=True)
    sys.exit(made.exit_code)


@command(octossh, "shell", _WithWordsOrNone)
@_project
@_in
@click.option("--on", metavar="TARGET", help="Where; default: the only one.")
@_step
@_user
def _shell(options: Options, project: str | None, environment: str, **given: Any) -> None:
    """Open a shell in a container, or run COMMAND at a terminal. The record tells who did, and where."""
    sys.exit(options.space().shell(project, environment, command=_given(), **given))
