"""The environment of whoever starts the tests, of which they shall see little."""

from __future__ import annotations

import os

__all__ = ["of_the_user", "without_the_user"]


def of_the_user(name: str) -> bool:
    """Whether a variable says something of keys, logins or proxies."""
    return name.startswith(("SSH_", "DOCKER_", "OCTOSSH_")) or name.lower().endswith("_proxy")


def without_the_user(home: str) -> dict[str, str]:
    """What a process is given that shall know nothing of them, with a home of its own."""
    return {name: value for name, value in os.environ.items() if not of_the_user(name)} | {"HOME": home}
