"""What is said for one deployment: in the command line, or at the terminal when the command asks."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import octossh as oc
from octossh.cli.options import Options
from octossh.errors import ModelError
from octossh.visible import one_line, visible

if TYPE_CHECKING:
    from octossh.model import Decision, Value

__all__ = ["Going", "Later", "approving", "asking", "with_choices", "with_going", "with_later"]


def with_choices(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that are those of a deployment; it gets those that are given, as its verb takes them."""

    @click.option("--skip", multiple=True, metavar="STEP", help="Leave this step out; may be given again.")
    @click.option("--only", multiple=True, metavar="TARGET", help="Go to this target only; may be given again.")
    @click.option("--exclude", multiple=True, metavar="TARGET", help="Leave this target out; may be given again.")
    @click.option("--variable", "pairs", multiple=True, metavar="NAME=VALUE", help="Of a variable, for this time.")
    @click.option("--variable-file", "files", multiple=True, metavar="NAME=FILE", help="Where a secret one stands.")
    @click.option("--override-freeze", metavar="WHY", help="Do it in spite of a freeze; the reason is recorded.")
    @click.option("--parallel", type=click.IntRange(1, 1000), metavar="N", help="Hosts at once.")
    @click.option("--max-failures", metavar="N|N%", help="How many hosts may fail while the others go on.")
    @click.option("--on-failure", type=click.Choice(["stop", "continue", "rollback"]), help="When more have failed.")
    @click.option("--offline", type=click.Choice(["fail", "skip"]), help="Where hosts cannot be reached.")
    @click.option("--why", metavar="TEXT", help="The reason, for whoever reads the record later.")
    @functools.wraps(command)
    def wrapped(*arguments: Any, pairs: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
        variables: dict[str, Value | oc.Secret] = dict(_pair(text, "--variable", "Count=3") for text in pairs)
        for name, path in (_pair(text, "--variable-file", "Password=password.txt") for text in files):
            variables[name] = _secret_in(path)
        said = {"skip": None, "only": None, "exclude": None, "override_freeze": None, "why": None}
        given = {name: options.pop(name) for name in said}
        rollout = _rollout(arguments[0], options)
        chosen = {name: value for name, value in {**given, "variables": variables, "rollout": rollout}.items() if value}
        command(*arguments, **options, **chosen)

    return wrapped


def _rollout(common: Options, given: dict[str, Any]) -> oc.Rollout | None:
    """The rollout of the environment with what is said otherwise, which is taken out of *given*; None for nothing."""
    names = ("parallel", "max_failures", "on_failure", "offline")
    said = {name: value for name in names if (value := given.pop(name)) is not None}
    if not said:
        return None
    most = said.get("max_failures", "")
    said |= {"max_failures": int(most)} if most.isdigit() else {}
    import attrs

    return attrs.evolve(common.space().rollout_of(given["environment"], given.get("project")), **said)


@dataclass(slots=True)
class Going:
    """How a command goes about changing hosts.

    Attributes:
        approvals: Beforehand: the name of a step, and behind ``=`` notes.
        wait_s: Seconds for the end of another deployment.
        detach: Whether it ends where an approval is wanted, which it waits for in the store.
    """

    approvals: tuple[str, ...]
    wait_s: float
    detach: bool


def with_going(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that changes hosts, as a `Going`."""
    approvals = click.option(
        "--approve", "approvals", multiple=True, metavar="STEP[=NOTES]", help="Approve this step beforehand, as you."
    )
    wait = click.option(
        "--wait", "wait_s", type=click.FloatRange(0), default=0, metavar="SECONDS", help="For the end of another one."
    )
    detach = click.option("--detach", is_flag=True, help="Ask nobody for approvals here: wait for them in the store.")
    guided = click.option("--guided", is_flag=True, help="Ask here what to do when a step has failed on a host.")

    @functools.wraps(command)
    def wrapped(
        *arguments: Any, guided: bool, approvals: tuple[str, ...], wait_s: float, detach: bool, **given: Any
    ) -> None:
        if guided:
            deciding(arguments[0].space())
        command(*arguments, going=Going(approvals, wait_s, detach), **given)

    return approvals(wait(detach(guided(wrapped))))


@dataclass(slots=True)
class Later:
    """When something is done that is not done now.

    Attributes:
        times: From when and until when, as `octossh.Space.schedule` takes them.
    """

    times: dict[str, str | None]


def with_later(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that can put off what it does, as a `Later`, or None: it is done now."""
    at = click.option(
        "--at", metavar="TIME", help="Not now, by 'run-due' from then on: '2026-12-24 02:00' by the clock here."
    )
    expires = click.option(
        "--expires", "expires_at", metavar="TIME", help="With --at: not from then on. Default: an hour later."
    )
    approve = click.option("--approve-later", is_flag=True, help="By 'run-due', once 'octossh approve' has been given.")

    @functools.wraps(command)
    def wrapped(*arguments: Any, at: str | None, expires_at: str | None, approve_later: bool, **given: Any) -> None:
        later = Later({"at": at, "expires_at": expires_at}) if at is not None or approve_later else None
        if expires_at is not None and later is None:
            raise click.UsageError("--expires says when something is too late that waits; give --at, too")
        command(*arguments, later=later, **given)

    return at(expires(approve(wrapped)))


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        # Whatever it is, it may be a secret that stands in the wrong place.
        raise click.BadParameter(f"write NAME=..., such as {example}", param_hint=option)
    return name, value


def _secret_in(path: str) -> oc.Secret:
    try:
        return oc.Secret(Path(path).read_text(encoding="utf-8").removesuffix("\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise click.BadParameter(f"{path} cannot be read: {reason}", param_hint="--variable-file") from None


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def asking(space: oc.Space) -> oc.Space:
    """The space, with somebody to ask for variables: the octofile's own, or whoever sits at the terminal."""
    if space.ask is None and _terminal():
        space.ask = _ask
    return space


def _ask(variable: oc.Variable) -> Value | oc.Secret | None:
    proposed = "" if variable.sensitive or variable.value is None else str(variable.value)
    while True:
        try:
            answer = click.prompt(
                one_line(variable.prompt or variable.name),
                # Without a default, an empty answer is asked for again.
                default=None if variable.required and not proposed and not variable.sensitive else proposed,
                show_default=bool(proposed),
                hide_input=variable.sensitive,
                err=True,
            )
        except click.Abort:
            raise KeyboardInterrupt from None
        if not answer:
            return None
        try:
            return oc.Secret(answer) if variable.sensitive else variable.read(answer)
        except ModelError as error:
            click.echo(str(error), err=True)


class _Approver:
    """Who is asked by a step that wants an approval: whoever gave the command, beforehand or at the terminal."""

    def __init__(self, beforehand: Mapping[str, oc.Approval]) -> None:
        self.beforehand = beforehand

    def __call__(self, request: oc.ApprovalRequest) -> oc.Approval:
        if request.step in self.beforehand:
            return self.beforehand[request.step]
        click.echo(f"\n{request.project} {request.release} -> {request.environment}: {request.step}", err=True)
        if request.instructions:
            click.echo(visible(request.instructions), err=True)
        try:
            approved = click.confirm("Approve?", err=True)
            notes = click.prompt("Notes", default="", show_default=False, err=True)
        except click.Abort:
            raise KeyboardInterrupt from None
        return oc.Approval(approved, by=request.by, notes=notes)


def approving(space: oc.Space, going: Going) -> oc.Space:
    """The space, with somebody to ask: the octofile's own approver, unless --approve is given or there is none."""
    given = {step: notes for step, _, notes in (text.partition("=") for text in going.approvals)}
    if space.approve is None or given or going.detach:
        from octossh.recording import whoami

        by = whoami()
        beforehand = {step: oc.Approval(True, by=by, notes=notes) for step, notes in given.items()}
        space.approve = _Approver(beforehand) if _terminal() and not going.detach else beforehand
    return asking(space)


def deciding(space: oc.Space) -> None:
    """Let whoever sits at the terminal say what to do when a step has failed on a host."""
    if not _terminal():
        raise click.UsageError("--guided asks at a terminal, and there is none; give Space(on_failure=...) instead")
    space.on_failure = _decide


def _decide(request: oc.FailureRequest) -> Decision:
    click.echo(visible(f"\n{request.target}: step {request.step!r} failed: {request.why}"), err=True)
    for line in visible(request.log).strip().splitlines()[-10:]:
        click.echo(f"  | {line}", err=True)
    try:
        action = click.prompt("What shall be done?", type=click.Choice(request.choices), err=True)
        notes = click.prompt("Notes", default="", show_default=False, err=True)
    except click.Abort:
        raise KeyboardInterrupt from None
    from octossh.model import Decision

    return Decision(action, by=request.by, notes=notes)
