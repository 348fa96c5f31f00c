"""References to images as people write them, taken apart as docker does."""

from __future__ import annotations

import re
from typing import Self

from attrs import frozen

from octossh.errors import ModelError
from octossh.model.credentials import HUB_HOSTS

__all__ = ["Reference", "check_untagged", "is_address", "known_address", "split_reference"]


def is_address(name: str) -> bool:
    """Whether docker takes the first part of a reference for a registry."""
    return "." in name or ":" in name or name == "localhost" or name != name.lower()


def known_address(address: str) -> str:
    """*address*, under the one name that docker has for Docker Hub where it is that."""
    return "docker.io" if address.lower().removesuffix(":443") in HUB_HOSTS else address


def split_reference(text: str) -> tuple[str, str, str]:
    """Name, tag and digest of a reference, as they stand there; empty where there is none."""
    named, _, digest = text.partition("@")
    # The colon of a port stands before a slash.
    front, slash, last = named.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{front}{slash}{name}", tag, digest


@frozen
class Reference:
    """An image as people write it.

    Attributes:
        host: The address of its registry, ``docker.io`` where none stands there.
        path: The repository as the registry knows it, with the ``library/`` that Docker Hub puts before a bare name.
        tag: Empty: none.
        digest: Empty: none.
    """

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """Take *text* apart, such as ``nginx``, ``acme/web:1.2`` or ``registry.example.com:5000/acme/web``."""
        name, tag, digest = split_reference(text)
        first, slash, rest = name.partition("/")
        if not (slash and is_address(first)):
            first, rest = "docker.io", name
        host = known_address(first)
        return cls(host, f"library/{rest}" if host == "docker.io" and "/" not in rest else rest, tag, digest)

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.host}/{self.path}"

    @property
    def repository(self) -> str:
        """The repository as people write it: ``nginx``, and not ``library/nginx``."""
        return self.path.removeprefix("library/") if self.host == "docker.io" else self.path


def check_untagged(text: str) -> None:
    """Raise `ModelError` where *text* says which tag or digest it means: a release picks that."""
    name, tag, digest = split_reference(re.sub(r"^https?://", "", text))
    if tag or digest:
        raise ModelError(
            f"image {text!r} says which one it is, and a release picks that; write {name!r}, and later "
            f"'octossh release create --set {Reference.of(name).repository}={tag or 'TAG'}' for just this one"
        )
