"""Scripts about anchors: heads of the audit chain that are kept on hosts, where nobody who writes to the store can."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from octossh.model import slug
from octossh.rendering.scripts import fixed

if TYPE_CHECKING:
    from octossh.shell import Script

__all__ = ["anchor", "anchor_place", "anchors", "old_anchor_place"]


def anchor_place(project: str, environment: str) -> str:
    """The name of the file with the anchors of *project* in *environment*: of no other two."""
    mark = hashlib.sha256(json.dumps([project, environment]).encode()).hexdigest()[:12]
    return f"{old_anchor_place(project, environment)}-{mark}"


def old_anchor_place(project: str, environment: str) -> str:
    """The name of the file of earlier versions, which others may have shared."""
    return f"{slug(project)}-{slug(environment)}"


def anchor(project: str, environment: str, line: str) -> Script:
    """A script that adds *line* to the anchors of *project* in *environment*, of which the last 200 are kept."""
    values = {"place": anchor_place(project, environment), "line": line, "needs_docker": False}
    return attrs.evolve(fixed("anchor", values), repeatable=True)


def anchors(places: Sequence[str]) -> Script:
    """A script that changes nothing and tells the anchors in the files *places*."""
    return fixed("anchors", {"places": list(places), "needs_docker": False})
