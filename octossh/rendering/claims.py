"""Claims: what a deployment holds on a host from its first step there to its last one."""

from __future__ import annotations

import attrs

from octossh.model import slug
from octossh.rendering.scripts import fixed
from octossh.shell import Script

__all__ = ["claim_name", "unclaim"]


def claim_name(project: str, environment: str, deployment: str, store: str = "") -> str:
    """The name of the file by which *deployment* claims *project* in *environment* on a host.

    Deployments of one *store* go one after the other, so a claim of that store keeps out none of them. Empty: none
    shares it.
    """
    whose = slug(deployment).replace(".", "-")
    return f"octossh-{slug(project)}-{slug(environment)}.claim.{store or whose}.{whose}"


def unclaim(claim: str) -> Script:
    """A script that frees what stands under *claim*, from `claim_name`."""
    return attrs.evolve(fixed("unclaim", {"claim": claim, "needs_docker": False}), name=f"unclaim {claim}")
