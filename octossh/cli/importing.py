"""Commands for whoever comes from another tool: an octofile out of its file, and what could not be carried over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from octossh.cli.mistakes import ThereIs
from octossh.cli.options import Options, command, octossh
from octossh.cli.writing import check_free, check_loads, to_type_with, write_octofile
from octossh.visible import one_line

if TYPE_CHECKING:
    from octossh.octofiles import Imported

_TARGETS = "targets.yml"

_file = click.argument("file", type=ThereIs(allow_dash=True))
_project = click.option("--project", metavar="NAME", help="Default: as the file says, or its folder is called.")
_output = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output."
)
_force = click.option("--force", is_flag=True, help="Write over files that are there.")


@octossh.group("import")
def _import() -> None:
    """Make an octofile of the file of another tool. What could not be carried over is told."""


@command(_import, "compose")
@_file
@_project
@click.option("--host", "hosts", multiple=True, metavar="[ENV=][USER@]ADDRESS[:PORT]", help="May be given again.")
@_output
@_force
def _compose(
    options: Options, file: Path, project: str | None, hosts: tuple[str, ...], output: Path | None, force: bool
) -> None:
    """Make an octofile of the compose FILE: a step for each service. What is not as it was is told one by one."""
    from octossh.octofiles import environments_of, from_compose, targets_of_hosts

    environments = environments_of(hosts) or ("Production",)
    text, folder = _read(file)
    targets = targets_of_hosts(hosts, environments) if hosts else ()
    made = from_compose(text, name=project or "", folder=folder, targets=targets)
    _tell(options, file, made, output, force=force)


@command(_import, "kamal")
@_file
@click.option("--environment", default="Production", show_default=True, metavar="NAME", help="Where its hosts stand.")
@_output
@_force
def _kamal(options: Options, file: Path, environment: str, output: Path | None, force: bool) -> None:
    """Make an octofile and targets of Kamal's FILE (config/deploy.yml): a step for each role and accessory."""
    from octossh.octofiles import from_kamal

    _tell(options, file, from_kamal(_read(file)[0], environment=environment), output, force=force)


def _read(file: Path) -> tuple[str, str]:
    """What is in *file*, and what its folder is called."""
    import octossh as oc

    if str(file) == "-":
        return sys.stdin.read(), ""
    return oc.read_text(file), file.resolve().parent.name


def _tell(options: Options, file: Path, made: Imported, output: Path | None, *, force: bool) -> None:
    """Write what was made, and say what it lacks."""
    from octossh.octofiles import octofile, targets_file

    about = f"Made of {file.name}."
    for note in made.notes:
        click.echo(one_line(f"octossh: {note}"), err=True)
    if not made.targets:
        click.echo("octossh: no hosts stand there; give the space targets=[octossh.Target(...)], or --host", err=True)
    if output is None:
        source = octofile([made.project], targets=made.targets, about=about)
        check_loads({"octofile.py": source}, "octofile.py")
        notes = [{"place": note.place, "why": note.why, "advice": note.advice} for note in made.notes]
        options.show({"octofile": source, "notes": notes}, source.removesuffix("\n"))
        if sys.stdout.isatty():
            beside = ", and the hosts beside it" if made.targets else ""
            click.echo(f"octossh: nothing is written; -o octofile.py writes it{beside}", err=True)
        return
    texts = {output.name: octofile([made.project], targets=_TARGETS if made.targets else (), about=about)}
    texts |= {_TARGETS: targets_file(made.targets)} if made.targets else {}
    check_free(output, [output.with_name(_TARGETS)] if made.targets else [], force=force)
    write_octofile(output.parent, texts, output.name)
    placed = [str(output.with_name(name)) for name in texts]
    following = to_type_with(placed[0], "check")
    text = "\n".join([*(f"{name}: written" for name in placed), f"next:\n  {following}"])
    options.show({"files": placed, "next": [following]}, text)
