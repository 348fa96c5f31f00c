"""The command that makes room in the store."""

from __future__ import annotations

import click

from octossh.cli.options import Options, command, octossh


@command(octossh, "tidy")
@click.argument("project", required=False)
@click.option("--logs-days", type=click.FloatRange(0), metavar="DAYS", help="Logs of older deployments go, too.")
@click.option("--steps-days", type=click.FloatRange(0), metavar="DAYS", help="So does what they did by step and host.")
@click.option("--yes", is_flag=True, help="Let it go; without this, only show what would go.")
def _tidy(options: Options, project: str | None, logs_days: float | None, steps_days: float | None, yes: bool) -> None:
    """Take old releases, logs and steps out of the store. The lifecycle says which."""
    space = options.space()
    made = space.plan_tidy(project, logs_days=logs_days, steps_days=steps_days)
    options.show(space.tidy(made) if yes else made)
