"""Completion of what is typed in a shell: commands and options, and the names that an octofile knows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

import octossh as oc
from octossh.cli.options import COMPLETING, Options, command, load, octossh

__all__ = ["know_names"]


@command(octossh, "completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def _completion(_options: Options, shell: str) -> None:
    """Print what lets SHELL complete commands, options and names.

    For bash, put it into ~/.bashrc: eval "$(octossh completion bash)"
    """
    made = get_completion_class(shell)
    assert made is not None
    # Not by its own source(), which starts the shell to ask for its version.
    parts = made(octossh, {}, "octossh", COMPLETING)
    click.echo(parts.source_template % parts.source_vars())


def know_names(group: click.Group) -> None:
    """Let all parameters that stand for names be completed with those of the octofile."""
    for one in group.commands.values():
        if isinstance(one, click.Group):
            know_names(one)
            continue
        for parameter in one.params:
            find = _NAMES.get(parameter.name or "")
            free = isinstance(parameter.type, click.types.StringParamType)
            if find is not None and free:
                # What click would take as an argument of each option, from one place.
                setattr(parameter, "shell_complete", _completer(find))  # noqa: B010 - a method, for this one alone


Finder = Callable[["oc.Space", dict[str, Any]], Iterable[str]]


def _completer(find: Finder) -> Callable[[click.Context, str], list[CompletionItem]]:
    def complete(context: click.Context, incomplete: str) -> list[CompletionItem]:
        file = context.find_root().params.get("file") or "octofile.py"
        names: Iterable[str] = ()
        # Whatever is wrong is told once the command is given, and not while it is typed.
        with contextlib.suppress(Exception), _silent(), load(file) as space:
            names = [name for name in find(space, _given(context)) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names]

    return complete


def _given(context: click.Context) -> dict[str, Any]:
    """What has been typed already. Before the value of an option, click leaves arguments lie as they came."""
    arguments = [one.name for one in context.command.params if isinstance(one, click.Argument)]
    return {**context.params, **dict(zip(map(str, arguments), context.args, strict=False))}


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What an octofile prints is no completion."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):  # noqa: PTH123
        yield


def _projects(space: oc.Space, _given: dict[str, Any]) -> Iterable[str]:
    return space.projects


def _environments(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    project = str(given.get("project"))
    return (space.projects[project].environments if project in space.projects else ()) or space.environments


def _targets(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    environment = given.get("environment")
    return [target.name for target in space.targets if environment is None or environment in target.environments]


def _owners(space: oc.Space, given: dict[str, Any]) -> list[oc.Project]:
    project = str(given.get("project"))
    return [space.projects[project]] if project in space.projects else list(space.projects.values())


def _steps(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    return dict.fromkeys(step.name for owner in _owners(space, given) for step in owner.process.steps)


def _approvals(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    from octossh.deploying import asks_approval

    return dict.fromkeys(
        step.name for owner in _owners(space, given) for step in owner.process.steps if asks_approval(step)
    )


def _images(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    return dict.fromkeys(image.repository for owner in _owners(space, given) for image in owner.process.images)


def _registries(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    return dict.fromkeys(image.registry.name for owner in _owners(space, given) for image in owner.process.images)


def _types(_space: oc.Space, _given: dict[str, Any]) -> Iterable[str]:
    from octossh.model import RECORDED

    return RECORDED


def _channels(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    return dict.fromkeys(channel.name for owner in _owners(space, given) for channel in owner.channels)


def _releases(space: oc.Space, given: dict[str, Any]) -> Iterable[str]:
    numbers = (number for owner in _owners(space, given) for number in space.store.glance(owner.name))
    return dict.fromkeys(["latest", *numbers])


def _deployments(space: oc.Space, _given: dict[str, Any]) -> Iterable[str]:
    return space.store.glance()


_NAMES: dict[str, Finder] = {
    "project": _projects,
    "environment": _environments,
    "on": _targets,
    "only": _targets,
    "exclude": _targets,
    "target": _targets,
    "targets": _targets,
    "step": _steps,
    "steps": _steps,
    "skip": _steps,
    "channel": _channels,
    "projects": _projects,
    "environments": _environments,
    "approvals": _approvals,
    "image": _images,
    "registry": _registries,
    "types": _types,
    "release": _releases,
    "other": _releases,
    "deployment": _deployments,
    "id": _deployments,
}
"""What the parameters of commands stand for, by their names."""
