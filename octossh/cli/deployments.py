"""Commands that change hosts, or show what would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

import click

import octossh as oc
from octossh.cli.asking import Going, Later, approving, asking, with_choices, with_going, with_later
from octossh.cli.options import Options, command, octossh
from octossh.errors import DeployFailed, DeployWaits, Hosts, OctosshError

if TYPE_CHECKING:
    from octossh.model import OptionFields

MARKS = {"+": "green", "~": "yellow", "-": "red", "!": "red", ">": "cyan", "?": "cyan", "*": "cyan"}
"""Of the lines of a plan, by their marks."""

_project = click.option("--project", help="Default: the only one.")
_number = click.argument("release", default="latest")
_to = click.option("--to", "environment", required=True, metavar="ENVIRONMENT", help="Where to.")
_cancel_waiting = click.option(
    "--cancel-waiting", is_flag=True, help="End a deployment that waits there for an approval; else it is in the way."
)


@command(octossh, "plan")
@_number
@_to
@_project
@with_choices
@click.option("--detailed-exitcode", is_flag=True, help="End with 3 when there are changes.")
def _plan(
    options: Options,
    release: str,
    environment: str,
    project: str | None,
    detailed_exitcode: bool,
    **choices: Unpack[OptionFields],
) -> None:
    """Show what deploying RELEASE would do on which host. Default: the latest. Hosts are only looked at."""
    space = asking(options.space())
    made = space.plan(space.release(project, release), environment, **choices)
    options.show(made, colours=MARKS)
    if detailed_exitcode and made.has_changes:
        sys.exit(3)


@command(octossh, "render")
@_number
@_to
@_project
@with_choices
def _render(
    options: Options, release: str, environment: str, project: str | None, **choices: Unpack[OptionFields]
) -> None:
    """Show the scripts that deploying RELEASE would send. Hosts are only looked at, and secrets are not in them."""
    space = asking(options.space())
    rendered = space.render(space.plan(space.release(project, release), environment, **choices))
    data = [{**task.to_dict(), "script": script.body if script else None} for task, script in rendered]
    parts = [
        f"### {task.target.name}: {task.step.name}\n"
        + (script.body if script else f"# known after {task.after!r}\n" if task.after else "# nothing is sent\n")
        for task, script in rendered
    ]
    options.show({"scripts": data}, "\n".join(parts))


@command(octossh, "deploy")
@_number
@_to
@_project
@click.option("--outdated", is_flag=True, help="What stands there, to the hosts that lack it; without RELEASE.")
@with_going
@_cancel_waiting
@with_choices
@with_later
def _deploy(
    options: Options,
    release: str,
    environment: str,
    project: str | None,
    going: Going,
    *,
    cancel_waiting: bool,
    later: Later | None,
    outdated: bool,
    **choices: Unpack[OptionFields],
) -> None:
    """Deploy RELEASE to an environment, now or later. Default: the latest."""
    if outdated and (release != "latest" or later):
        raise click.UsageError("--outdated deploys the release that stands there, and now; leave out the rest")
    if later:
        space = asking(options.space())
        _put_aside(options, going, space.schedule(release, environment, project=project, **later.times, **choices))
        return
    space = approving(options.space(), going)
    ways: dict[str, Any] = {"wait_s": going.wait_s, "cancel_waiting": cancel_waiting}
    if not outdated:
        _deployed(options, lambda: space.deploy(release, environment, project=project, **ways, **choices))
    elif space.outdated(environment, project=project):
        _deployed(options, lambda: space.catch_up(environment, project=project, **ways, **choices))
    else:
        options.show({"outdated": []}, f"each host of {environment} has what stands there")


def _put_aside(options: Options, going: Going, made: oc.Schedule) -> None:
    """Show what was scheduled, with the approvals that were given with it; where one is refused, nothing waits."""
    schedules = options.space().schedules
    try:
        for step, _, notes in (text.partition("=") for text in going.approvals):
            made = schedules.approve(made.id, step, notes=notes)
    except OctosshError as error:
        schedules.cancel(made.id, why=str(error))
        raise
    options.show(made)


@command(octossh, "promote")
@click.argument("project", required=False)
@_to
@click.option("--channel", help="Whose lifecycle says what stands before. Default: the project's.")
@with_going
@_cancel_waiting
@with_choices
@with_later
def _promote(
    options: Options,
    project: str | None,
    environment: str,
    channel: str | None,
    going: Going,
    *,
    cancel_waiting: bool,
    later: Later | None,
    **choices: Unpack[OptionFields],
) -> None:
    """Deploy what stands in the environment before to the next one."""
    if later:
        space = asking(options.space())
        made = space.schedule_promotion(project, to=environment, channel=channel, **later.times, **choices)
        _put_aside(options, going, made)
        return
    space = approving(options.space(), going)
    ways: dict[str, Any] = {"wait_s": going.wait_s, "cancel_waiting": cancel_waiting}
    _deployed(options, lambda: space.promote(project, to=environment, channel=channel, **ways, **choices))


@command(octossh, "rollback")
@click.argument("project", required=False)
@click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
@click.option("--to", "release", metavar="RELEASE", help="Default: the one that stood there before.")
@with_going
@_cancel_waiting
@with_choices
@with_later
def _rollback(
    options: Options,
    project: str | None,
    environment: str,
    release: str | None,
    going: Going,
    *,
    cancel_waiting: bool,
    later: Later | None,
    **choices: Unpack[OptionFields],
) -> None:
    """Deploy to an environment the release that stood there before."""
    if later:
        space = asking(options.space())
        made = space.schedule_rollback(project, environment, to=release, **later.times, **choices)
        _put_aside(options, going, made)
        return
    space = approving(options.space(), going)
    ways: dict[str, Any] = {"wait_s": going.wait_s, "cancel_waiting": cancel_waiting}
    _deployed(options, lambda: space.rollback(project, environment, to=release, **ways, **choices))


def _deployed(options: Options, deploy: Callable[[], oc.Deployment]) -> None:
    try:
        options.show(deploy())
    except (DeployFailed, DeployWaits) as error:
        if options.as_json:
            options.show(error.deployment)
        raise


@command(octossh, "continue")
@click.argument("id", metavar="DEPLOYMENT")
@with_going
def _continue(options: Options, id: str, going: Going) -> None:  # noqa: A002 - the argument's name
    """Go on with a DEPLOYMENT that waits for an approval. It has been given, or is asked for here."""
    space = approving(options.space(), going)
    _deployed(options, lambda: space.go_on(id, wait_s=going.wait_s))


@command(octossh, "resume")
@click.argument("id", metavar="DEPLOYMENT", required=False)
def _resume(options: Options, id: str | None) -> None:  # noqa: A002 - the argument's name
    """Find out how DEPLOYMENT ended, and record it.

    Default: the newest one that has lost its process or a host. What still runs is waited for, and nothing more is
    started; deploy the same release again for the rest. Ends with 1 where something is still unknown.
    """
    ended = options.space().resume(id)
    options.show(ended)
    if ended.hosts is Hosts.UNKNOWN:
        sys.exit(1)


@command(octossh, "prune")
@click.argument("project", required=False)
@click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
@click.option("--keep", type=click.IntRange(1), default=5, show_default=True, help="Releases that stay ready.")
@click.option("--yes", is_flag=True, help="Remove it; without this, only show what would go.")
@click.option("--override-freeze", default="", metavar="WHY", help="Do it in spite of a freeze.")
def _prune(
    options: Options, project: str | None, environment: str, keep: int, *, yes: bool, override_freeze: str
) -> None:
    """Remove images and stopped containers of old releases. Those of one environment."""
    space = options.space()
    made = space.plan_prune(environment, project=project, keep=keep)
    if yes:
        _deployed(options, lambda: space.deploy(made, override_freeze=override_freeze))
    else:
        options.show(made, colours=MARKS)
