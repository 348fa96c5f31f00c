"""The command ``octossh``. The door of click and rich."""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click
from attrs import define

from octossh._version import __version__
from octossh.errors import DeployFailed, ModelError, OctosshError
from octossh.model import Approval, ApprovalRequest, Deployment, Event, Release, columns
from octossh.space import Space, whoami
from octossh.versions import Explanation

__all__ = ["main"]


@define
class _Options:
    """What stands before the name of the command, or behind it."""

    file: str = "octofile.py"
    as_json: bool = False
    events: bool = False
    quiet: bool = False
    _space: Space | None = None

    def space(self) -> Space:
        if self._space is None:
            self._space = load(self.file)
            if self.events:
                self._space.on_event = _print_event_json
            elif not self.quiet:
                self._space.on_event = _print_event
            click.get_current_context().find_root().call_on_close(self._space.close)
        return self._space

    def show(self, value: Any, text: str | None = None) -> None:
        """The result, on standard output: as JSON or for people."""
        if self.as_json:
            click.echo(
                json.dumps(value.to_dict() if hasattr(value, "to_dict") else value, ensure_ascii=False, indent=2)
            )
        else:
            click.echo(str(value) if text is None else text)


def load(path: str) -> Space:
    """The `Space` that an octofile defines as ``space``. Relative paths in it start at its folder.

    Raises:
        ModelError: The file is not there, fails, or defines no space.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelError(f"there is no file {path}; write one that defines 'space', or name another with -f")
    os.chdir(file.resolve().parent)
    sys.path.insert(0, str(Path.cwd()))
    try:
        defined = runpy.run_path(file.name, run_name="octofile")
    except OctosshError as error:
        raise ModelError(f"{path}{_line(error, file.name)}: {error}") from error
    except SyntaxError as error:
        # It may stand in a module that the file imports.
        where = path if error.filename in {None, file.name} else error.filename
        line = f", line {error.lineno}" if error.lineno else ""
        raise ModelError(f"{where}{line}: this is not Python: {error.msg}; correct it there") from error
    except (Exception, SystemExit) as error:
        raise ModelError(f"{path}{_line(error, file.name)}: it fails with {type(error).__name__}: {error}") from error
    space = defined.get("space")
    if not isinstance(space, Space):
        raise ModelError(f"{path} defines no space; end it with: space = octossh.Space(projects=[...], targets=...)")
    return space


def _line(error: BaseException, name: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return f", line {lines[-1]}" if lines else ""


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def _print_event(event: Event) -> None:
    """Progress for people, one line each, on standard error."""
    place = f"{event.target}  {event.step}"
    if event.type == "output":
        # What a container prints may hold sequences that move the cursor or rename the window.
        line = _CONTROL.sub("?", event.data["line"])
        if line.startswith("octossh: "):
            click.echo(f"{place}  {line.removeprefix('octossh: ')}", err=True)
        else:
            click.echo(f"{place}  | {line}", err=True)
    elif event.type == "step_finished":
        did = event.data["action"] or event.data["state"]
        why = f": {event.data['why']}" if event.data["why"] else ""
        click.echo(f"{place}  {did}{why}", err=True)


def _print_event_json(event: Event) -> None:
    click.echo(json.dumps(event.to_dict(), ensure_ascii=False), err=True)


def _both(command: Callable[..., None]) -> Callable[..., None]:
    """Let the common options stand behind the name of the command as well."""

    def set_option(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
            if value:
                setattr(context.ensure_object(_Options), name, value)

        return callback

    for flags, name, text in (
        (("--json", "as_json"), "as_json", "Print one JSON document on standard output."),
        (("--events",), "events", "Print events as JSON lines on standard error."),
        (("-q", "--quiet"), "quiet", "Print no progress."),
    ):
        option = click.option(*flags, is_flag=True, expose_value=False, callback=set_option(name), help=text)
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="octossh")
@click.option(
    "-f", "--file", "file", default="octofile.py", show_default=True, help="The octofile; it defines 'space'."
)
@_both
@click.pass_context
def octossh(context: click.Context, file: str) -> None:
    """Release Docker images through stages and deploy them to Linux hosts over SSH."""
    context.ensure_object(_Options).file = file


def _command(group: click.Group, name: str) -> Callable[[Callable[..., Any]], Any]:
    def wrap(function: Callable[..., Any]) -> Any:
        return group.command(name)(_both(click.pass_obj(function)))

    return wrap


@_command(octossh, "tags")
@click.argument("image")
@click.option("--project", help="Whose channels; default: the first that runs the image.")
@click.option("--channel", help="Default: the first of the project.")
@click.option("--explain", is_flag=True, help="Say for each tag why it was picked or not.")
@click.option("--range", help="Try this range instead of the channel's, such as '[1.0,2.0)'; likewise:")
@click.option("--variant", help="Such as alpine; '*' for all of them, '' for none.")
@click.option("--prefix", help="Such as release-.")
@click.option("--prerelease", metavar="REGEX", help="Such as '^rc'.")
@click.option("--tag", metavar="REGEX", help="What the tag itself has to match.")
@click.option("--scheme", help="How versions count: dotted, calver, date or number.")
@click.option("--mode", help="How tags are read, such as docker or semver.")
@click.option("--downgrade", is_flag=True, default=None, help="Take older versions than the last release has, too.")
@click.option("--max-major-jump", type=int, metavar="N", help="So many major versions further at most.")
@click.option("--min-age-days", type=float, metavar="DAYS", help="Take tags that have been there for so long.")
def _tags(
    options: _Options, image: str, project: str | None, channel: str | None, *, explain: bool, **changes: Any
) -> None:
    """Show the tags of IMAGE, and which one a release would pick."""
    tried = {name: value for name, value in changes.items() if value is not None}
    explanation = options.space().tags(image, channel=channel, project=project, **tried)
    options.show(explanation, None if explain else _tags_text(explanation))


def _tags_text(explanation: Explanation) -> str:
    accepted = [verdict.tag for verdict in explanation.verdicts if verdict.accepted]
    picked = explanation.chosen.tag if explanation.chosen else "none"
    more = f" and {len(accepted) - 10} more" if len(accepted) > 10 else ""
    lines = [
        f"picked: {picked}",
        f"fitting: {' '.join(accepted[:10]) or 'none'}{more}",
        f"others: {len(explanation.verdicts) - len(accepted)} (--explain says why)",
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in explanation.notes)])


@_command(octossh, "images")
@click.argument("text", default="")
@click.option("--registry", metavar="NAME", help="Default: the only one that projects have images of.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def _images(options: _Options, text: str, registry: str | None, limit: int) -> None:
    """List the repositories of a registry that have TEXT in their name, where the registry tells."""
    options.show(options.space().images(text, registry=registry, limit=limit))


@octossh.group("release")
def _release() -> None:
    """Make and list releases."""


@_command(_release, "create")
@click.argument("project", required=False)
@click.option("--channel", help="Default: the first of the project.")
@click.option("--number", help="Default: the next one.")
@click.option("--set", "versions", multiple=True, metavar="IMAGE=TAG", help="Take this tag instead of choosing.")
@click.option("--notes", default="", help="Markdown.")
def _release_create(
    options: _Options,
    project: str | None,
    channel: str | None,
    number: str | None,
    versions: tuple[str, ...],
    notes: str,
) -> None:
    """Pick versions, pin them to digests, and store a release of PROJECT."""
    pairs = dict(_pair(text) for text in versions)
    release = options.space().create_release(project, channel=channel, number=number, versions=pairs, notes=notes)
    options.show(release)


def _pair(text: str) -> tuple[str, str]:
    image, equals, tag = text.partition("=")
    if not (image and equals and tag):
        raise click.BadParameter(f"{text!r}: write IMAGE=TAG, such as acme/web=1.2.0", param_hint="--set")
    return image, tag


@_command(_release, "list")
@click.argument("project", required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
def _release_list(options: _Options, project: str | None, limit: int) -> None:
    """List the releases of PROJECT, newest first."""
    releases = options.space().releases(project, limit=limit)
    options.show({"releases": [release.to_dict() for release in releases]}, _releases_text(releases))


def _releases_text(releases: tuple[Release, ...]) -> str:
    if not releases:
        return "there is no release yet; make one with 'octossh release create'"
    rows = [
        (r.number, r.channel, f"{r.created_at:%Y-%m-%d %H:%M:%S}", r.created_by, ", ".join(map(str, r.pins)))
        for r in releases
    ]
    return columns(rows, ("release", "channel", "created (UTC)", "by", "images"))


_project = click.option("--project", help="Default: the only one.")
_number = click.argument("release", default="latest")
_to = click.option("--to", "environment", required=True, metavar="ENVIRONMENT", help="Where to.")


@_command(octossh, "plan")
@_number
@_to
@_project
@click.option("--detailed-exitcode", is_flag=True, help="End with 3 when there are changes.")
def _plan(options: _Options, release: str, environment: str, project: str | None, detailed_exitcode: bool) -> None:
    """Show what deploying RELEASE (default: the latest) would do on which host. Hosts are only looked at."""
    space = options.space()
    made = space.plan(space.release(project, release), environment)
    options.show(made)
    if detailed_exitcode and made.has_changes:
        sys.exit(3)


@_command(octossh, "render")
@_number
@_to
@_project
def _render(options: _Options, release: str, environment: str, project: str | None) -> None:
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
            click.echo(_CONTROL.sub(lambda found: "\n" if found[0] == "\n" else "?", request.instructions), err=True)
        try:
            approved = click.confirm("Approve?", err=True)
            notes = click.prompt("Notes", default="", show_default=False, err=True)
        except click.Abort:
            raise KeyboardInterrupt from None
        return Approval(approved, by=request.by, notes=notes)


def _approving(options: _Options, texts: tuple[str, ...]) -> Space:
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


@_command(octossh, "deploy")
@_number
@_to
@_project
@_approve
def _deploy(options: _Options, release: str, environment: str, project: str | None, approvals: tuple[str, ...]) -> None:
    """Deploy RELEASE (default: the latest) to an environment."""
    space = _approving(options, approvals)
    _deployed(options, lambda: space.deploy(space.release(project, release), environment))


@_command(octossh, "promote")
@click.argument("project", required=False)
@_to
@_approve
def _promote(options: _Options, project: str | None, environment: str, approvals: tuple[str, ...]) -> None:
    """Deploy what stands in the environment before to the next one."""
    space = _approving(options, approvals)
    _deployed(options, lambda: space.promote(project, to=environment))


@_command(octossh, "rollback")
@click.argument("project", required=False)
@click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
@click.option("--to", "release", metavar="RELEASE", help="Default: the one that stood there before.")
@_approve
def _rollback(
    options: _Options, project: str | None, environment: str, release: str | None, approvals: tuple[str, ...]
) -> None:
    """Deploy to an environment the release that stood there before."""
    space = _approving(options, approvals)
    _deployed(options, lambda: space.rollback(project, environment, to=release))


def _deployed(options: _Options, deploy: Callable[[], Deployment]) -> None:
    try:
        options.show(deploy())
    except DeployFailed as error:
        if options.as_json:
            options.show(error.deployment)
        raise


@_command(octossh, "prune")
@click.argument("project", required=False)
@click.option("--in", "environment", required=True, metavar="ENVIRONMENT", help="Where.")
@click.option("--keep", type=click.IntRange(1), default=5, show_default=True, help="Releases that stay ready.")
@click.option("--yes", is_flag=True, help="Remove it; without this, only show what would go.")
def _prune(options: _Options, project: str | None, environment: str, keep: int, yes: bool) -> None:
    """Remove images and stopped containers of old releases from an environment."""
    space = options.space()
    made = space.plan_prune(environment, project=project, keep=keep)
    if yes:
        _deployed(options, lambda: space.deploy(made))
    else:
        options.show(made)


@_command(octossh, "status")
@click.argument("project", required=False)
def _status(options: _Options, project: str | None) -> None:
    """Show which release stands in which environment."""
    options.show(options.space().status(project))


@_command(octossh, "history")
@click.argument("project", required=False)
@click.option("--in", "environment", metavar="ENVIRONMENT", help="Only this one.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--log", "deployment", metavar="ID", help="All of one deployment, with its logs.")
def _history(
    options: _Options, project: str | None, environment: str | None, limit: int, deployment: str | None
) -> None:
    """Show what was deployed, newest first."""
    space = options.space()
    if deployment is not None:
        found = space.store.deployment(deployment)
        options.show(found, _with_logs(found))
        return
    options.show(space.history(project, environment=environment, limit=limit))


def _with_logs(deployment: Deployment) -> str:
    logs = [
        f"--- {outcome.target}  {outcome.step}\n{outcome.log.strip()}"
        for outcome in deployment.outcomes
        if outcome.log.strip()
    ]
    return "\n".join([str(deployment), *logs])


@_command(octossh, "check")
@click.option("--in", "environment", metavar="ENVIRONMENT", help="Only the targets of this one.")
def _check(options: _Options, environment: str | None) -> None:
    """Look at the channels, and at each target: could it be deployed to?"""
    found = options.space().check(environment)
    for warning in found.warnings:
        click.echo(f"octossh: warning: {warning}", err=True)
    options.show(found)
    if not found.ok:
        sys.exit(1)


@octossh.group("audit")
def _audit() -> None:
    """Look into the record."""


@_command(_audit, "verify")
def _verify(options: _Options) -> None:
    """Check that nothing in the record was edited or taken out."""
    found = options.space().verify()
    options.show(found)
    if not found.ok:
        sys.exit(1)


def _complain(error: BaseException, code: int, *, as_json: bool) -> NoReturn:
    message = " ".join(str(error).split()) if not isinstance(error, DeployFailed) else error.deployment.error
    if as_json and not isinstance(error, DeployFailed):
        hosts = error.hosts.value if isinstance(error, OctosshError) else "untouched"
        click.echo(
            json.dumps(
                {"error": {"kind": type(error).__name__, "message": message, "hosts": hosts}}, ensure_ascii=False
            )
        )
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    click.echo(f"octossh: {message}{notes}", err=True)
    if isinstance(error, DeployFailed):
        click.echo(f"octossh: hosts: {error.hosts.value}; see: octossh history --log {error.deployment.id}", err=True)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; the exit codes are 0 done, 1 failed, 2 usage, 3 changes, 4 refused, 130 interrupted."""
    options = _Options()
    # A job that is cancelled gets SIGTERM: end it as Ctrl-C does, so that the record says how far it came.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        octossh.main(arguments, obj=options, prog_name="octossh", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):  # click makes the first out of the second
        _complain(
            KeyboardInterrupt("interrupted; 'octossh history' says how far it came"), 130, as_json=options.as_json
        )
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OctosshError as error:
        _complain(error, error.exit_code, as_json=options.as_json)
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
