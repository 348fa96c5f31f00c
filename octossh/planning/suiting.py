"""Whether a step can be done with docker as a target has it, and with its images as they are built. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from octossh.errors import PlanError
from octossh.model import SecretRef, is_compose_step, is_run_script, is_swarm_service

if TYPE_CHECKING:
    from octossh.model import Image, Release, Step, Target
    from octossh.shell import Secret

__all__ = ["unserved", "unsuited"]


def unsuited(step: Step, target: Target, secrets: Mapping[str, Secret]) -> str:
    """Why *step*, with its expressions evaluated, cannot be done on *target*; empty where it can."""
    if target.images == "push" and (is_compose_step(step) or is_swarm_service(step)):
        return "images are sent to this target one by one, and compose and swarm pull them themselves; use RunContainer"
    if target.bare:
        return ""
    before = f"{target.docker[0]}, which stands before docker there, hands on no environment"
    advice = "let the user talk to docker without it"
    if is_compose_step(step) or is_swarm_service(step):
        return f"{before}, and compose reads its variables there; {advice}"
    env = getattr(step, "env", {})
    if is_run_script(step):
        return f"{before}, in which env would reach the container; {advice}" if step.image and env else ""
    for name, value in env.items():
        secret = secrets.get(value.name) if isinstance(value, SecretRef) else None
        text = value if isinstance(value, str) else secret.reveal() if secret else ""
        if "\n" in text or text.endswith("\r"):
            return f"{before}, so {name} travels in a file of lines and must be one; encode it, or {advice}"
    return ""


def unserved(step: Step, release: Release, host: str) -> str:
    """Why an image of *step* does not run where docker runs *host*, such as ``linux/amd64``; empty where it may.

    For a step in a swarm *host* is that of the manager, which does not say where the tasks will run.
    """
    for image, said in _platforms(step):
        pin = release.pin(image)
        # Whoever says a platform knows that the host emulates it.
        try:
            pin.check_platform(said or host, "the step says" if said else "the host is")
        except PlanError as error:
            emulates = hasattr(step, "platform") or is_compose_step(step)
            emulated = "; if the host emulates one of them, say which: platform='...'"
            return f"{error}{emulated if emulates and not said else ''}"
    return ""


def _platforms(step: Step) -> Iterator[tuple[Image, str | None]]:
    """Each image of *step*, and for which platform it is asked for, where the step says that."""
    if is_compose_step(step):
        for name, service in step.document["services"].items():
            said = service.get("platform")
            # What a variable says is known to compose.
            if name in step.images and "$" not in str(said):
                yield step.images[name], said
        return
    for image in step.needed_images:
        yield image, getattr(step, "platform", None)
