"""Scripts whose runs outlive their link, and the scripts that find such a run again. Pure text, for any transport."""

from __future__ import annotations

import functools
import hashlib
import json

import attrs

from octossh.model import slug
from octossh.rendering.scripts import fixed
from octossh.shell import Script, quote

__all__ = ["attach", "end_run", "outliving", "run_id"]


def run_id(deployment: str, step: str, target: str) -> str:
    """What the runs of *step* on *target* are called in *deployment*: the same for whoever looks for them later."""
    where = hashlib.sha256(json.dumps([deployment, step, target]).encode()).hexdigest()[:12]
    return f"{slug(deployment)}-{where}"


def outliving(script: Script, run: str, number: int, *, ends: bool = False) -> Script:
    """*script*, whose run goes on when its link is lost; with the same body, and so with the same digest.

    On the host it keeps what it says in a folder in memory, which only the user who logs in can read, until it
    has been told; where there is no memory to write in, it runs as it is.

    Args:
        script: Made by `octossh.rendering.render`.
        run: From `run_id`.
        number: Counts the runs of that name, from 1 to 99.
        ends: It is ended when the link is seen to be lost.
    """
    lines = [f"octossh_run={quote(f'{run}.{number:02d}')}", f"octossh_run_ends={'yes' if ends else 'no'}"]
    return attrs.evolve(script, ahead="\n".join([*lines, "octossh_go=octossh_run_go", _outlive()]))


def attach(run: str, name: str) -> Script:
    """A script that tells what the last run of that name has said so far and goes on to say, as if it were that run.

    Its answer has the action ``gone`` where the host knows nothing of the run.

    Args:
        run: From `run_id`.
        name: Of its step, for messages.
    """
    return attrs.evolve(fixed("attach", {"run": run, "needs_docker": False}), name=f"attach {name}")


def end_run(run: str, name: str, why: str = "it was cancelled") -> Script:
    """A script that ends the last run of that name: by TERM, and two seconds later by KILL.

    Whoever follows the run sees it fail, for the reason *why*. Its answer has the action ``stopped``, or ``gone``.

    Args:
        run: From `run_id`.
        name: Of its step, for messages.
        why: One line.
    """
    return attrs.evolve(fixed("end_run", {"run": run, "why": why, "needs_docker": False}), name=f"end {name}")


@functools.cache
def _outlive() -> str:
    return fixed("_outlive", {}).body
