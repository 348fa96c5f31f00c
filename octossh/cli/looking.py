"""Commands that hold hosts against the record."""

from __future__ import annotations

import sys

import click

from octossh.cli.options import Options, command, octossh


@command(octossh, "drift")
@click.argument("project", required=False)
@click.option("--in", "environment", metavar="ENVIRONMENT", help="Only this one.")
def _drift(options: Options, project: str | None, environment: str | None) -> None:
    """Hold what is on the hosts against what was deployed. Ends with 3 if it differs, with 1 if it cannot be seen."""
    found = options.space().drift(project, environment)
    options.show(found)
    if not found.ok:
        sys.exit(3 if found.drifted else 1)


@command(octossh, "who")
@click.argument("image")
@click.option("--look", is_flag=True, help="Ask all hosts, too, whoever started it there.")
def _who(options: Options, image: str, *, look: bool) -> None:
    """Show where IMAGE runs. It is a digest, a name, a tag, NAME:TAG or NAME@DIGEST."""
    found = options.space().who(image, look=look)
    options.show(found)
    if found.unseen:
        sys.exit(1)
