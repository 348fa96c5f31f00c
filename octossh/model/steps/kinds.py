"""The kinds of steps by their names. Each is loaded when it is asked for, and not in order to tell others from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeGuard

from octossh.model import steps

if TYPE_CHECKING:
    from octossh.model.steps import (
        Approve,
        ComposeStep,
        ContainerStep,
        Prune,
        PutFile,
        RunContainer,
        RunScript,
        Step,
        StopResource,
        SwarmService,
    )

__all__ = [
    "KINDS",
    "is_approve",
    "is_compose_step",
    "is_container_step",
    "is_prune",
    "is_put_file",
    "is_run_container",
    "is_run_script",
    "is_stop_resource",
    "is_swarm_service",
]

_NAMES = (
    "approve",
    "compose_up",
    "create_network",
    "create_volume",
    "prune",
    "pull_image",
    "put_file",
    "run_container",
    "run_once",
    "run_script",
    "stop_resource",
    "swarm_service",
    "swarm_stack",
    "wait_for",
)


class _Kinds(Mapping[str, "type[Step]"]):
    def __getitem__(self, name: str) -> type[Step]:
        if name not in _NAMES:
            raise KeyError(name)
        kind: type[Step] = getattr(steps, name.title().replace("_", ""))
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


KINDS: Mapping[str, type[Step]] = _Kinds()
"""Those that there are."""


def is_approve(step: Step) -> TypeGuard[Approve]:
    """Whether *step* is an `Approve`."""
    return step.kind == "approve"


def is_compose_step(step: Step) -> TypeGuard[ComposeStep]:
    """Whether *step* is made of a file of compose."""
    return step.kind in ("compose_up", "swarm_stack")


def is_container_step(step: Step) -> TypeGuard[ContainerStep]:
    """Whether *step* runs a container of an image, to stay or to end."""
    return step.kind in ("run_container", "run_once")


def is_prune(step: Step) -> TypeGuard[Prune]:
    """Whether *step* is a `Prune`."""
    return step.kind == "prune"


def is_put_file(step: Step) -> TypeGuard[PutFile]:
    """Whether *step* is a `PutFile`."""
    return step.kind == "put_file"


def is_run_container(step: Step) -> TypeGuard[RunContainer]:
    """Whether *step* is a `RunContainer`."""
    return step.kind == "run_container"


def is_run_script(step: Step) -> TypeGuard[RunScript]:
    """Whether *step* is a `RunScript`."""
    return step.kind == "run_script"


def is_stop_resource(step: Step) -> TypeGuard[StopResource]:
    """Whether *step* is a `StopResource`."""
    return step.kind == "stop_resource"


def is_swarm_service(step: Step) -> TypeGuard[SwarmService]:
    """Whether *step* is a `SwarmService`."""
    return step.kind == "swarm_service"
