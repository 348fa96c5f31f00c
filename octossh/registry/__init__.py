"""Registries: which tags an image has, which digest a tag means, and the login for that.

The HTTP library (``requests``) enters in ``exchanges`` alone, and only when the first question is asked.
"""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.model.credentials import Credentials
    from octossh.registry.archives import Archive
    from octossh.registry.clients import RegistryClient
    from octossh.registry.registries import Registries

__all__ = ["Archive", "Credentials", "Registries", "RegistryClient"]
