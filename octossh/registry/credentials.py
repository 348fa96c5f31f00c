"""Logins for registries, and where they come from: docker's config.json and its credential helpers."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from octossh.errors import RegistryError
from octossh.shell import Secret

__all__ = ["Credentials", "config_file", "find_credentials"]

HELPER_LIMIT_S = 10.0

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_KINDS = frozenset({"password", "identity", "bearer"})


@frozen
class Credentials:
    """What logs a client in to a registry.

    Attributes:
        user: The user name; may be empty for the kinds other than ``password``.
        password: The password or token.
        kind: ``password``; ``identity`` for an OAuth2 refresh token (docker's ``identitytoken``);
            ``bearer`` for a token that is sent as it is (docker's ``registrytoken``).
        source: Where it comes from, in words for a message.
    """

    user: str
    password: Secret
    kind: str = field(default="password")
    source: str = field(default="", eq=False)

    @kind.validator
    def _check_kind(self, _attribute: object, kind: object) -> None:
        if kind not in _KINDS:
            raise ValueError(f"{kind!r} is no kind of credentials; it is one of {sorted(_KINDS)}")

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
        key = _HUB_KEY if host in _HUB_HOSTS else host
        return Secret(json.dumps({"auths": {key: entry}}))


def config_file(given: Path | None = None) -> Path | None:
    """Docker's ``config.json``: *given* (it or its folder), else in ``$DOCKER_CONFIG`` or ``~/.docker``.

    None when there is no home directory to look in. The file need not exist.
    """
    if given is not None:
        return given / "config.json" if given.is_dir() else given
    if folder := os.environ.get("DOCKER_CONFIG"):
        return Path(folder) / "config.json"
    try:
        return Path.home() / ".docker" / "config.json"
    except RuntimeError:
        return None


def find_credentials(host: str, file: Path | None) -> Credentials | None:
    """The login for *host* that docker would use with this config file; None when there is none.

    A helper for the host goes before the helper for all hosts, and that before what stands in the file.

    Args:
        host: As in an image reference, such as ``"registry.example.com:5000"`` or ``"docker.io"``.
        file: The ``config.json``; None, or a file that is not there, means nobody is logged in.

    Raises:
        RegistryError: The file cannot be read, or a credential helper failed.
    """
    config = _load(file)
    if file is None or not config:
        return None
    helpers = _mapping(config, "credHelpers", file)
    name = next((helpers[key] for key in _keys(host, helpers)), None)
    if name:
        return _ask_helper(name, host, file)
    if name := config.get("credsStore"):
        found = _ask_helper(name, host, file)
        if found:
            return found
    auths = _mapping(config, "auths", file)
    for key in _keys(host, auths):
        if found := _entry(auths[key], host, file):
            return found
    return None


def _load(file: Path | None) -> dict[str, Any]:
    try:
        config = json.loads(file.read_bytes()) if file else {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise RegistryError(f"docker's {file} cannot be read ({error.strerror}); see who may") from None
    except (ValueError, RecursionError):
        # The parser's own words would quote the file, and passwords stand in it.
        raise RegistryError(f"docker's {file} is not JSON; mend it, or run docker login again") from None
    if not isinstance(config, dict):
        raise RegistryError(f"docker's {file} holds no JSON object; mend it, or run docker login again")
    return config


def _mapping(config: dict[str, Any], key: str, file: Path) -> Mapping[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise RegistryError(f"docker's {file} holds a {key} that is no JSON object; mend it")
    return value


def _keys(host: str, known: Mapping[str, Any]) -> Iterator[str]:
    """The keys of *known* that mean *host*, the exact ones first."""
    names = _HUB_HOSTS if host in _HUB_HOSTS else (host,)
    exact = [_HUB_KEY] if host in _HUB_HOSTS else [host]
    yield from (key for key in exact if key in known)
    for key in known:
        bare = re.sub(r"^https?://|(/v[12])?/?$", "", key)
        if key not in exact and bare in names:
            yield key


def _entry(entry: object, host: str, file: Path) -> Credentials | None:
    if not isinstance(entry, dict):
        raise RegistryError(f"docker's {file} holds an entry for {host} that is no JSON object; mend it")
    fields = ("auth", "username", "password", "identitytoken", "registrytoken")
    value = {name: entry.get(name) or "" for name in fields}
    if not all(_is_text(text) for text in value.values()):
        raise RegistryError(f"docker's {file} holds an entry for {host} that is not all text; mend it")
    user, password = value["username"], value["password"]
    if value["auth"]:
        user, password = _split_auth(value["auth"], host, file)
    source = f"from {file}"
    if value["registrytoken"]:
        return Credentials(user, Secret(value["registrytoken"]), "bearer", source)
    if value["identitytoken"]:
        return Credentials(user, Secret(value["identitytoken"]), "identity", source)
    return Credentials(user, Secret(password), source=source) if user or password else None


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _split_auth(auth: str, host: str, file: Path) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth + "=" * (-len(auth) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    # Old docker clients padded with NULs.
    user, colon, password = text.rstrip("\0").partition(":")
    if not colon or not _is_text(user + password):
        raise RegistryError(
            f"docker's {file} holds an auth for {host} that is not base64 of user:password; run "
            f"docker login {host} again"
        )
    return user, password


def _ask_helper(name: object, host: str, file: Path) -> Credentials | None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise RegistryError(f"docker's {file} names a credential helper {name!r}, which is no name; mend it")
    program = f"docker-credential-{name}"
    subject = f"credential helper {program} (named in {file})"
    path = shutil.which(program)
    if path is None:
        raise RegistryError(f"{subject} is not on the PATH; install it, or set auth=octossh.Basic(...)")
    server = _HUB_KEY if host in _HUB_HOSTS else host
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and the name was checked
            [path, "get"], input=server.encode(), capture_output=True, timeout=HELPER_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise RegistryError(
            f"{subject} did not answer for {host} within {HELPER_LIMIT_S:g} s; run '{program} get' by hand"
        ) from None
    except OSError as error:
        raise RegistryError(f"{subject} cannot be started: {error.strerror}; see who may run it") from None
    if done.returncode:
        if re.search(rb"credentials not found|could not be found", done.stdout + done.stderr, re.IGNORECASE):
            return None
        raise RegistryError(
            f"{subject} failed for {host} with exit code {done.returncode}; run '{program} get' by hand to see why"
        )
    return _read_helper(done.stdout, subject, host)


def _read_helper(output: bytes, subject: str, host: str) -> Credentials | None:
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    login: dict[str, Any] = answer if isinstance(answer, dict) else {"Secret": None}
    user, password = login.get("Username", ""), login.get("Secret", "")
    if not _is_text(user) or not _is_text(password):
        raise RegistryError(f"{subject} answered for {host} with something that is no login; run it by hand")
    if not password:
        return None
    if user == "<token>":
        return Credentials("", Secret(password), "identity", f"from {subject}")
    return Credentials(user, Secret(password), source=f"from {subject}")
