"""Searching for an image: by name, tag or digest, or by several of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

from attrs import frozen

from octossh.errors import ModelError
from octossh.model import split_reference

__all__ = ["Sought"]


@frozen
class Sought:
    """An image that is searched for.

    Attributes:
        text: As it was asked for.
        name: Of the repository, whole or from a slash on; empty: any.
        tag: Likewise.
        digest: ``sha256:`` and the first hex digits, at least 6.
    """

    text: str
    name: str
    tag: str
    digest: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``sha256:...``, ``acme/web``, ``acme/web:1.4.2``, ``acme/web@sha256:...``, or a tag alone.

        Raises:
            ModelError: It is none of them.
        """
        name, tag, digest = _split(text)
        if (digest or "@" in text) and not re.fullmatch(r"sha256:[0-9a-f]{6,64}", digest):
            raise ModelError(f"{text!r} holds no digest; write sha256: and at least 6 of its digits in small letters")
        if not digest and not re.fullmatch(r"[A-Za-z0-9][\w.:/-]*", text):
            raise ModelError(f"{text!r} is no image; write its digest, such as sha256:..., its name, or its tag")
        return cls(text, name, tag, digest)

    def near(self, repositories: Iterable[str]) -> str:
        """The one of *repositories* whose name is nearly the one that is searched for; empty if it is there itself."""
        import difflib

        known = set(repositories)
        found = difflib.get_close_matches(self.name, known, n=1)
        return found[0] if found and not any(f"/{name}".endswith(f"/{self.name}") for name in known) else ""

    def is_in(self, references: Iterable[str]) -> bool:
        """Whether one of *references* to an image is what is searched for, or all of them together are."""
        names, tags, digests = set(), set(), set()
        for reference in references:
            name, tag, digest = _split(reference)
            names.add(name)
            tags.add(tag)
            digests.add(digest)
        if self.digest and not any(digest.startswith(self.digest) for digest in digests):
            return False
        if self.tag and self.tag not in tags:
            return False
        if not self.name:
            return True
        # A word alone may be either.
        alone = not self.tag and not self.digest and self.name in tags
        return alone or any(f"/{name}".endswith(f"/{self.name}") for name in names)


def _split(text: str) -> tuple[str, str, str]:
    return ("", "", text) if text.startswith("sha256:") else split_reference(text)
