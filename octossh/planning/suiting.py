"""Whether a step can be done with docker as a target has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from octossh.model import ComposeStep, RunScript, SecretRef, Step, SwarmService, Target
from octossh.shell import Secret

__all__ = ["unsuited"]


def unsuited(step: Step, target: Target, secrets: Mapping[str, Secret]) -> str:
    """Why *step*, with its expressions evaluated, cannot be done on *target*; empty where it can."""
    if target.images == "push" and isinstance(step, ComposeStep | SwarmService):
        return "images are sent to this target one by one, and compose and swarm pull them themselves; use RunContainer"
    if target.bare:
        return ""
    before = f"{target.docker[0]}, which stands before docker there, hands on no environment"
    advice = "let the user talk to docker without it"
    if isinstance(step, ComposeStep | SwarmService):
        return f"{before}, and compose reads its variables there; {advice}"
    env = getattr(step, "env", {})
    if isinstance(step, RunScript):
        return f"{before}, in which env would reach the container; {advice}" if step.image and env else ""
    for name, value in env.items():
        secret = secrets.get(value.name) if isinstance(value, SecretRef) else None
        text = value if isinstance(value, str) else secret.reveal() if secret else ""
        if "\n" in text or text.endswith("\r"):
            return f"{before}, so {name} travels in a file of lines and must be one; encode it, or {advice}"
    return ""
