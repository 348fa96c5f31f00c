"""Where the pages of a board lie, from its folder. Names of people's choice never become names of files as they are."""

from __future__ import annotations

import hashlib
import re

from octossh.model import slug

__all__ = ["OVERVIEW", "deployment", "release"]

OVERVIEW = "index.html"


def deployment(id: str) -> str:  # noqa: A002 - the field's name
    """The page of a deployment."""
    # An id is made of such letters; what else a record says, it is no path.
    return f"deployment/{id if re.fullmatch(r'[0-9A-Za-z-]{1,64}', id) else _hash(id)}.html"


def release(project: str, number: str) -> str:
    """The page of a release."""
    return f"release/{slug(project)[:40]}-{_hash(project, number)}.html"


def _hash(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]
