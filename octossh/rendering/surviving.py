"""Scripts whose runs outlive their link, and the scripts that find such a run again. Pure text, for any transport."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence

import attrs

from octossh.model import slug
from octossh.rendering.claims import LETS_GO
from octossh.rendering.scripts import fixed
from octossh.shell import Script, quote

__all__ = ["KEPT_S", "attach", "end_run", "fused", "outliving", "run_id"]

KEPT_S = 180
"""Seconds for which a host keeps what a run has said to its end. What was sent need not have arrived: it is longer than
it takes to see that a link is dead and to give up connecting again."""


def run_id(deployment: str, step: str, target: str) -> str:
    """What the runs of *step* on *target* are called in *deployment*: the same for whoever looks for them later."""
    where = hashlib.sha256(json.dumps([deployment, step, target]).encode()).hexdigest()[:12]
    return f"{slug(deployment)}-{where}"


def outliving(
    script: Script,
    run: str,
    number: int,
    *,
    ends: bool = False,
    claim: str = "",
    last: bool = False,
    repeatable: bool = False,
) -> Script:
    """*script*, whose run goes on when its link is lost; with the same body, and so with the same digest.

    On the host it keeps what it says in a folder in memory, which only the user who logs in can read, until it
    has been told; where there is no memory to write in, it runs as it is.

    Args:
        script: Made by `octossh.rendering.render`.
        run: From `run_id`.
        number: Counts the runs of that name, from 1 to 99.
        ends: It is ended when the link is seen to be lost.
        claim: From `octossh.rendering.claimed`: what it holds from its beginning on. Empty: nothing.
        last: Once it has succeeded, that is free again.
        repeatable: It may be sent again.
    """
    ahead = _named(run, number, ends=ends) + _claiming(claim, last=last) + _outlive()
    return attrs.evolve(script, ahead=ahead, repeatable=repeatable)


def _numbered(run: str, number: int) -> str:
    return f"{run}.{number:02d}"


def _named(run: str, number: int, *, ends: bool = False) -> str:
    lines = [f"octossh_run={quote(_numbered(run, number))}", f"octossh_run_ends={'yes' if ends else 'no'}"]
    return "\n".join([*lines, "octossh_go=octossh_run_go", ""])


def _claiming(claim: str, *, last: bool = False) -> str:
    return claim + (LETS_GO if claim and last else "")


def fused(parts: Sequence[tuple[Script, str]], *, claim: str = "", last: bool = False) -> Script:
    """Several scripts in one stream, each begun when the one before it has succeeded and somebody still listens.

    Each outlives its link as it does alone, under its own name. Where the next one begins, both streams have a frame
    ``part NUMBER STREAM``. A host begins the first one while the others are still on their way to it. Those beside each
    other that have a `Script.look` look with one start of docker.

    Args:
        parts: Scripts made by `octossh.rendering.render`, each with the name of its first run from `run_id`. What
            such a script calls secret NAME is secret ``NUMBER/NAME`` of the whole.
        claim: See `outliving`.
        last: Once all of them have succeeded, that is free again.
    """
    text = [_PART]
    names: list[str] = []
    for number, ((script, run), looks) in enumerate(zip(parts, _looks(parts), strict=True), 1):
        if number > 1:
            text.append(f'octossh_part {number} || exit "$?"\n')
        values = [f'octossh_secret_{at}="${{octossh_secret_{len(names) + at}}}"\n' for at in range(len(script.secrets))]
        # In brackets, it is read to its end before anything of it is done.
        held = _claiming(claim, last=last and number == len(parts))
        # The last one sweeps for all of them.
        before = " ".join(_numbered(run, 1) for _, run in parts[:-1])
        sweeps = f"octossh_run_before={quote(before)}\n" if number == len(parts) else "octossh_run_sweeps=no\n"
        text += ["(\n", *values, _named(run, 1), looks, sweeps, held, script.body, ') || exit "$?"\n']
        names += [f"{number}/{name}" for name in script.secrets]
    return Script(parts[0][0].name, "".join(text), tuple(names), ahead=_outlive(), repeatable=True)


def _looks(parts: Sequence[tuple[Script, str]]) -> Iterator[str]:
    """What goes ahead of each part, for those beside each other to look together: the first one does it for all."""
    for group in _groups(parts):
        looks = [script.look for script, _ in group if script.look]
        if len(looks) < 2 or len({look.name for look in looks}) < len(looks):
            yield from [""] * len(group)
            continue
        others = looks[1:]
        beside, marked = (" ".join(look.name for look in others if look.marked is kind) for kind in (False, True))
        yield (
            f"octossh_beside={quote(beside)}\noctossh_beside_marked={quote(marked)}\n"
            f"octossh_beside_format={quote(''.join(look.format for look in others))}\n"
        )
        yield from [f"octossh_ahead={quote(_numbered(group[0][1], 1))}\n"] * len(others)


def _groups(parts: Sequence[tuple[Script, str]]) -> Iterator[list[tuple[Script, str]]]:
    """Parts that can be looked for at once: nothing that a container may make, so that it comes behind it."""
    group: list[tuple[Script, str]] = []
    for script, run in parts:
        before = group[-1][0].look if group else None
        if group and (before is None or script.look is None or before.marked > script.look.marked):
            yield group
            group = []
        group.append((script, run))
    yield group


_PART = """octossh_part() {
    printf '##octossh %s part %s out\\n' "$octossh_nonce" "$1" &&
        printf '##octossh %s part %s err\\n' "$octossh_nonce" "$1" >&2
}
"""


def attach(run: str, name: str, claim: str = "") -> Script:
    """A script that tells what the last run of that name has said so far and goes on to say, as if it were that run.

    Its answer has the action ``gone`` where the host knows nothing of the run.

    Args:
        run: From `run_id`.
        name: Of its step, for messages.
        claim: What its deployment holds there is held by this connection from now on. See `outliving`.
    """
    made = fixed("attach", {"run": run, **_FIXED})
    return attrs.evolve(made, name=f"attach {name}", ahead=claim)


def end_run(run: str, name: str, why: str = "it was cancelled", claim: str = "") -> Script:
    """A script that ends the last run of that name: by TERM, and two seconds later by KILL.

    Whoever follows the run sees it fail, for the reason *why*. Its answer has the action ``stopped``, or ``gone``.

    Args:
        run: From `run_id`.
        name: Of its step, for messages.
        why: One line.
        claim: As of `attach`.
    """
    return attrs.evolve(fixed("end_run", {"run": run, "why": why, **_FIXED}), name=f"end {name}", ahead=claim)


_FIXED = {"needs_docker": False, "kept_s": KEPT_S}


@functools.cache
def _outlive() -> str:
    return fixed("_outlive", _FIXED).body
