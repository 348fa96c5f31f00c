"""References to secrets. The values themselves never stand in a model."""

from __future__ import annotations

import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError

__all__ = ["SecretRef", "secret"]


def _check(_instance: Any, _attribute: Any, name: Any) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./:-]{0,199}", name):
        raise ModelError(f"{name!r} is no name of a secret; use letters, digits and . _ - / :")


@frozen
class SecretRef:
    """The name of a secret. Its value is looked up when a deployment starts."""

    name: str = field(validator=_check)


def secret(name: str) -> SecretRef:
    """Refer to the secret *name*: by default the environment variable of that name, on the controller.

    Raises:
        ModelError: *name* is no name.
    """
    return SecretRef(name)
