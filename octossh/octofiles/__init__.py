"""Octofiles and files of targets, written: for somebody who begins, and out of what other tools read."""

from __future__ import annotations

from octossh.octofiles.carrying import Imported, Note
from octossh.octofiles.compose import from_compose
from octossh.octofiles.kamal import from_kamal
from octossh.octofiles.sources import expression, octofile, targets_file
from octossh.octofiles.starting import Start, environments_of, image_of, targets_of_hosts

__all__ = [
    "Imported",
    "Note",
    "Start",
    "environments_of",
    "expression",
    "from_compose",
    "from_kamal",
    "image_of",
    "octofile",
    "targets_file",
    "targets_of_hosts",
]
