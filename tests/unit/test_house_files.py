"""What git keeps of this checkout: sources, and nothing that a command makes here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.splitlines()


def test_no_file_that_is_made_here_is_kept_by_git() -> None:
    assert git("ls-files", "--cached", "--ignored", "--exclude-per-directory=.gitignore") == []


def test_stores_and_what_python_and_builds_leave_are_none_of_gits_files() -> None:
    made = ["octossh.db", "tests/octossh.db-wal", "octossh/__pycache__/x.pyc", "dist/x.whl", "docs/_build/index.html"]
    assert git("check-ignore", "--no-index", *made) == made
