"""What needs the authority of the user: values of secrets, and registries with their logins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from octossh.errors import ModelError
from octossh.model import Registry, Release
from octossh.planning import secrets_of
from octossh.registry import Registries
from octossh.shell import Secret

__all__ = ["Access", "SecretSource"]

SecretSource = Mapping[str, str] | Callable[[str], str | None]


class Access:
    """Looks up secrets and opens registries when they are asked for, and keeps the latter until it is closed.

    Attributes:
        registries: Their clients.

    Args:
        registries: Those of the images.
        source: A mapping or a function that gives the value of a secret by name, or None.
            Default: the environment variables of this process.

    Raises:
        ModelError: *source* is neither.
    """

    def __init__(self, registries: Iterable[Registry], source: SecretSource | None = None) -> None:
        if not (source is None or isinstance(source, Mapping) or callable(source)):
            raise ModelError(f"secrets={type(source).__name__}: give a mapping of names to values, or a function")
        self._source: SecretSource = os.environ if source is None else source
        self.registries = Registries(registries, self.secret)

    def secret(self, name: str) -> Secret:
        """The value of the secret *name*.

        Raises:
            ModelError: It has none.
        """
        value = self._source(name) if callable(self._source) else self._source.get(name)
        if value is None:
            raise ModelError(
                f"secret {name!r} has no value; set the environment variable {name}, or give Space(secrets=...) one"
            )
        return Secret(value)

    def of(self, release: Release, environment: str) -> tuple[dict[str, Secret], dict[str, str]]:
        """The secrets that *release* needs there, by name; and the names of those that log hosts in, by registry.

        Raises:
            ModelError: A secret has no value.
            RegistryError: A login cannot be had.
        """
        found = {name: self.secret(name) for name in sorted(secrets_of(release, environment))}
        logins: dict[str, str] = {}
        for registry in {image.registry: None for image in release.process.images}:
            credentials = None
            if registry.host_login != "none":
                credentials = self.registries.client(registry).pull_credentials()
            if credentials is not None:
                logins[registry.name] = f"registry:{registry.name}"
                found[logins[registry.name]] = credentials.docker_config(registry.pull_host)
                # By itself, so that it is masked by itself, too.
                found[f"{logins[registry.name]}:password"] = credentials.password
        return found, logins

    def close(self) -> None:
        """Close the connections to registries."""
        self.registries.close()
