"""What an answer to a question about a manifest says: digest, media type, size. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer

__all__ = ["LIMIT_BYTES", "MEDIA_TYPES", "Found", "error_code", "read_body", "read_head"]

LIMIT_BYTES = 4_194_304

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_TYPES = (
    _INDEX,
    _MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@frozen
class Found:
    """What a tag means: the digest, media type and size in bytes of its manifest."""

    digest: str
    media_type: str
    size: int


def read_head(answer: Answer) -> Found | None:
    """What the answer to a HEAD says; None if it is not all there, so that the manifest itself is needed."""
    digest, media_type = _digest(answer), _media_type(answer)
    length = answer.headers.get("Content-Length", "")
    if answer.status != 200 or digest is None or media_type not in MEDIA_TYPES:
        return None
    return Found(digest, media_type, int(length) if re.fullmatch(r"[0-9]{1,12}", length) else 0)


def read_body(answer: Answer) -> Found:
    """What the answer to a GET is, by its bytes.

    Raises:
        ValueError: It is no manifest, one of schema 1, or its digest is not the one that the registry says;
            the text says which, and what to do.
    """
    try:
        manifest: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        manifest = None
    served = _media_type(answer)
    if not isinstance(manifest, dict):
        raise ValueError("has a manifest that is not JSON; see whether the registry's url is right")  # noqa: TRY004
    if manifest.get("schemaVersion") == 1 or served.startswith(_SCHEMA_1):
        raise ValueError("is of docker's manifest schema 1, which is out of use; push the image again")
    media_type = served if served in MEDIA_TYPES else _kind(manifest)
    if media_type not in MEDIA_TYPES:
        raise ValueError("is not a container image or an index of them; see what was pushed under it")
    digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
    said = _digest(answer)
    if said and said != digest:
        raise ValueError(
            f"has the digest {digest}, but the registry says {said}: something on the way changed it, or the "
            "registry is broken; look at the proxies between"
        )
    return Found(digest, media_type, len(answer.body))


def error_code(body: bytes) -> str | None:
    """The code of a registry's error, such as ``NAME_UNKNOWN``; None where there is none.

    Its message is left out: it is for people, and a bad registry could put into it what was sent.
    """
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z][A-Z_]{2,39}", code) else None


def _digest(answer: Answer) -> str | None:
    said = answer.headers.get("Docker-Content-Digest", "").strip()
    return said if _DIGEST.fullmatch(said) else None


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _kind(manifest: dict[str, Any]) -> str | None:
    """The media type that the manifest itself says, or the OCI one that its fields are of."""
    if manifest.get("schemaVersion") != 2:
        return None
    if said := manifest.get("mediaType"):
        return said if isinstance(said, str) else None
    if isinstance(manifest.get("manifests"), list):
        return _INDEX
    if isinstance(manifest.get("layers"), list) and isinstance(manifest.get("config"), dict):
        return _MANIFEST
    return None
