"""Scripts made by templates of the user's: a shell here reads them before any host does."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from octossh.errors import ModelError
from octossh.rendering import render

if TYPE_CHECKING:
    from octossh.rendering import Order
    from octossh.shell import Script

__all__ = ["script_of"]


def script_of(order: Order) -> Script:
    """The script that does what *order* says; where a template of the user's is in it, `sh` has read it.

    Raises:
        ModelError: It is no script for a POSIX shell, or cannot be rendered.
    """
    script = render(order)
    if order.step.kind in order.templates.marks:
        _check(script, ", ".join(order.templates.texts))
    return script


def _check(script: Script, names: str) -> None:
    try:
        # With -n it runs nothing of it; no secret is in it.
        done = subprocess.run(["sh", "-n"], input=script.body.encode(), capture_output=True, check=False)  # noqa: S607
    except OSError as error:
        raise ModelError(f"templates are checked by the command 'sh', which cannot be run here: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise ModelError(
            f"the script {script.name!r}, made with templates of yours ({names}), is no script for sh: {said}; "
            "'octossh render' with the template put away shows how ours looks"
        )
