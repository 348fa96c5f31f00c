"""Commands about what is deployed later."""

from __future__ import annotations

import sys

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh

_id = click.argument("deployment")


@command(octossh, "run-due")
def _run_due(options: Options) -> None:
    """Start deployments that are due, or have their approval. For cron and its like."""
    space = options.space()
    handled = space.run_due()
    options.show(handled, str(handled) if handled else "nothing is due")
    began = [space.deployment(one.id) for one in handled if one.state is oc.DueState.STARTED]
    if any(one.state is oc.DueState.FAILED for one in handled) or not all(one.ok for one in began):
        sys.exit(1)


@command(octossh, "approve")
@_id
@click.argument("step")
@click.option("--notes", default="", help="They are recorded.")
@click.option("--reject", is_flag=True, help="Do not approve it: it is cancelled, or fails.")
def _approve(options: Options, deployment: str, step: str, notes: str, *, reject: bool) -> None:
    """Answer for STEP of a DEPLOYMENT that waits for it, as you. 'run-due' starts it, or goes on."""
    from octossh.recording import groups_here, whoami

    answer = oc.Approval(not reject, by=whoami(), notes=notes, groups=groups_here())
    options.show(options.space().schedules.approve(deployment, step, answer))


@octossh.group("schedule")
def _schedule() -> None:
    """Look at what is deployed later. 'deploy', 'promote' and 'rollback' with --at add to it."""


@command(_schedule, "list")
@click.option("--all", "everything", is_flag=True, help="Also what waits no longer.")
def _schedule_list(options: Options, *, everything: bool) -> None:
    """Show what waits, the earliest first."""
    options.show(options.space().schedules.list(all=everything))


@command(_schedule, "cancel")
@_id
@click.option("--why", required=True, help="The reason; it is recorded.")
def _schedule_cancel(options: Options, deployment: str, why: str) -> None:
    """Let a DEPLOYMENT that waits never start."""
    options.show(options.space().schedules.cancel(deployment, why=why))
