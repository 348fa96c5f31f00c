"""All registries of a space, with a client for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from octossh.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from octossh.model.images import Registry, Repositories
    from octossh.registry.clients import RegistryClient
    from octossh.shell import Secret

__all__ = ["Registries"]


class Registries:
    """The registries that a space knows, and clients that are made when they are needed.

    Args:
        known: Those that the projects run images of.
        secrets: Gives the value of a secret by name.
    """

    def __init__(self, known: Iterable[Registry], secrets: Callable[[str], Secret]) -> None:
        self._known = tuple(dict.fromkeys(known))
        self._secrets = secrets
        self._lock = threading.Lock()
        self._clients: dict[Registry, RegistryClient] = {}

    def client(self, registry: Registry) -> RegistryClient:
        """The client of *registry*.

        A release keeps a registry as it was. Where one of that name and url is known, it stands in: how one logs in
        today is no part of a release, and a function that gives the login cannot be stored at all.
        """
        same = [known for known in self._known if (known.name, known.url) == (registry.name, registry.url)]
        chosen = registry if registry in same or not same else same[0]
        with self._lock:
            if chosen not in self._clients:
                from octossh.registry.clients import RegistryClient

                self._clients[chosen] = RegistryClient(chosen, secrets=self._secrets)
            return self._clients[chosen]

    def search(self, text: str = "", name: str | None = None, *, limit: int = 100) -> Repositories:
        """The repositories of the registry *name* (default: the only one) whose name has *text* in it.

        Raises:
            ModelError: There is no such registry, or there are several and no name is given.
            RegistryError: It could not be asked, or gives no list of its repositories.
        """
        names = {registry.name: registry for registry in self._known}
        if name is None and len(names) == 1:
            name = next(iter(names))
        if name is None and not names:
            raise ModelError("there is no registry to search in; a step of a project has to have an image of it")
        if name is None:
            raise ModelError(f"there are {len(names)} registries to search in; say which: {', '.join(names)}")
        if name not in names:
            raise ModelError(f"no project has images of a registry {name!r}; {did_you_mean(name, names)}")
        return self.client(names[name]).repositories(text, limit=limit)

    def close(self) -> None:
        """Close the connections of all clients."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
