"""Where something comes from: the commit and the page of the job, out of a CI system's variables or out of git."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

__all__ = ["Origin", "job_here", "origin_here"]

_GIT_S = 10.0

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
# A system, its variable with the commit, the link made of others, and the number of the job, which tells the system.
_SYSTEMS = (
    ("GitLab", "CI_COMMIT_SHA", "{CI_PIPELINE_URL}", "CI_PIPELINE_ID"),
    ("Woodpecker", "CI_COMMIT_SHA", "{CI_PIPELINE_URL}", "CI_PIPELINE_NUMBER"),
    ("Drone", "DRONE_COMMIT", "{DRONE_BUILD_LINK}", "DRONE_BUILD_NUMBER"),
    (
        "GitHub Actions",
        "GITHUB_SHA",
        "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
        "GITHUB_RUN_ID",
    ),
    (
        "Azure Pipelines",
        "BUILD_SOURCEVERSION",
        "{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
        "BUILD_BUILDID",
    ),
    ("Bitbucket", "BITBUCKET_COMMIT", "{BITBUCKET_GIT_HTTP_ORIGIN}/pipelines/results/{BITBUCKET_BUILD_NUMBER}",
     "BITBUCKET_BUILD_NUMBER"),
    ("CircleCI", "CIRCLE_SHA1", "{CIRCLE_BUILD_URL}", "CIRCLE_BUILD_NUM"),
    ("Buildkite", "BUILDKITE_COMMIT", "{BUILDKITE_BUILD_URL}", "BUILDKITE_BUILD_NUMBER"),
    ("Jenkins", "GIT_COMMIT", "{BUILD_URL}", "BUILD_NUMBER"),
)  # fmt: skip


@frozen
class Origin:
    """Where something comes from, as far as that is known; each may be empty.

    Attributes:
        commit: The hash of the commit.
        link: The page of the job, of the change or of the commit.
        job: What runs here, such as ``GitHub Actions 1234``.
    """

    commit: str = ""
    link: str = ""
    job: str = ""


def origin_here(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Origin:
    """The commit and the job that this process works for.

    GitHub Actions and what speaks like it (Gitea, Forgejo), GitLab, Jenkins, Azure Pipelines, Bitbucket, CircleCI,
    Buildkite, Drone and Woodpecker say it in environment variables; elsewhere the commit is that of the git
    repository which *folder* stands in.

    Args:
        environment: Default: the environment variables of this process.
        folder: Default: the working directory.
    """
    values = os.environ if environment is None else environment
    return job_here(values) or Origin(commit=_of_git(folder or Path.cwd()))


def job_here(values: Mapping[str, str]) -> Origin | None:
    """The commit and the job that a CI system says in the environment variables *values*; None elsewhere."""
    for system, commit, link, number in _SYSTEMS:
        if values.get(number):
            where = _filled(link, values)
            return Origin(
                commit=_commit(values.get(commit, "")),
                link=where if _is_link(where) else "",
                job=f"{system} {' '.join(values[number].split())[:80]}",
            )
    return None


def _filled(link: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], ""), link)


def _commit(text: str) -> str:
    return text.lower() if _COMMIT.fullmatch(text) else ""


def _is_link(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _of_git(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_S, check=False)  # noqa: S603
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return _commit(found.stdout.strip()) if found.returncode == 0 else ""
