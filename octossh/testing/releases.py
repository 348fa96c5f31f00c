"""Releases for which no registry was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from octossh.model import Pin, Project, Release

__all__ = ["release_of"]


def release_of(
    project: Project, number: str = "1", *, tag: str = "1.0.0", tags: Mapping[str, str] | None = None
) -> Release:
    """A release of *project* with made-up digests, the same for the same tag.

    Args:
        project: Whose steps and variables it freezes.
        number: Its number.
        tag: Of each image.
        tags: Others, by repository, such as ``{"acme/web": "1.2.0"}``.
    """
    chosen = {image: (tags or {}).get(image.repository, tag) for image in project.process.images}
    return Release(
        project=project.name,
        number=number,
        channel=project.channels[0].name,
        process=project.process,
        variables=project.variables,
        pins=tuple(Pin(image=image, tag=tag, digest=_digest(f"{image.name}:{tag}")) for image, tag in chosen.items()),
        created_at=datetime.now(UTC),
    )


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
