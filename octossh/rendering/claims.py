"""Claims: what a deployment holds on a host from its first step there to its last one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from octossh.model import slug
from octossh.rendering.scripts import fixed
from octossh.shell import quote

if TYPE_CHECKING:
    from octossh.shell import Script

__all__ = ["LETS_GO", "claim_name", "claimed", "unclaim"]


LETS_GO = """octossh_lets_go=octossh_let_go
octossh_let_go() {
    [ "$1" != succeeded ] || { rm -f "/dev/shm/$octossh_claim" "/tmp/$octossh_claim" && octossh_frame unclaimed; }
}
"""
"""What goes behind that where it is the last script: once it has succeeded, the claim is free."""


def claim_name(project: str, environment: str, deployment: str, store: str = "") -> str:
    """The name of the file by which *deployment* claims *project* in *environment* on a host.

    Deployments of one *store* go one after the other, so a claim of that store keeps out none of them. Empty: none
    shares it.
    """
    whose = slug(deployment).replace(".", "-")
    return f"octossh-{slug(project)}-{slug(environment)}.claim.{store or whose}.{whose}"


def claimed(claim: str, *, silence_s: float = 0, held: bool = False) -> str:
    """What goes ahead of a script that holds *claim*, from `claim_name`.

    Args:
        claim: Its name.
        silence_s: When for so many seconds (the next whole number) nothing has come over its connection, it holds no
            more; so something has to come over it more often. 0: it holds for as long as the host takes that connection
            for open.
        held: Whether an earlier script has claimed the host: where nobody knows of that there, somebody else must not
            have been there meanwhile.
    """
    lines = [
        f"octossh_claim={quote(claim)}",
        f"octossh_silence={math.ceil(silence_s)}",
        f"octossh_held={'yes' if held else 'no'}",
    ]
    return "\n".join([*lines, ""])


def unclaim(claim: str) -> Script:
    """A script that frees what stands under *claim*, from `claim_name`."""
    return attrs.evolve(fixed("unclaim", {"claim": claim, "needs_docker": False}), name=f"unclaim {claim}")
