"""Commands about freezes."""

from __future__ import annotations

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh

_why = click.option("--why", required=True, help="The reason; it is recorded.")


@octossh.group("freeze")
def _freeze() -> None:
    """Say when nothing is deployed."""


@command(_freeze, "add")
@click.argument("name")
@click.option("--from", "starts_at", metavar="TIME", help="Such as '2026-12-24 18:00'; default: now.")
@click.option("--until", "ends_at", metavar="TIME", help="Default: until it is removed.")
@click.option("--weekly", multiple=True, metavar="PART", help="Of each week: 'Fri 16:00 - Mon 08:00'; may be repeated.")
@click.option("--zone", default="UTC", show_default=True, help="The time zone, by its IANA name.")
@click.option("--in", "environments", multiple=True, metavar="ENVIRONMENT", help="Default: all; may be repeated.")
@click.option("--project", "projects", multiple=True, metavar="PROJECT", help="Default: all; may be repeated.")
@_why
def _freeze_add(
    options: Options,
    name: str,
    *,
    starts_at: str | None,
    ends_at: str | None,
    weekly: tuple[str, ...],
    zone: str,
    environments: tuple[str, ...],
    projects: tuple[str, ...],
    why: str,
) -> None:
    """Let nothing be deployed for a time."""
    freeze = oc.Freeze(
        name,
        starts_at=starts_at,
        ends_at=ends_at,
        weekly=weekly,
        zone=zone,
        environments=environments,
        projects=projects,
    )
    options.show(options.space().freezes.add(freeze, why=why))


@command(_freeze, "list")
def _freeze_list(options: Options) -> None:
    """Show all freezes, and which of them hold now."""
    options.show(options.space().freezes)


@command(_freeze, "remove")
@click.argument("name")
@_why
def _freeze_remove(options: Options, name: str, why: str) -> None:
    """End the freeze NAME."""
    options.space().freezes.remove(name, why=why)
    options.show({"removed": name}, f"freeze {name!r} is removed")
