"""Commands that change hosts, or show what would."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import click

from octossh.cli.options import CONTROL, Options, command, octossh
from octossh.errors import DeployFailed
from octossh.model import Approval, ApprovalRequest, Deployment
from octossh.recording import whoami
from octossh.space import Space

_project = click.option("--project", help="Default: the only one.")
_number = click.argument("release", default="latest")
_to = click.option("--to", "environment", required=True, metavar="ENVIRONMENT", help="Where to.")


@command(octossh, "plan")
@_number
@_to
@_project
@click.option("--detailed-exitcode", is_flag=True, help="End with 3 when there are changes.")
def _plan(options: Options, release: str, environment: str, project: str | None, detailed_exitcode: bool) -> None:
    """Show what deploying RELEASE (default: the latest) would do on which host. Hosts are only looked at."""
    space = options.space()
    made = space.plan(space.release(project, release), environment)
    options.show(made)
    if detailed_exitcode and made.has_changes:
        sys.exit(3)


@command(octossh, "render")
@_number
@_to
@_project
def _render(options: Options, release: str, environment: str, project: str | None) -> None:
    """Show the scripts that deploying RELEASE would send. Hosts are only looked at, and secrets are not in them."""
    space = options.space()
    rendered = space.render(space.plan(space.release(project, release), environment))
    data = [{**task.to_dict(), "script": script.body if script else None} for task, script in rendered]
    parts = [
        f"### {task.target.name}: {task.step.name}\n"
        + (script.body if script else f"# known after {task.after!r}\n" if task.after else "# nothing is sent\n")
        for task, script in rendered
    ]
    options.show({"scripts": data}, "\n".join(parts))


class _Asking:
    """Who is asked by a step that wants an approval: whoever gave the command, beforehand or at the terminal."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def __call__(self, request: ApprovalRequest) -> Approval:
        if request.step in self._given:
            return Approval(True, by=request.by, notes=self._given[request.step])
        click.echo(f"\n{request.project} {request.release} -> {request.environment}: {request.step}", err=True)
        if request.instructions:
            click.echo(CONTROL.sub(lambda found: "\n" if found[0] == "\n" else "?", request.instructions), err=True)
        try:
            approved = click.confirm("Approve?", err=True)
            notes = click.prompt("Notes", default="", show_default=False, err=True)
        except click.Abort:
            raise KeyboardInterrupt from None
        return Approval(approved, by=request.by, notes=notes)


def _approving(options: Options, texts: tuple[str, ...]) -> Space:
    """The space, with somebody to ask: the octofile's own approver, unless --approve is given or there is none."""
    space = options.space()
    given = {step: notes for step, _, notes in (text.partition("=") for text in texts)}
    if space.approve is None or given:
        asking = _Asking(given)
        by = whoami()
        beforehand = {step: Approval(True, by=by, notes=notes) for step, notes in given.items()}
        space.approve = asking if sys.stdin.isatty() and sys.stderr.isatty() else beforehand
    return space


_approve = click.option(
    "--approve", "approvals", multiple=True, metavar="STEP[=NOTES]", help="Approve this step beforehand, as you."
)


@command(octossh, "deploy")
@_number
@_to
@_project
@_approve
def _deploy(options: Options, release: str, environment: str, project: str | None, approvals: tuple[str, ...]) -> None:
    """Deploy RELEASE (default: the latest) to an environment."""
    space = _approving(options, approvals)
    _deployed(options, lambda: space.deploy(space.release(project, release), environment))


@command(octossh, "promote")
@click.argument("project", required=False)
@_to
@click.option("--channel", help="Whose lifecycle says what stands before. Default: the project's.")
@_approve
def _promote(
    options: Options, project: str | None, environment: str, channel: str | None, approvals: tuple[str, ...]
) -> None:
    """Deploy what stands in the environment before to the next one."""
    space = _approving(options, approvals)
    _deployed(options, lambda: space.promote(project, to=environment, channel=channel))


@command(octossh, "rollback")
@click.argument("project", required=False)
@click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
@click.option("--to", "release", metavar="RELEASE", help="Default: the one that stood there before.")
@_approve
def _rollback(
    options: Options, project: str | None, environment: str, release: str | None, approvals: tuple[str, ...]
) -> None:
    """Deploy to an environment the release that stood there before."""
    space = _approving(options, approvals)
    _deployed(options, lambda: space.rollback(project, environment, to=release))


def _deployed(options: Options, deploy: Callable[[], Deployment]) -> None:
    try:
        options.show(deploy())
    except DeployFailed as error:
        if options.as_json:
            options.show(error.deployment)
        raise


@command(octossh, "prune")
@click.argument("project", required=False)
@click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
@click.option("--keep", type=click.IntRange(1), default=5, show_default=True, help="Releases that stay ready.")
@click.option("--yes", is_flag=True, help="Remove it; without this, only show what would go.")
def _prune(options: Options, project: str | None, environment: str, keep: int, yes: bool) -> None:
    """Remove images and stopped containers of old releases from an environment."""
    space = options.space()
    made = space.plan_prune(environment, project=project, keep=keep)
    if yes:
        _deployed(options, lambda: space.deploy(made))
    else:
        options.show(made)
