"""What all commands share: the octofile, the common options, and how results and events are printed."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

import octossh as oc
from octossh._version import __version__
from octossh.cli.mistakes import Command, Group
from octossh.errors import ModelError, OctosshError, did_you_mean
from octossh.visible import one_line, visible

__all__ = ["COLOURS", "COMPLETING", "Options", "coloured", "command", "load", "octossh"]


@dataclass(slots=True)  # attrs takes longer to import than all that --help needs
class Options:
    """What stands before the name of the command, or behind it."""

    file: str = "octofile.py"
    as_json: bool = False
    events: bool = False
    quiet: bool = False
    _space: oc.Space | None = None

    def space(self) -> oc.Space:
        """The space of the octofile, loaded once and closed when the command ends."""
        if self._space is None:
            self._space = load(self.file)
            if self.events:
                self._space.on_event = _print_event_json
            elif not self.quiet:
                self._space.on_event = _teller()
            click.get_current_context().find_root().call_on_close(self._space.close)
        return self._space

    def show(self, value: Any, text: str | None = None, *, colours: Mapping[str, str] = MappingProxyType({})) -> None:
        """The result, on standard output: as JSON or for people.

        Args:
            value: The result.
            text: What people read. None: the value as text.
            colours: At a terminal, of lines that begin with such a mark.
        """
        if self.as_json:
            click.echo(
                json.dumps(value.to_dict() if hasattr(value, "to_dict") else value, ensure_ascii=False, indent=2)
            )
        else:
            # A record may hold what others wrote, such as notes of a release: nothing in it moves the cursor.
            clean = visible(str(value) if text is None else text)
            click.echo(_painted(clean, colours) if colours and coloured() else clean)


def coloured() -> bool:
    """Whether standard output is a terminal on which colours are wanted."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"


def _painted(text: str, colours: Mapping[str, str]) -> str:
    lines = ((line, colours.get(line.lstrip()[:2].rstrip())) for line in text.split("\n"))
    return "\n".join(click.style(line, fg=colour) if colour else line for line, colour in lines)


def load(path: str) -> oc.Space:
    """The `Space` that an octofile defines as ``space``. Relative paths in it start at its folder.

    Raises:
        ModelError: The file is not there, fails, or defines no space.
    """
    file = Path(path)
    if file.exists() and not file.is_file():
        raise ModelError(f"{path} is {'a folder' if file.is_dir() else 'no plain file'}; name an octofile with -f")
    if not file.is_file():
        raise ModelError(
            f"there is no file {path}; write one with 'octossh init', or by hand (it defines 'space'), or name another "
            "with -f"
        )
    os.chdir(file.resolve().parent)
    sys.path.insert(0, str(Path.cwd()))
    try:
        defined = runpy.run_path(file.name, run_name="octofile")
    except OctosshError as error:
        raise ModelError(f"{path}{_line(error, file.name)}: {error}") from error
    except SyntaxError as error:
        # It may stand in a module that the file imports.
        where = path if error.filename in {None, file.name} else error.filename
        line = f", line {error.lineno}" if error.lineno else ""
        raise ModelError(f"{where}{line}: this is not Python: {error.msg}; correct it there") from error
    except (Exception, SystemExit) as error:
        said = _misspelt(error) or f"it fails with {type(error).__name__}: {error}"
        raise ModelError(f"{path}{_line(error, file.name)}: {said}") from error
    space = defined.get("space")
    if not isinstance(space, oc.Space):
        raise ModelError(f"{path} defines no space; end it with: space = octossh.Space(projects=[...], targets=...)")
    return space


def _misspelt(error: BaseException) -> str:
    """What is meant where an octofile names a noun or a field that is not there; empty for every other error."""
    if isinstance(error, AttributeError) and error.obj is oc:
        return f"octossh has no {error.name!r}; {did_you_mean(str(error.name), oc.__all__)}"
    if isinstance(error, ImportError) and error.name == "octossh":
        wanted = re.search(r"cannot import name '(\w+)'", str(error))
        return f"octossh has no {wanted[1]!r}; {did_you_mean(wanted[1], oc.__all__)}" if wanted else ""
    # Python 3.14 goes on, with a guess of its own.
    found = re.match(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    name = "" if found is None else "Space" if found[1] == "Wiring" else found[1]
    if not isinstance(error, TypeError) or found is None or name not in oc.__all__:
        return ""
    import inspect

    return (
        f"{name} has no field {found[2]!r}; {did_you_mean(found[2], inspect.signature(getattr(oc, name)).parameters)}"
    )


def _line(error: BaseException, name: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return f", line {lines[-1]}" if lines else ""


COMPLETING = "_OCTOSSH_COMPLETE"
"""The variable that a shell sets where it asks what could come next."""


COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


_SAID = {
    "host_skipped": "left out: {why}",
    "wave_started": "wave {wave} of {of}: {hosts}",
    "paused": "{seconds:g} s before wave {wave}",
    "retrying": "trying again in {delay_s:g} s, {attempt} of {of}: {why}",
    "deployment_waiting": "octossh: {why}",
    "deployment_continued": "octossh: release {release} goes on",
    "rollback_started": "{hosts}: back to {release} by deployment {deployment}",
}
"""What is told of events besides those of steps."""


def _teller() -> Callable[[oc.Event], None]:
    """What tells people of events: at a terminal with what is going on, elsewhere line by line."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return _print_event
    from octossh.cli.progress import Progress

    made = Progress(_print_event, one_line)
    click.get_current_context().find_root().call_on_close(made.close)
    return made


def _print_event(event: oc.Event) -> None:
    """Progress for people, one line each, on standard error."""
    place = f"{event.target}  {event.step}"
    if event.type == "output":
        # What a container prints may hold sequences that move the cursor or rename the window.
        line = visible(event.data["line"])
        if line.startswith("octossh: "):
            click.echo(f"{place}  {line.removeprefix('octossh: ')}", err=True)
        else:
            click.echo(f"{place}  | {line}", err=True)
    elif event.type in _SAID:
        where = "  ".join(filter(None, (event.target, event.step)))
        data = {**event.data, "hosts": ", ".join(event.data.get("hosts", ()))}
        click.echo(one_line(f"{where}  {_SAID[event.type].format(**data)}"), err=True)
    elif event.type == "step_finished":
        did = event.data["action"] or event.data["state"]
        why = f": {event.data['why']}" if event.data["why"] else ""
        click.echo(visible(f"{place}  {did}{why}"), err=True)
    elif event.type == "tag_moved":
        click.echo(f"octossh: warning: {one_line(event.data['text'])}", err=True)
    elif event.type == "promotion_started":
        click.echo(f"octossh: {event.data['release']} goes on to {event.data['environment']}", err=True)
    elif event.type == "promotion_refused":
        said = f"octossh: it does not go on to {event.data['environment']}: {event.data['why']}"
        click.echo(visible(said), err=True)


def _print_event_json(event: oc.Event) -> None:
    click.echo(json.dumps(event.to_dict(), ensure_ascii=False), err=True)


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let the common options stand behind the name of the command as well."""

    def set_option(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
            if value:
                setattr(context.ensure_object(Options), name, value)

        return callback

    for flags, name, text in (
        (("--json", "as_json"), "as_json", "Print one JSON document on standard output."),
        (("--events",), "events", "Print events as JSON lines on standard error."),
        (("-q", "--quiet"), "quiet", "Print no progress."),
    ):
        option = click.option(*flags, is_flag=True, expose_value=False, callback=set_option(name), help=text)
        command = option(command)
    return command


SECTIONS = {
    "To begin": "init import check completion man schema",
    "Releases": "release tags images",
    "Deployments": "plan deploy promote rollback render schedule run-due approve continue cancel resume prune",
    "When and where not": "freeze maintain",
    "Looking": "status history deployment drift who audit board",
    "Containers": "logs exec shell",
    "The store": "values tidy",
}
"""Under which heading --help shows each command."""


_COMMANDS = {
    "audits": "audit",
    "boards": "board",
    "completing": "completion",
    "containers": "logs exec shell",
    "deployments": "plan render deploy promote rollback continue resume prune",
    "freezes": "freeze",
    "importing": "import",
    "interventions": "cancel maintain",
    "looking": "drift who",
    "manual": "man",
    "records": "status history deployment check",
    "releases": "tags images release",
    "schedules": "run-due approve schedule",
    "schemas": "schema",
    "starting": "init",
    "tidying": "tidy",
    "values": "values",
}
"""Which module has which commands."""


class _Commands(MutableMapping[str, click.Command]):
    """Commands by name; the module that has one is loaded when it is asked for, and adds those that it has."""

    def __init__(self) -> None:
        self._homes = {name: module for module, names in _COMMANDS.items() for name in names.split()}
        self._added: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name in self._homes and name not in self._added:
            importlib.import_module(f"octossh.cli.{self._homes[name]}")
        return self._added[name]

    def __setitem__(self, name: str, added: click.Command) -> None:
        self._homes.setdefault(name, "")
        self._added[name] = added

    def __delitem__(self, name: str) -> None:
        del self._homes[name]
        self._added.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


class _Sections(Group):
    """Shows its commands by what they are for."""

    group_class = Group

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list of commands for each section; all of them as wide."""
        width = max(map(len, self.commands))
        room = formatter.width - 6 - width
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [(name.ljust(width), self.commands[name].get_short_help_str(room)) for name in names.split()]
                )


@click.group(
    cls=_Sections,
    commands=_Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="octossh")
@click.option(
    "-f",
    "--file",
    "file",
    metavar="FILE",
    default="octofile.py",
    show_default=True,
    help="The octofile; it defines 'space'.",
)
@with_common_options
@click.pass_context
def octossh(context: click.Context, file: str) -> None:
    """Release Docker images through stages and deploy them to Linux hosts over SSH."""
    context.ensure_object(Options).file = file


def command(group: click.Group, name: str, cls: type[click.Command] = Command) -> Callable[[Callable[..., Any]], Any]:
    """Make a function the command *name* of *group*; it gets the options first."""

    def wrap(function: Callable[..., Any]) -> Any:
        return group.command(name, cls)(with_common_options(click.pass_obj(function)))

    return wrap
