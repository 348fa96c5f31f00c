"""Octofiles and files of targets, written: for somebody who begins, and out of what other tools read."""

from __future__ import annotations

from octossh.octofiles.sources import expression, octofile, targets_file
from octossh.octofiles.starting import Start, image_of, targets_of_hosts

__all__ = ["Start", "expression", "image_of", "octofile", "targets_file", "targets_of_hosts"]
