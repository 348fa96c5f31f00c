"""Commands by which people step in: cancel, and maintenance of targets."""

from __future__ import annotations

import sys

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh


@command(octossh, "cancel")
@click.argument("deployment", required=False)
@click.option("--now", is_flag=True, help="Do not wait for what runs on the hosts; its end is unknown then.")
@click.option("--why", default="", help="The reason; it is recorded.")
def _cancel(options: Options, deployment: str | None, *, now: bool, why: str) -> None:
    """Stop a deployment that runs in another process, or waits. Default: the only one."""
    ended = options.space().cancel(deployment, now=now, why=why)
    options.show(ended)
    if ended.state is oc.State.RUNNING:
        click.echo("octossh: it still runs: its hosts have time to end, or nobody runs it any more", err=True)
        sys.exit(1)


@octossh.group("maintain")
def _maintain() -> None:
    """Leave targets out of deployments for a time."""


@command(_maintain, "start")
@click.argument("target")
@click.option("--why", required=True, help="What is done there; each deployment records it.")
def _start(options: Options, target: str, why: str) -> None:
    """Leave TARGET out of all deployments."""
    made = options.space().maintain(target, why=why)
    options.show(made, f"{target} is {made}")


@command(_maintain, "end")
@click.argument("target")
@click.option("--why", default="", help="The reason; it is recorded.")
def _end(options: Options, target: str, why: str) -> None:
    """Deploy to TARGET again; 'octossh deploy --outdated' brings there what it has missed."""
    options.space().end_maintenance(target, why=why)
    options.show({"target": target}, f"{target} is out of maintenance")


@command(_maintain, "list")
def _list(options: Options) -> None:
    """Show the targets that are in maintenance."""
    space = options.space()
    there = {target.name: f"in maintenance: {target.maintenance}" for target in space.targets if target.maintenance}
    there |= {name: str(made) for name, made in space.maintenance().items()}
    text = "\n".join(f"{name} is {said}" for name, said in there.items()) or "no target is in maintenance"
    options.show({"maintenance": there}, text)
