"""Logins to registries: where one is to be looked for, and what was found there."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import attrs
from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import of
from octossh.model.secrets import SecretRef
from octossh.shell import Secret

__all__ = [
    "AUTHS",
    "HUB_HOSTS",
    "HUB_KEY",
    "Anonymous",
    "Auth",
    "Basic",
    "Callback",
    "CredentialHelper",
    "Credentials",
    "DockerConfig",
    "Keyring",
    "Token",
]

HUB_KEY = "https://index.docker.io/v1/"
"""What docker calls Docker Hub in its ``config.json``."""
HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")

_KINDS = frozenset({"password", "identity", "bearer"})


def _secret_value(value: Any) -> Any:
    return Secret(value) if isinstance(value, str) else value


@frozen
class Credentials:
    """What logs a client in to a registry: what a function given as ``auth`` returns.

    Attributes:
        user: The user name; may be empty for the kinds other than ``password``.
        password: The password or token: text, or an `octossh.Secret`.
        kind: ``password``; ``identity`` for an OAuth2 refresh token (docker's ``identitytoken``);
            ``bearer`` for a token that is sent as it is (docker's ``registrytoken``).
        source: Where it comes from, in words for a message.
        lifetime_s: How long it can be used from now on, in seconds; None: not known, so it is looked up anew
            every few minutes.
    """

    user: str = field()
    password: Secret = field(converter=_secret_value)
    kind: str = field(default="password")
    source: str = field(default="", eq=False)
    lifetime_s: float | None = field(default=None, kw_only=True)

    @user.validator
    def _check_user(self, _attribute: object, user: object) -> None:
        if not isinstance(user, str):
            raise ModelError(f"credentials: the user is a {type(user).__name__}, not text; give its name")

    @password.validator
    def _check_password(self, _attribute: object, password: object) -> None:
        if not isinstance(password, Secret):
            raise ModelError(f"credentials: the password is a {type(password).__name__}; give text or octossh.Secret")

    @kind.validator
    def _check_kind(self, _attribute: object, kind: object) -> None:
        if kind not in _KINDS:
            raise ModelError(f"{kind!r} is no kind of credentials; it is one of {sorted(_KINDS)}")

    @lifetime_s.validator
    def _check_lifetime(self, _attribute: object, life: object) -> None:
        number = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
        if not (life is None or number):
            raise ModelError(f"credentials: lifetime_s is {life!r}; give seconds above 0, or leave it out")

    @property
    def basic(self) -> str:
        """Base64 of user, colon and password: the HTTP Basic scheme's form."""
        return base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()

    def docker_config(self, host: str) -> Secret:
        """The text of a docker ``config.json`` that logs in to *host* and nowhere else.

        Args:
            host: As in an image reference, such as ``"registry.example.com:5000"`` or ``"docker.io"``.

        Hosts:
            untouched: nothing is sent.
        """
        entry = {"auth": self.basic}
        if self.kind == "identity":
            # Docker wants the user here and the token apart; "user:" alone is what `docker login` writes.
            user = base64.b64encode(f"{self.user}:".encode()).decode()
            entry = {"auth": user, "identitytoken": self.password.reveal()}
        elif self.kind == "bearer":
            entry = {"registrytoken": self.password.reveal()}
        key = HUB_KEY if host in HUB_HOSTS else host
        return Secret(json.dumps({"auths": {key: entry}}))


_NAME_OF_SECRET = of(SecretRef, advice="write octossh.secret('NAME'), the name of what holds it", hidden=True)


@frozen
class Anonymous:
    """Nobody logs in, whatever docker's ``config.json`` says."""


@frozen
class Basic:
    """A login by user name and password.

    Attributes:
        user: The user name.
        password: The name of the secret that holds the password; `octossh.secret` makes it.
    """

    user: str = field(validator=of(str))
    password: SecretRef = field(validator=_NAME_OF_SECRET)


@frozen
class Token:
    """A login by a token alone.

    Attributes:
        token: The name of the secret that holds it; `octossh.secret` makes it.
        refresh: False: it is sent to the registry as it is (``Authorization: Bearer``). True: it is an OAuth2
            refresh token, which the registry's token service changes for short-lived ones; docker calls it
            identity token.
    """

    token: SecretRef = field(validator=_NAME_OF_SECRET)
    refresh: bool = field(default=False, kw_only=True, validator=of(bool))


@frozen
class DockerConfig:
    """The login that docker would use with this ``config.json``, on the machine that runs octossh.

    Without any ``auth`` that is the one that docker itself looks for: the environment variable
    ``DOCKER_AUTH_CONFIG`` holds its text, or it is in ``$DOCKER_CONFIG``, else in ``~/.docker``.

    Attributes:
        path: The file or its folder.
    """

    path: str = field(validator=of(str))


@frozen
class CredentialHelper:
    """The login that one of docker's credential helpers gives.

    Attributes:
        name: What stands behind ``docker-credential-`` in the name of the program, such as ``ecr-login``.
    """

    name: str = field(validator=of(str))

    @name.validator
    def _check_name(self, _attribute: object, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            raise ModelError(f"credential helper {name!r}: write its name, such as 'ecr-login'")


@frozen
class Keyring:
    """A password out of the keyring of the system, by way of the library ``keyring``.

    Attributes:
        user: The user name.
        service: What the password is filed under; None: the host of the registry.
    """

    user: str = field(validator=of(str))
    service: str | None = field(default=None, validator=of(str, optional=True))


@frozen
class Callback:
    """A function that gives the login. A `Registry` makes it out of one that is given as ``auth``.

    Attributes:
        function: Takes nothing, and returns `Credentials`, or a user and a password. It is called again when the
            credentials come to their end. None: the function stands in an octofile, and this comes from a
            record, which cannot hold it.
    """

    function: Callable[[], Any] | None = field(default=None, repr=False, eq=id)


Auth = Anonymous | Basic | Token | DockerConfig | CredentialHelper | Keyring | Callback
AUTHS: dict[str, type[Any]] = {
    "anonymous": Anonymous,
    "basic": Basic,
    "token": Token,
    "docker-config": DockerConfig,
    "helper": CredentialHelper,
    "keyring": Keyring,
    "callback": Callback,
}
"""The ways to log in, by the name that a record has for each."""


def check_auth(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """An attrs validator: a way to log in, or None."""
    if value is not None and not isinstance(value, tuple(AUTHS.values())):
        raise ModelError(
            f"{type(instance).__name__} {instance.name!r}, field {attribute.name}: a {type(value).__name__} is no way "
            "to log in; give octossh.Basic(user, octossh.secret(...)), another of that kind, or a function"
        )
