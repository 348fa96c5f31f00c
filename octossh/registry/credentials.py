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

from octossh.errors import RegistryError
from octossh.model.credentials import HUB_HOSTS, HUB_KEY, Credentials
from octossh.shell import Secret

__all__ = ["ask_helper", "config_file", "find_credentials"]

HELPER_LIMIT_S = 10.0


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


def find_credentials(host: str, file: Path | None, inline: str | None = None) -> Credentials | None:
    """The login for *host* that docker would use with this config file; None when there is none.

    A helper for the host goes before the helper for all hosts, and that before what stands in the file.

    Args:
        host: As in an image reference, such as ``"registry.example.com:5000"`` or ``"docker.io"``.
        file: The ``config.json``; None, or a file that is not there, means nobody is logged in.
        inline: The text of such a file, which goes before it: the environment variable ``DOCKER_AUTH_CONFIG``.

    Raises:
        RegistryError: The file cannot be read, or a credential helper failed.
    """
    if inline:
        where = "environment variable DOCKER_AUTH_CONFIG"
        if found := _find(host, _parse(inline, where), where):
            return found
    return _find(host, _load(file), f"{file}")


def _find(host: str, config: dict[str, Any], where: str) -> Credentials | None:
    helpers = _mapping(config, "credHelpers", where)
    name = next((helpers[key] for key in _keys(host, helpers)), None)
    if name:
        return ask_helper(name, host, f"named in {where}")
    if name := config.get("credsStore"):
        found = ask_helper(name, host, f"named in {where}")
        if found:
            return found
    auths = _mapping(config, "auths", where)
    for key in _keys(host, auths):
        if found := _entry(auths[key], host, where):
            return found
    return None


def _load(file: Path | None) -> dict[str, Any]:
    try:
        text = file.read_bytes() if file else b"{}"
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise RegistryError(f"docker's {file} cannot be read ({error.strerror}); see who may") from None
    return _parse(text, f"{file}")


def _parse(text: str | bytes, where: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        # The parser's own words would quote the file, and passwords stand in it.
        raise RegistryError(f"docker's {where} is not JSON; mend it, or run docker login again") from None
    if not isinstance(config, dict):
        raise RegistryError(f"docker's {where} holds no JSON object; mend it, or run docker login again")
    return config


def _mapping(config: dict[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise RegistryError(f"docker's {where} holds a {key} that is no JSON object; mend it")
    return value


def _keys(host: str, known: Mapping[str, Any]) -> Iterator[str]:
    """The keys of *known* that mean *host*, the exact ones first."""
    names = HUB_HOSTS if host in HUB_HOSTS else (host,)
    exact = [HUB_KEY] if host in HUB_HOSTS else [host]
    yield from (key for key in exact if key in known)
    for key in known:
        bare = re.sub(r"^https?://|(/v[12])?/?$", "", key)
        if key not in exact and bare in names:
            yield key


def _entry(entry: object, host: str, where: str) -> Credentials | None:
    if not isinstance(entry, dict):
        raise RegistryError(f"docker's {where} holds an entry for {host} that is no JSON object; mend it")
    fields = ("auth", "username", "password", "identitytoken", "registrytoken")
    value = {name: entry.get(name) or "" for name in fields}
    if not all(_is_text(text) for text in value.values()):
        raise RegistryError(f"docker's {where} holds an entry for {host} that is not all text; mend it")
    user, password = value["username"], value["password"]
    if value["auth"]:
        user, password = _split_auth(value["auth"], host, where)
    source = f"from {where}"
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


def _split_auth(auth: str, host: str, where: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth + "=" * (-len(auth) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    # Old docker clients padded with NULs.
    user, colon, password = text.rstrip("\0").partition(":")
    if not colon or not _is_text(user + password):
        raise RegistryError(
            f"docker's {where} holds an auth for {host} that is not base64 of user:password; run "
            f"docker login {host} again"
        )
    return user, password


def ask_helper(name: object, host: str, named: str) -> Credentials | None:
    """What docker's credential helper *name* gives for *host*; None if it knows no login.

    Args:
        name: What stands behind ``docker-credential-`` in the name of the program.
        host: As in an image reference.
        named: Where it is named, in words for a message.

    Raises:
        RegistryError: It is not there, fails, takes too long, or answers something that is no login.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise RegistryError(f"a credential helper is {named}, and {name!r} is no name; mend it")
    program = f"docker-credential-{name}"
    subject = f"credential helper {program} ({named})"
    path = shutil.which(program)
    if path is None:
        raise RegistryError(f"{subject} is not on the PATH; install it, or set auth=octossh.Basic(...)")
    server = HUB_KEY if host in HUB_HOSTS else host
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
