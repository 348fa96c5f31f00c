"""Encrypting what is stored and must not be read. The door of ``cryptography``."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from octossh import model
from octossh.errors import ModelError, RecordError
from octossh.shell import Secret

if TYPE_CHECKING:
    from octossh.model import Sealed

__all__ = ["Seals", "new_key"]


def new_key() -> Secret:
    """A new key, made of 256 random bits: 44 letters, digits, hyphens and underscores, of which the last is ``=``."""
    from cryptography.fernet import Fernet

    return Secret(Fernet.generate_key().decode())


class Seals:
    """The keys of a store.

    Args:
        keys: One, or several with blanks, commas or line breaks between them: the first one closes, and each opens.

    Raises:
        ModelError: One is no key. It is not shown.
    """

    def __init__(self, keys: Secret) -> None:
        from cryptography.fernet import Fernet

        self._keys: dict[str, Fernet] = {}
        for number, text in enumerate(keys.reveal().replace(",", " ").split(), 1):
            try:
                self._keys[_fingerprint(text)] = Fernet(text)
            except ValueError:
                raise ModelError(
                    f"key {number} of the stored values is none; 'octossh values new-key' makes one of 44 characters"
                ) from None
        if not self._keys:
            raise ModelError("the key of the stored values is empty; 'octossh values new-key' makes one")

    @property
    def first(self) -> str:
        """The key that closes, as the beginning of its hash."""
        return next(iter(self._keys))

    def opens(self, sealed: Sealed) -> bool:
        """Whether the key of *sealed* is among these."""
        return sealed.key in self._keys

    def close(self, name: str, value: Secret, by: str) -> Sealed:
        """Encrypt *value*, together with its name."""
        text = json.dumps({"name": name, "value": value.reveal()})
        token = self._keys[self.first].encrypt(text.encode()).decode()
        return model.Sealed(token=token, key=self.first, at=datetime.now(UTC), by=by)

    def open(self, name: str, sealed: Sealed) -> Secret:
        """The value that was closed under *name*.

        Raises:
            ModelError: Its key is not here.
            RecordError: It was changed, or is the value of another name.
        """
        from cryptography.fernet import InvalidToken

        if not self.opens(sealed):
            raise ModelError(
                f"the stored value {name!r} was encrypted with the key {sealed.key}, and here is "
                f"{', '.join(self._keys)}; give that key, too, or set the value anew"
            )
        try:
            held = json.loads(self._keys[sealed.key].decrypt(sealed.token.encode()))
        except (InvalidToken, ValueError):
            held = {}
        if held.get("name") != name:
            raise RecordError(
                f"the stored value {name!r} is not the one that was stored; set it anew, and see what "
                "'octossh audit verify' finds"
            )
        return Secret(held["value"])

    def again(self, name: str, sealed: Sealed) -> Sealed:
        """*sealed* under the first key; when and by whom it was set stays. Raises as `open` does."""
        made = self.close(name, self.open(name, sealed), sealed.by)
        return model.Sealed(token=made.token, key=made.key, at=sealed.at, by=sealed.by)


def _fingerprint(key: str) -> str:
    # A key is 256 random bits: its hash says nothing about it.
    return hashlib.sha256(b"octossh key " + key.encode()).hexdigest()[:8]
