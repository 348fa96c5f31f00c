"""Commands about the record: who did what, and whether it still holds."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import click

from octossh.cli.options import Options, command, octossh
from octossh.cli.times import since, until


@octossh.group("audit")
def _audit() -> None:
    """Look into the record: who did what, and does it still hold?"""


@command(_audit, "list")
@click.argument("project", required=False)
@click.option("--in", "environment", metavar="ENVIRONMENT", help="Only this one.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this one, such as release_created.")
@since
@until
@click.option("--steps", is_flag=True, help="Each step on each host as well.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
def _list(options: Options, project: str | None, **wanted: Any) -> None:
    """Show who did what, newest first."""
    options.show(options.space().audit(project, **wanted))


@command(_audit, "export")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--project", help="Only what is about this one.")
@since
@until
@click.option("-o", "--output", type=click.Path(dir_okay=False, writable=True), help="Default: standard output.")
def _export(options: Options, form: str, output: str | None, **wanted: Any) -> None:
    """Write all of the record, oldest first, as JSON lines or CSV."""
    # The octofile is loaded in its own folder; the file was named from this one.
    place = None if output is None else Path(output).resolve()
    lines = options.space().export_audit(form, **wanted)
    if place is None:
        # Always these lines: --json has nothing to add.
        for line in lines:
            click.echo(line, nl=False)
        return
    from octossh.model import write_whole

    counted = itertools.count(-1 if form == "csv" else 0)
    write_whole(place, (line for line in lines if next(counted) is not None))
    count = next(counted)
    options.show({"events": count, "file": output}, f"{count} events written to {output}")


@command(_audit, "verify")
@click.option("--hosts", is_flag=True, help="Ask the hosts, too: was the store rolled back, or rewritten as a whole?")
def _verify(options: Options, *, hosts: bool) -> None:
    """Check that nothing in the record was edited or taken out."""
    space = options.space()
    found = space.verify()
    if not hosts:
        options.show(found)
        sys.exit(0 if found.ok else 1)
    said = space.ask_hosts()
    options.show({**found.to_dict(), "hosts": said.to_dict()}, f"{found}\n{said}")
    if not (found.ok and said.ok):
        sys.exit(1)


@command(_audit, "send")
def _send(options: Options) -> None:
    """Send to the sinks what they have not got yet. Ends with 1 if that fails."""
    left = options.space().send_audit()
    text = "\n".join(map(str, left)) or "all events are sent"
    options.show({"backlog": [one.to_dict() for one in left]}, text)
    if left:
        sys.exit(1)
