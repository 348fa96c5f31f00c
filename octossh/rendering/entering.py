"""Scripts about single containers: what they say, and commands within them. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from octossh.rendering.orders import docker_values
from octossh.rendering.scripts import fixed
from octossh.shell import quote

if TYPE_CHECKING:
    from octossh.model import Target
    from octossh.shell import Script

__all__ = ["execute", "logs", "terminal"]


def logs(
    target: Target, container: str, *, follow: bool = False, since: datetime | None = None, tail: int | None = None
) -> Script:
    """A script that tells what a container has said, each line with its time.

    With *follow* it goes on until the container ends. Each second it asks by a frame ``want`` whether that is enough:
    it is when a line comes, or the end of its standard input.

    Args:
        target: Whose docker is called.
        container: Docker's name or id.
        follow: Go on.
        since: Only from then on.
        tail: Only the last so many lines; None: all.
    """
    options = ["--timestamps", *(["--follow"] if follow else [])]
    options += [] if since is None else ["--since", f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"]
    options += [] if tail is None else ["--tail", str(tail)]
    # What is sent stays open beside the script, as for images that are sent.
    values = {**docker_values(target), "pushed": follow, "follow": follow, "options": options, "container": container}
    return fixed("logs", {"needs_docker": True, **values})


def execute(target: Target, container: str, command: Sequence[str], *, user: str = "") -> Script:
    """A script that executes *command* in a running container, and tells its exit code by a frame ``code``."""
    options = ["--user", user] if user else []
    values = {**docker_values(target), "options": options, "container": container, "command": list(command)}
    return fixed("execute", {"needs_docker": True, **values})


_ANY_SHELL = ("sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi")


def terminal(target: Target, container: str, command: Sequence[str] = (), *, user: str = "") -> str:
    """What a login shell of *target* runs for a terminal in a container; without a command, a shell of its own."""
    values = docker_values(target)
    words = ["exec", "--interactive", "--tty", *(["--user", user] if user else []), container]
    ahead = f"DOCKER_HOST={quote(values['docker_host'])}; export DOCKER_HOST; " if values["docker_host"] else ""
    path = "PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/snap/bin; export PATH; "
    called = " ".join(map(quote, [*words, *(command or _ANY_SHELL)]))
    # Whatever shell logs in: it only starts a POSIX one, behind sudo, which hands on no environment.
    shell = "sudo -- sh" if target.sudo else "sh"
    return f"exec {shell} -c " + quote(f"{path}{ahead}exec {values['docker']} {called}")
