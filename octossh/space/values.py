"""Values of secrets that are kept in the store, encrypted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from octossh import model, recording
from octossh.errors import ModelError
from octossh.model import Pairs, check_name
from octossh.recording.sealing import Seals
from octossh.shell import Secret
from octossh.vaults import find_secret

if TYPE_CHECKING:
    from octossh.model import Sealed, StoredValues
    from octossh.recording import Store
    from octossh.vaults import SecretSource

__all__ = ["KEY", "Keys", "Values", "key_of_user"]

KEY = "OCTOSSH_KEY"
"""The name under which a source has the key."""

_KIND = "value"


def key_of_user(name: str) -> str | None:
    """The key out of the environment variable *name*, or out of the file that ``<name>_FILE`` names; or None.

    Raises:
        ModelError: The file cannot be read, or others may read it.
    """
    if value := os.environ.get(name):
        return value
    file = os.environ.get(f"{name}_FILE")
    if not file:
        return None
    path = Path(file).expanduser()
    try:
        if path.stat().st_mode & 0o077:
            raise ModelError(f"others may read the key file {path}; run: chmod 600 {path}")
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ModelError(f"the key file {path} cannot be read ({why}); see {name}_FILE") from None


class Keys:
    """What encrypts for the store, and opens it again.

    Args:
        source: Gives the key, by the name ``OCTOSSH_KEY``.
    """

    def __init__(self, source: SecretSource) -> None:
        self._source = source

    def seals(self) -> Seals | None:
        """The keys that are here; None if there is none.

        Raises:
            ModelError: It is none, or its file cannot be read.
        """
        found = find_secret([self._source], KEY)
        return None if not found else Seals(Secret(found))

    def needed(self) -> Seals:
        """The keys that are here.

        Raises:
            ModelError: There is none.
        """
        seals = self.seals()
        if seals is None:
            raise ModelError(
                f"there is no key to encrypt with; make one with 'octossh values new-key', keep it well, and set {KEY} "
                f"or {KEY}_FILE, or give Space(key=...)"
            )
        return seals

    def close(self, owner: str, secrets: Mapping[str, Secret]) -> Pairs[Sealed]:
        """*secrets* encrypted for *owner*, under their own names. Raises as `needed` does."""
        seals, by = self.needed(), recording.whoami()
        return Pairs({name: seals.close(f"{owner}/{name}", secret, by) for name, secret in secrets.items()})

    def open(self, owner: str, closed: Mapping[str, Sealed]) -> dict[str, Secret]:
        """The secrets that were closed for *owner*.

        Raises:
            ModelError: Their key is not here.
            RecordError: They were changed.
        """
        seals = self.needed()
        return {name: seals.open(f"{owner}/{name}", sealed) for name, sealed in closed.items()}


class Values:
    """The values of secrets in the store: ``space.values``.

    They are encrypted with a key that is not in the store, and no method gives one out; steps get them as they
    get other secrets, where no other source of ``Space(secrets=...)`` has one of that name.

    Args:
        store: Where they are.
        key: Gives the key, by the name ``OCTOSSH_KEY``; see `octossh.Space`.
    """

    def __init__(self, store: Store, key: SecretSource) -> None:
        self._store, self._keys = store, Keys(key)

    def set(self, name: str, value: str | Secret, *, why: str = "") -> None:
        """Store *value* as that of the secret *name*, in place of an earlier one.

        Raises:
            ModelError: *name* is no name, *value* no text, or there is no key.
        """
        check_name(name, "value")
        if not isinstance(value, str | Secret):
            raise ModelError(f"value {name!r}: a {type(value).__name__} is no text; give text")
        secret = value if isinstance(value, Secret) else Secret(value)
        if not secret.reveal():
            raise ModelError(f"value {name!r} is empty; give some text, or remove it")
        sealed = self._keys.needed().close(name, secret, recording.whoami())
        self._store.keep(_KIND, name, sealed, why=why, told=False)

    def list(self) -> StoredValues:
        """Their names, and who set them when; it needs no key."""
        held = self._store.kept(_KIND, model.Sealed) if self._store.there else {}
        seals = self._keys.seals() if held else None
        return model.StoredValues(
            tuple(
                model.StoredValue(
                    name=name,
                    at=sealed.at,
                    by=sealed.by,
                    key=sealed.key,
                    readable=seals is not None and seals.opens(sealed),
                )
                for name, sealed in held.items()
            )
        )

    def remove(self, name: str, *, why: str = "") -> None:
        """Remove the value of the secret *name*.

        Raises:
            ModelError: There is none.
        """
        self._store.drop(_KIND, name, why=why, told=False)

    def rotate(self, *, why: str = "") -> int:
        """Encrypt all of them with the first key, if they are not yet; returns how many were not.

        Give both keys before, the new one first: ``OCTOSSH_KEY="NEW OLD"``. Afterwards the old one is not needed.

        Raises:
            ModelError: There is no key, or that of a value is not among those given; then nothing is changed.
            RecordError: One was changed behind octossh's back; then nothing is changed, either.
            Refused: Somebody has set one meanwhile; run it again.
        """
        seals = self._keys.needed()
        held = {
            name: sealed for name, sealed in self._store.kept(_KIND, model.Sealed).items() if sealed.key != seals.first
        }
        made = {name: seals.again(name, sealed) for name, sealed in held.items()}
        for name, sealed in made.items():
            self._store.keep(_KIND, name, sealed, why=why or "the key was changed", told=False, expect=held[name])
        return len(made)

    def find(self, name: str) -> str | None:
        """The value of the secret *name*; None if none is stored.

        Raises:
            ModelError: One is, and its key is not here.
            RecordError: It was changed.
        """
        if not self._store.there:
            return None
        sealed = self._store.kept_one(_KIND, name, model.Sealed)
        if sealed is None:
            return None
        seals = self._keys.seals()
        if seals is None:
            raise ModelError(
                f"secret {name!r} is stored, and the key {sealed.key} that opens it is not here; set {KEY} or "
                f"{KEY}_FILE, give Space(key=...), or set the secret's value elsewhere"
            )
        return seals.open(name, sealed).reveal()
