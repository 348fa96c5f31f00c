"""What an answer to a question about a manifest says: digest, media type, platforms, creation time. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from octossh.model.platforms import platform
from octossh.registry.bodies import is_web_page, read_json

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer

__all__ = [
    "LIMIT_BYTES",
    "MEDIA_TYPES",
    "Child",
    "Config",
    "Layer",
    "Manifest",
    "check_bytes",
    "error_code",
    "read_body",
    "read_config",
    "read_head",
]

LIMIT_BYTES = 4_194_304
MOST_PLATFORMS = 100

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MEDIA_TYPES = (_INDEX, _MANIFEST, _LIST, "application/vnd.docker.distribution.manifest.v2+json")

_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CREATED = "org.opencontainers.image.created"


@frozen
class Child:
    """One image of an index: its digest and what it is built for."""

    digest: str
    platform: str


@frozen
class Layer:
    """One layer of an image, as it is stored: packed or not."""

    digest: str
    size: int


@frozen
class Manifest:
    """A manifest or an index.

    Attributes:
        digest: Of its bytes.
        media_type: As the registry says, or as it is by its fields.
        size: In bytes.
        children: The images of an index; those for no platform, such as attestations, are left out.
        config: The digest of an image's configuration, or None.
        created_at: From its annotations, or None.
        layers: Of an image, from the lowest one on.
    """

    digest: str
    media_type: str
    size: int
    children: tuple[Child, ...] = ()
    config: str | None = None
    created_at: datetime | None = None
    layers: tuple[Layer, ...] = ()

    @property
    def platforms(self) -> tuple[str, ...]:
        """Those of its children, each once."""
        return tuple(dict.fromkeys(child.platform for child in self.children))


@frozen
class Config:
    """What the configuration of an image says: its platform (or empty), and when it was made.

    Attributes:
        layers: The digests of its layers as they are unpacked, from the lowest one on.
    """

    platform: str = ""
    created_at: datetime | None = None
    layers: tuple[str, ...] = ()


def read_head(answer: Answer) -> str | None:
    """The digest that the answer to a HEAD says; None if it is not all there, so that the manifest is needed."""
    if answer.status != 200 or _media_type(answer) not in MEDIA_TYPES:
        return None
    return _said(answer)


def read_body(answer: Answer, expected: str | None = None) -> Manifest:
    """The manifest in the answer to a GET, with the digest of its bytes.

    Args:
        answer: Its status is 200.
        expected: The digest that was asked for, or that a HEAD said.

    Raises:
        ValueError: It is no manifest, one of schema 1, or its digest is not the one that the registry says;
            the text says which, and what to do.
    """
    if is_web_page(answer):
        raise ValueError("is answered with a web page, a login form perhaps; see whether its url is a registry's")
    try:
        document: Any = read_json(answer.body)
    except ValueError:
        document = None
    served = _media_type(answer)
    if not isinstance(document, dict):
        raise ValueError("has a manifest that is not JSON; see whether the registry's url is right")  # noqa: TRY004
    if document.get("schemaVersion") == 1 or served.startswith(_SCHEMA_1):
        raise ValueError("is of docker's manifest schema 1, which is out of use; push the image again")
    media_type = served if served in MEDIA_TYPES else _kind(document)
    if media_type not in MEDIA_TYPES:
        raise ValueError("is not a container image or an index of them; see what was pushed under it")
    digest = check_bytes(answer.body, expected or _said(answer))
    children = _children(document) if media_type in {_INDEX, _LIST} else ()
    config = document.get("config")
    config_digest = config.get("digest") if isinstance(config, dict) else None
    return Manifest(
        digest=digest,
        media_type=media_type,
        size=len(answer.body),
        children=children,
        config=config_digest if isinstance(config_digest, str) and _DIGEST.fullmatch(config_digest) else None,
        created_at=_moment(_mapping(document, "annotations").get(_CREATED)),
        layers=_layers(document),
    )


def check_bytes(body: bytes, said: str | None) -> str:
    """The digest of *body*.

    Raises:
        ValueError: It is not the one that was *said*.
    """
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    if said and said != digest:
        raise ValueError(
            f"has the digest {digest}, but the registry says {said}: something on the way changed it, or the "
            "registry is broken; look at the proxies between"
        )
    return digest


def read_config(body: bytes) -> Config:
    """What an image's configuration says; empty where it is none of a container image."""
    try:
        document: Any = read_json(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Config()
    layers = _mapping(document, "rootfs").get("diff_ids")
    unpacked = tuple(str(layer) for layer in layers) if isinstance(layers, list) else ()
    return Config(_platform(document), _moment(document.get("created")), unpacked)


def error_code(body: bytes) -> str | None:
    """The code of a registry's error, such as ``NAME_UNKNOWN``; None where there is none.

    Its message is left out: it is for people, and a bad registry could put into it what was sent.
    """
    try:
        code = read_json(body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z][A-Z_]{2,39}", code) else None


def _said(answer: Answer) -> str | None:
    said = answer.headers.get("Docker-Content-Digest", "").strip()
    return said if _DIGEST.fullmatch(said) else None


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _kind(document: dict[str, Any]) -> str | None:
    """The media type that the manifest itself says, or the OCI one that its fields are of."""
    if document.get("schemaVersion") != 2:
        return None
    if said := document.get("mediaType"):
        return said if isinstance(said, str) else None
    if isinstance(document.get("manifests"), list):
        return _INDEX
    if isinstance(document.get("layers"), list) and isinstance(document.get("config"), dict):
        return _MANIFEST
    return None


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _layers(document: Mapping[str, Any]) -> tuple[Layer, ...]:
    entries = document.get("layers")
    pairs = (
        [(entry.get("digest"), entry.get("size")) for entry in entries if isinstance(entry, dict)]
        if isinstance(entries, list)
        else []
    )
    return tuple(
        Layer(digest, size)
        for digest, size in pairs
        if isinstance(digest, str) and _DIGEST.fullmatch(digest) and isinstance(size, int) and size >= 0
    )


def _children(document: Mapping[str, Any]) -> tuple[Child, ...]:
    entries = document.get("manifests")
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not _DIGEST.fullmatch(str(entry.get("digest"))):
            continue
        if built_for := _platform(_mapping(entry, "platform")):
            found.append(Child(entry["digest"], built_for))
    if len({child.platform for child in found}) > MOST_PLATFORMS:
        raise ValueError(f"is an index of more than {MOST_PLATFORMS} platforms; see what was pushed under it")
    return tuple(found)


def _platform(fields: Mapping[str, Any]) -> str:
    """``linux/amd64`` and the like; empty where it is unknown, as it is for what is not an image at all."""
    words = [fields.get(key) or "" for key in ("os", "architecture", "variant")]
    if not all(isinstance(word, str) and re.fullmatch(r"[A-Za-z0-9._-]{0,40}", word) for word in words):
        return ""
    system, architecture, variant = words
    if not system or not architecture or "unknown" in {system, architecture}:
        return ""
    return platform(system, architecture, variant)


def _moment(text: object) -> datetime | None:
    """The time in *text*; None where it is none, or the fixed one of a build that can be repeated."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is not None:
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment is not None and moment.year > 1980 else None
