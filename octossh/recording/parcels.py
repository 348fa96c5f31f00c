"""Releases as files: written for a place that has no access to the store, and read there. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import attrs

from octossh.errors import ModelError
from octossh.model import Release
from octossh.model.serialising import from_dict, to_dict
from octossh.recording.rows import canonical, clean, sha256
from octossh.recording.signatures import Key

__all__ = ["pack", "unpack"]

_FORM = 1
_FIELDS = {"octossh_release", "release", "exported_at", "exported_by", "sha256", "signature"}


def pack(release: Release, *, at: datetime, by: str, key: Key | None = None) -> str:
    """*release* as the text of a file, with a SHA-256 over it, and a signature where there is a key."""
    content = {
        "octossh_release": _FORM,
        "release": to_dict(release),
        "exported_at": at.isoformat(timespec="seconds"),
        "exported_by": by,
    }
    digest = _digest(content)
    return _text({**content, "sha256": digest, "signature": key.sign(digest) if key else None})


def unpack(text: str, where: str, *, key: Key | None = None) -> Release:
    """The release in the text of a file, with a line about where it comes from.

    Args:
        text: As `pack` made it; one changed byte is too many.
        where: The subject of an error message.
        key: Has to have signed it, if it is given.

    Raises:
        ModelError: It is no such file, was changed, or is not signed with *key*.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "octossh_release" not in document:
        raise ModelError(f"{where} is no release as 'octossh release export' writes it; export it again")
    if document["octossh_release"] != _FORM:
        raise ModelError(f"{where} is of form {document['octossh_release']!r}, which needs a newer octossh")
    content = {name: item for name, item in document.items() if name not in {"sha256", "signature"}}
    digest = _digest(content)
    if set(document) != _FIELDS or document["sha256"] != digest or text != _text(document):
        raise ModelError(f"{where} is not what was exported: something in it was changed; export it again")
    signature = document["signature"]
    if key is not None:
        _check_signature(digest, signature, key, where)
    signed = f"signed with {key.name}" if key else "its signature was not checked" if signature else "not signed"
    origin = f"exported {document['exported_at']} by {document['exported_by']}, {signed}, sha256:{digest}"
    made = from_dict(Release, document["release"])
    return attrs.evolve(made, imported=f"{origin} (before: {made.imported})"[:300] if made.imported else origin[:300])


def _check_signature(digest: str, signature: object, key: Key, where: str) -> None:
    if not isinstance(signature, dict):
        raise ModelError(f"{where} is not signed, and it has to be, with key {key.name}; export it with that key")
    if not key.signed(digest, signature):
        who = f"{signature.get('key')} ({signature.get('method')})"[:60]
        raise ModelError(
            f"{where} is signed with key {who}, and not, or not rightly, with {key.name}; ask where it comes from"
        )


def _digest(content: dict[str, Any]) -> str:
    return sha256(clean(canonical(content, "the release")))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
