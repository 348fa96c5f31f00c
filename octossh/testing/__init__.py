"""For tests of octofiles and of tools around octossh: hosts and a registry that are none, and fixtures for pytest.

Where octossh is installed, pytest has the fixtures ``octossh_space``, ``octossh_hosts`` and ``octossh_registry``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from octossh.testing.hosts import Hosts
    from octossh.testing.registry import FakeRegistry, Reply, Seen
    from octossh.testing.releases import release_of

__all__ = ["FakeRegistry", "Hosts", "Reply", "Seen", "release_of"]

_HOMES = {
    "Hosts": "hosts",
    "FakeRegistry": "registry",
    "Reply": "registry",
    "Seen": "registry",
    "release_of": "releases",
}


def __getattr__(name: str) -> Any:
    """A name, looked up when it is first asked for: pytest loads this package wherever octossh is installed."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"octossh.testing.{_HOMES[name]}"), name)
