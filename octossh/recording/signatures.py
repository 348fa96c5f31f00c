"""Signatures: with a secret that both sides know (HMAC), or with an Ed25519 key. The door of cryptography."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octossh.errors import ModelError
from octossh.shell import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["Key", "read_key"]

_SHORTEST = 16
_HELP = (
    "give an Ed25519 key as ssh-keygen and openssl write it (the public one is enough to check), or a secret of at "
    f"least {_SHORTEST} characters"
)


class Key:
    """What signs, and checks signatures. Its repr does not show it."""

    def __init__(self, shared: bytes = b"", private: Ed25519PrivateKey | None = None,
                 public: Ed25519PublicKey | None = None) -> None:  # fmt: skip
        self._shared, self._private = shared, private
        self._public = private.public_key() if private is not None else public

    @property
    def method(self) -> str:
        """``hmac-sha256`` or ``ed25519``."""
        return "hmac-sha256" if self._public is None else "ed25519"

    @property
    def name(self) -> str:
        """Sixteen hex digits that tell this key from others, and nothing of it."""
        if self._public is None:
            return hmac.new(self._shared, b"octossh key", hashlib.sha256).hexdigest()[:16]
        return hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def sign(self, text: str) -> dict[str, str]:
        """The signature of *text*, with its method and the name of the key.

        Raises:
            ModelError: It is a public key.
        """
        if self._public is None:
            made = hmac.new(self._shared, text.encode(), hashlib.sha256).digest()
        elif self._private is None:
            raise ModelError("a public key can check a signature and make none; give the private one")
        else:
            made = self._private.sign(text.encode())
        return {"method": self.method, "key": self.name, "value": base64.b64encode(made).decode()}

    def signed(self, text: str, signature: Mapping[str, Any]) -> bool:
        """Whether *signature* is one of *text* by this key."""
        from cryptography.exceptions import InvalidSignature

        if signature.get("method") != self.method:
            return False
        try:
            value = base64.b64decode(str(signature.get("value")), validate=True)
        except ValueError:
            return False
        if self._public is None:
            return hmac.compare_digest(hmac.new(self._shared, text.encode(), hashlib.sha256).digest(), value)
        try:
            self._public.verify(value, text.encode())
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"Key({self.method} {self.name})"


def read_key(source: Path | Secret | str) -> Key:
    """The key in a file, or in a text.

    Raises:
        ModelError: The file cannot be read, or it holds no key that signs.
    """
    where = "the key"
    if isinstance(source, Path):
        where = f"the key {str(source)!r}"
        try:
            text = source.read_bytes()
        except OSError as error:
            raise ModelError(f"{where} cannot be read: {error.strerror}; give another path") from None
    else:
        text = (source.reveal() if isinstance(source, Secret) else source).encode()
    text = text.strip()
    if text.startswith((b"-----BEGIN", b"ssh-")):
        return _read(text, where)
    if len(text) < _SHORTEST:
        raise ModelError(f"{where} is too short to sign with; {_HELP}")
    return Key(shared=text)


def _read(text: bytes, where: str) -> Key:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    try:
        if text.startswith(b"ssh-"):
            found: object = forms.load_ssh_public_key(text)
        elif b"OPENSSH PRIVATE KEY" in text[:60]:
            found = forms.load_ssh_private_key(text + b"\n", None)
        elif b"PRIVATE KEY" in text[:60]:
            found = forms.load_pem_private_key(text, None)
        else:
            found = forms.load_pem_public_key(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ModelError(f"{where} cannot be read as one, or it has a passphrase; {_HELP}") from None
    if isinstance(found, Ed25519PrivateKey):
        return Key(private=found)
    if isinstance(found, Ed25519PublicKey):
        return Key(public=found)
    raise ModelError(f"{where} is of another kind than Ed25519; {_HELP}")
