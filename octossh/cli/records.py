"""Commands that look: at the record, and at the hosts."""

from __future__ import annotations

import sys

import click

import octossh as oc
from octossh.cli.metrics import exposition
from octossh.cli.options import Options, command, octossh
from octossh.cli.watching import watching
from octossh.visible import visible


@command(octossh, "status")
@click.argument("project", required=False)
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C; where this is no terminal, what changes.")
@click.option(
    "--every", type=click.FloatRange(0.1), default=2, show_default=True, metavar="SECONDS", help="Of --watch."
)
@click.option("--prometheus", is_flag=True, help="As text for the textfile collector of Prometheus' node exporter.")
def _status(options: Options, project: str | None, *, watch: bool, every: float, prometheus: bool) -> None:
    """Show which release stands in which environment."""
    space = options.space()
    if watch and prometheus:
        raise click.UsageError("--prometheus is read by whoever watches; give one of the two")
    if watch:
        watching(lambda: space.status(project), every, as_json=options.as_json)
    elif prometheus:
        click.echo(exposition(space.status(project)), nl=False)
    else:
        options.show(space.status(project))


@command(octossh, "history")
@click.argument("project", required=False)
@click.option("--in", "environment", metavar="ENVIRONMENT", help="Only this one.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--log", "deployment", metavar="ID", help="All of one deployment, with its logs.")
def _history(
    options: Options, project: str | None, environment: str | None, limit: int, deployment: str | None
) -> None:
    """Show what was deployed, newest first. 'deployment show' tells how each step ended."""
    space = options.space()
    if deployment is not None:
        found = space.deployment(deployment)
        options.show(found, "\n".join([str(found), *_logs(found)]))
        return
    made = space.history(project, environment=environment, limit=limit, outcomes=False)
    # What was not asked for is left out, and does not look as if there were none.
    rows = [{name: value for name, value in row.to_dict().items() if name != "outcomes"} for row in made]
    options.show({"deployments": rows}, str(made))


def _logs(deployment: oc.Deployment) -> list[str]:
    return [
        f"--- {outcome.target}  {outcome.step}\n{visible(outcome.log.strip())}"
        for outcome in deployment.outcomes
        if outcome.log.strip()
    ]


@octossh.group("deployment")
def _deployment() -> None:
    """Look at one deployment."""


@command(_deployment, "show")
@click.argument("id", default="latest", metavar="[ID]")
@click.option("--step", "steps", multiple=True, metavar="STEP", help="Only this one.")
@click.option("--on", "targets", multiple=True, metavar="TARGET", help="Only on this one.")
@click.option("--log", is_flag=True, help="The logs as well.")
def _show(options: Options, id: str, steps: tuple[str, ...], targets: tuple[str, ...], *, log: bool) -> None:  # noqa: A002 - what it is
    """Show how each step of the deployment ID (default: the latest) ended on each host, and how long it took."""
    found = options.space().deployment(id).only(steps=steps, targets=targets)
    options.show(found, "\n".join([_sheet(found), *(_logs(found) if log else [])]))


def _sheet(deployment: oc.Deployment) -> str:
    return "\n".join([deployment.summary, *(str(table) for table in deployment.tables())])


@command(octossh, "check")
@click.option("--in", "environment", metavar="ENVIRONMENT", help="Only the targets of this one.")
def _check(options: Options, environment: str | None) -> None:
    """Look whether a release could be made, and deployed. Channels, images and targets are looked at."""
    found = options.space().check(environment)
    for warning in found.warnings:
        click.echo(visible(f"octossh: warning: {warning}"), err=True)
    options.show(found)
    if not found.ok:
        sys.exit(1)
