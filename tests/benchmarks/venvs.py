"""Environments of Python: each way that is measured has one of its own, with what pip puts there and nothing else."""

from __future__ import annotations

import configparser
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "octossh-bench"


class NotThereError(Exception):
    """What a way needs cannot be installed here."""


def environment(name: str, *packages: str) -> Path:
    """The environment of that name with *packages*; it is made the first time.

    Raises:
        NotThereError: They cannot be installed.
    """
    home = CACHE / name
    if not (home / "done").exists():
        print(f"bench: installing {' '.join(packages)} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        if subprocess.run([str(home / "bin/pip"), "install", "-q", *packages], check=False).returncode:
            raise NotThereError(f"{' '.join(packages)} cannot be installed here")
        (home / "done").touch()
    return home


def python_of_octossh() -> str:
    """A Python that has what octossh requires, as its users have it; octossh itself comes by ``PYTHONPATH``.

    The environment of the tests has more, which is looked through by whatever asks what is installed.
    """
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    required = config["options"]["install_requires"].split()
    made = hashlib.sha256(" ".join(required).encode()).hexdigest()[:12]
    return str(environment(f"octossh-{made}", *required) / "bin/python")
