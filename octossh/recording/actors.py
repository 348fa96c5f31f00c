"""Who acts here: the user, and what git and the CI system say of them."""

from __future__ import annotations

import functools
import os
import pwd
import re
import subprocess
from collections.abc import Mapping

from octossh.model import Actor
from octossh.recording.origins import Origin, job_here

__all__ = ["actor_here"]

_GIT_S = 5.0

_SAYS = re.compile(
    r"(CI|GITHUB|GITLAB|GIT|BUILD|JOB|SYSTEM|BITBUCKET|CIRCLE|BUILDKITE|DRONE)(_.*)?|OCTOSSH_ACTOR|SUDO_USER|HOME"
)
_STARTED_BY = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILD_USER_ID",
    "BUILD_REQUESTEDFOR",
    "CIRCLE_USERNAME",
    "BUILDKITE_BUILD_CREATOR",
    "DRONE_COMMIT_AUTHOR",
    "CI_COMMIT_AUTHOR",
)


def actor_here(environment: Mapping[str, str] | None = None) -> Actor:
    """Who this process acts for.

    Args:
        environment: Default: the environment variables of this process.
    """
    values = os.environ if environment is None else environment
    return _actor(tuple((name, text) for name, text in sorted(values.items()) if _SAYS.fullmatch(name)))


@functools.lru_cache(maxsize=8)
def _actor(said: tuple[tuple[str, str], ...]) -> Actor:
    values = dict(said)
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    origin = job_here(values) or Origin()
    started_by = next((values[name] for name in _STARTED_BY if values.get(name)), "") if origin.job else ""
    return Actor(
        user=user,
        host=os.uname().nodename,
        sudo_user=_line(values.get("SUDO_USER", "")),
        name=_line(values.get("OCTOSSH_ACTOR", "") or _of_git(values)),
        job=origin.job,
        link=origin.link,
        started_by=_line(started_by),
    )


def _of_git(values: Mapping[str, str]) -> str:
    name, address = values.get("GIT_AUTHOR_NAME", ""), values.get("GIT_AUTHOR_EMAIL", "")
    if not name or not address:
        asked = _asked()
        name, address = name or asked.get("user.name", ""), address or asked.get("user.email", "")
    return f"{name} <{address}>".strip() if address else name


def _asked() -> dict[str, str]:
    """What git's settings say, where the last one counts: asked once for all, since each process takes time."""
    command = ["git", "config", "-z", "--get-regexp", r"^user\.(name|email)$"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_S, check=False)  # noqa: S603
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    pairs = (entry.partition("\n") for entry in found.stdout.split("\0") if found.returncode == 0)
    return {name: text.strip() for name, _, text in pairs}


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()[:200]
