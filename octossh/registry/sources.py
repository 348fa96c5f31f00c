"""What a registry's ``auth`` comes to: the credentials, from wherever they are kept."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from octossh.errors import ModelError, OctosshError, RegistryError
from octossh.keyrings import ask_keyring
from octossh.model.credentials import (
    Anonymous,
    Basic,
    Callback,
    CredentialHelper,
    Credentials,
    DockerConfig,
    Keyring,
    Token,
)
from octossh.model.images import Registry
from octossh.registry.credentials import ask_helper, config_file, find_credentials
from octossh.shell import Secret

__all__ = ["Source"]

# A helper's password may live for an hour; this is short enough to notice, and long enough to ask it seldom.
KEPT_S = 300.0


class Source:
    """Where the credentials of one registry come from. Safe for threads.

    Args:
        registry: Its ``auth`` says where.
        secrets: Gives the value of a secret by name.
        docker_config: Docker's ``config.json`` or its folder, where ``auth`` names none.
    """

    def __init__(self, registry: Registry, secrets: Callable[[str], Secret], docker_config: Path | None) -> None:
        self._registry = registry
        self._secrets = secrets
        auth = registry.auth
        path = auth.path if isinstance(auth, DockerConfig) else None
        self._file = config_file(Path(path).expanduser() if path else docker_config)
        self._inline = path is None and docker_config is None
        self._lock = threading.Lock()
        self._kept: tuple[Credentials | None, float] | None = None

    @property
    def looked_in(self) -> str:
        """Where docker's login was looked for, in words for a message."""
        if self._inline and os.environ.get("DOCKER_AUTH_CONFIG"):
            return f"environment variable DOCKER_AUTH_CONFIG, {self._file}"
        return str(self._file) if self._file else "no docker config, since there is no home directory"

    def credentials(self, *, instead_of: Credentials | None = None) -> Credentials | None:
        """The credentials; None: nobody logs in. They are kept for their ``lifetime_s``, or for a few minutes.

        Args:
            instead_of: Those that were not accepted: look them up anew if they are what is kept.

        Raises:
            RegistryError: They should be there and are not.
        """
        with self._lock:
            kept = self._kept
            if kept is None or time.monotonic() >= kept[1] or (instead_of is not None and kept[0] is instead_of):
                found = self._find()
                life_s = found.lifetime_s if found else None
                # A tenth less: what is sent now has to be good when it comes there.
                kept = found, time.monotonic() + (KEPT_S if life_s is None else 0.9 * life_s)
                self._kept = kept
            return kept[0]

    def pull_credentials(self) -> Credentials | None:
        """The same for the address that hosts pull from.

        What docker's config holds for one address is not sent to another.

        Raises:
            RegistryError: As for `credentials`.
        """
        registry = self._registry
        of_docker = registry.auth is None or isinstance(registry.auth, DockerConfig)
        if of_docker and registry.pull_host != registry.host and registry.registry_path:
            return self._of_docker(registry.pull_host)
        return self.credentials()

    def _find(self) -> Credentials | None:
        auth, host = self._registry.auth, self._registry.host
        if isinstance(auth, Basic):
            return self._basic(auth)
        if isinstance(auth, Token):
            name = auth.token.name
            kind = "identity" if auth.refresh else "bearer"
            return Credentials("", self._secret(name, "its token"), kind, f"from secret {name!r}")
        if isinstance(auth, Keyring):
            service = auth.service or host
            return Credentials(auth.user, _from_keyring(service, auth.user), source=f"from keyring {service!r}")
        if isinstance(auth, CredentialHelper):
            found = ask_helper(auth.name, host, "named in its auth")
            if found is None:
                raise RegistryError(f"docker-credential-{auth.name} knows no login for {host}; log in to it first")
            return found
        if isinstance(auth, Callback):
            return _call(auth)
        if isinstance(auth, Anonymous):
            return None
        return self._of_docker(host)

    def _of_docker(self, host: str) -> Credentials | None:
        return find_credentials(host, self._file, os.environ.get("DOCKER_AUTH_CONFIG") if self._inline else None)

    def _basic(self, auth: Basic) -> Credentials:
        if ":" in auth.user:
            raise RegistryError(f"the user {auth.user!r} holds a colon, which a login cannot; see its auth")
        name = auth.password.name
        return Credentials(auth.user, self._secret(name, "its password"), source=f"from secret {name!r}")

    def _secret(self, name: str, what: str) -> Secret:
        try:
            return self._secrets(name)
        except (OctosshError, LookupError):
            # Not chained: whoever keeps secrets may quote them.
            raise RegistryError(
                f"the secret {name!r}, {what}, has no value here; set it, perhaps as an environment variable"
            ) from None


def _call(auth: Callback) -> Credentials:
    if auth.function is None:
        raise RegistryError(
            "its login is a function, which no record can hold; give the octofile a registry of this name and url"
        )
    try:
        given = auth.function()
    except Exception as error:  # noqa: BLE001  # it is not ours, and what it raises may quote the password
        raise RegistryError(
            f"the function that its auth is failed with {type(error).__name__}; call it by hand to see why"
        ) from None
    source = "from the function that its auth is"
    try:
        found = given if isinstance(given, Credentials) else Credentials(*given)
    except (TypeError, ValueError):
        raise RegistryError(
            f"the function that its auth is returned a {type(given).__name__} that is no login; let it return "
            "octossh.Credentials(user, password), or the two as a tuple"
        ) from None
    if found.password.reveal().endswith("\n"):
        raise RegistryError(
            "the function that its auth is returned a password with a line break at its end; strip() what a command "
            "prints"
        )
    return attrs.evolve(found, source=found.source or source)


def _from_keyring(service: str, user: str) -> Secret:
    try:
        password = ask_keyring(service, user)
    except ModelError as error:
        raise RegistryError(f"its login is in the keyring, but {error}") from None
    if password is None:
        raise RegistryError(
            f"the keyring has no password of user {user!r} for {service!r}; run 'keyring set {service} {user}'"
        )
    return Secret(password)
