"""For tests of octofiles and of tools around octossh: hosts and a registry that are none, and fixtures for pytest.

Where octossh is installed, pytest has the fixtures ``octossh_space``, ``octossh_hosts`` and ``octossh_registry``.
"""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.testing.hosts import Hosts
    from octossh.testing.registry import FakeRegistry, Reply, Seen
    from octossh.testing.releases import release_of

__all__ = ["FakeRegistry", "Hosts", "Reply", "Seen", "release_of"]
