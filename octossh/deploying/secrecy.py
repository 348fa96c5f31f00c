"""The secrets of one deployment, some of which come up on the way, and what hides them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octossh.planning import OUTPUT, SecretOutput, output_ref
from octossh.shell import Masker

if TYPE_CHECKING:
    from octossh.shell import Secret

__all__ = ["Secrecy"]


class Secrecy:
    """Safe to use from many threads.

    Attributes:
        secrets: Their values by name; grows.
    """

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self.secrets = dict(secrets)
        self._hidden: list[Secret] = []
        self._mask = Masker(self.secrets.values())
        self._lock = threading.Lock()

    def learn(self, step: str, target: str, name: str, secret: Secret) -> SecretOutput:
        """The output *name* of *step* on *target* is secret: from now on it is masked, and can be passed on."""
        ref = output_ref(step, target, name)
        with self._lock:
            self.secrets[ref.name] = secret
            self._mask = Masker([*self.secrets.values(), *self._hidden])
        return SecretOutput(ref)

    def hide(self, secret: Secret) -> None:
        """Mask *secret* from now on, too."""
        with self._lock:
            if not any(secret is known for known in self._hidden):
                self._hidden.append(secret)
                self._mask = Masker([*self.secrets.values(), *self._hidden])

    @property
    def learned(self) -> dict[str, Secret]:
        """The outputs that are secret, by the names of their references."""
        with self._lock:
            return {name: value for name, value in self.secrets.items() if name.startswith(OUTPUT)}

    def mask(self, text: str) -> str:
        """*text* without the secrets."""
        return self._mask(text)

    def masked(self, value: Any) -> Any:
        """Plain data without the secrets; itself where there are none: what docker tells of a container is long."""
        if not self._mask:
            return value
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, bytes):
            return self._mask.raw(value)
        if isinstance(value, Mapping):
            return {key: self.masked(item) for key, item in value.items()}
        return [self.masked(item) for item in value] if isinstance(value, list) else value
