"""Registries, images, and images pinned to their digest."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from attrs import field, frozen

from octossh.errors import ModelError, PlanError
from octossh.model._values import Described, named, of
from octossh.model.credentials import Auth, Callback, Credentials, check_auth
from octossh.model.platforms import serves
from octossh.model.references import is_address, known_address

__all__ = ["Image", "Pin", "Registry", "Repositories", "check_digest"]

_HOST_LOGINS = ("auto", "token", "password", "none")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")


def check_digest(digest: str) -> None:
    """Raise `ModelError` unless *digest* is ``sha256:`` and 64 hex digits."""
    if not _DIGEST.fullmatch(digest):
        raise ModelError(f"{digest!r} is not a digest; it is 'sha256:' and 64 hex digits")


def _digest_of(_instance: Any, _attribute: Any, digest: Any) -> None:
    check_digest(str(digest))


def _check_url(_instance: Any, _attribute: Any, url: Any) -> None:
    try:
        parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    if not parts or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ModelError(f"registry URL {url!r} is none; write it as 'https://registry.example.com'")
    if re.fullmatch(r"/v[12]/?", parts.path):
        raise ModelError(
            f"registry URL {url!r}: leave {parts.path!r} out, since the API stands at the root of the host"
        )
    if parts.path not in {"", "/"}:
        raise ModelError(f"registry URL {url!r} has a path; put {parts.path.strip('/')!r} in front of the repository")
    if parts.username or parts.password:
        raise ModelError("a registry URL holds a password; use auth=octossh.Basic(user, octossh.secret(...))")
    if not _ADDRESS.fullmatch(parts.netloc):
        raise ModelError(
            f"registry URL {url!r}: {parts.netloc!r} is no host; write a host name or an IP address, with ':PORT' if "
            "it is not the usual one"
        )


def _check_registry_path(_instance: Any, _attribute: Any, path: Any) -> None:
    if path is None:
        return
    if not isinstance(path, str) or not path:
        raise ModelError(f"registry path {path!r} is none; write it as 'pull.example.com:5000'")
    if "://" in path:
        raise ModelError(
            f"registry path {path!r} has a scheme; leave it out, since docker on each host decides about http"
        )
    if "@" in path:
        raise ModelError("a registry path holds a login; use auth=octossh.Basic(user, octossh.secret(...))")
    address, slash, folder = path.partition("/")
    if not _ADDRESS.fullmatch(address) or (slash and not _REPOSITORY.fullmatch(folder)):
        raise ModelError(f"registry path {path!r} is none; write it as 'pull.example.com:5000' or 'example.com/folder'")
    if not is_address(address):
        raise ModelError(
            f"registry path {path!r}: docker takes {address!r} for a user of Docker Hub; add the port, as in "
            f"'{address}:443'"
        )


def _as_auth(value: Auth | Callable[[], Credentials | tuple[str, str]] | None) -> Auth | None:
    """*value*; a function is wrapped up. It stands here, since attrs has its annotation stand at the constructor."""
    return Callback(value) if callable(value) and not isinstance(value, type) else cast("Auth | None", value)


def _check_host_login(_instance: Any, _attribute: Any, how: Any) -> None:
    if how not in _HOST_LOGINS:
        raise ModelError(f"host_login is {how!r}; it is one of {', '.join(map(repr, _HOST_LOGINS))}")


@frozen
class Registry(Described):
    """Where images come from.

    Attributes:
        name: What it is called in messages.
        url: ``https://host[:port]``, where octossh asks; plain ``http://`` only where you write it.
        registry_path: ``host[:port][/folder]``, from where hosts pull if that differs from the host of *url*: a
            name inside of their network, another port, a mirror. The login is for there, too.
        host_login: What a host logs in with to pull an image. ``"token"``: a token that the registry's token service
            gives for pulling this one image for some minutes, got when the host is about to pull. ``"password"``:
            what `auth` says. ``"none"``: the host's own docker login, if it has one. ``"auto"``, the default: a
            token where hosts pull from where octossh asks and the registry gives one for four minutes at least;
            else what `auth` says.
        auth: How to log in: a `Basic`, `Token`, `Keyring`, `CredentialHelper`, `DockerConfig` or `Anonymous`, or a
            function that takes nothing and returns `Credentials`. None: the login in docker's ``config.json`` on the
            machine that runs octossh, if there is one. A function is not stored with a release: the octofile's
            registry of the same name and url stands in for it.
        ca: Path of a file with the certificate authority that signed the registry's certificate, in PEM.
        cert: Path of a file with the client certificate that the registry wants, in PEM.
        key: Path of a file with the key of *cert*, without a password, if it is not in the same file.
    """

    name: str = field(validator=named("registry"))
    url: str = field(validator=_check_url)
    auth: Auth | None = field(default=None, kw_only=True, converter=_as_auth, validator=check_auth)
    ca: str | None = field(default=None, kw_only=True, validator=of(str, optional=True))
    cert: str | None = field(default=None, kw_only=True, validator=of(str, optional=True))
    key: str | None = field(default=None, kw_only=True, validator=of(str, optional=True))
    registry_path: str | None = field(default=None, kw_only=True, validator=_check_registry_path)
    host_login: str = field(default="auto", kw_only=True, validator=_check_host_login)

    def __attrs_post_init__(self) -> None:
        if self.key is not None and self.cert is None:
            raise ModelError(f"registry {self.name!r} has a key and no cert; give the certificate that the key is of")

    @property
    def host(self) -> str:
        """The address that is asked, such as ``registry.example.com:5000`` or ``docker.io``."""
        return known_address(urllib.parse.urlsplit(self.url).netloc)

    @property
    def pull_path(self) -> str:
        """What stands before the repository in a reference for hosts: `registry_path`, or the host of the url."""
        if self.registry_path:
            address, slash, folder = self.registry_path.partition("/")
            return f"{known_address(address)}{slash}{folder}"
        if is_address(self.host):
            return self.host
        return f"{self.host}:{80 if self.url.startswith('http:') else 443}"

    @property
    def pull_host(self) -> str:
        """The address that hosts pull from, as docker's config knows its login."""
        return self.pull_path.partition("/")[0]

    @property
    def pull_url(self) -> str:
        """Where a host can ask whether it reaches what it pulls from."""
        address = "registry-1.docker.io" if self.pull_host == "docker.io" else self.pull_host
        return f"{urllib.parse.urlsplit(self.url).scheme}://{address}"

    def image(self, repository: str) -> Image:
        """The image *repository* of this registry, without a tag: a release picks that.

        Raises:
            ModelError: *repository* is no repository name.
        """
        return Image(self, repository)


@frozen
class Image(Described):
    """A repository in a registry; a release says which of its tags."""

    registry: Registry = field(validator=of(Registry))
    repository: str = field()

    @repository.validator
    def _check_repository(self, _attribute: object, repository: object) -> None:
        if isinstance(repository, str) and _REPOSITORY.fullmatch(repository) and len(repository) <= 255:
            first, slash, rest = repository.partition("/")
            # On Docker Hub no first part has a dot: it is the host, which the registry has already.
            if slash and (first == self.registry.host or ("." in first and self.registry.host == "docker.io")):
                raise ModelError(f"image {repository!r} begins with a host, which the registry says; write {rest!r}")
            return
        hint = ""
        if isinstance(repository, str):
            if "@" in repository or ":" in repository.rsplit("/", 1)[-1]:
                hint = "; leave the tag or digest out, since a release picks it"
            elif repository != repository.lower():
                hint = "; a repository is written in small letters"
        raise ModelError(f"image {repository!r} is not a repository name such as 'acme/web'{hint}")

    @property
    def path(self) -> str:
        """The repository as the registry's API knows it: Docker Hub puts ``library/`` before a bare name."""
        bare = self.registry.host == "docker.io" and "/" not in self.repository
        return f"library/{self.repository}" if bare else self.repository

    @property
    def name(self) -> str:
        """Registry host and repository, such as ``registry.example.com/acme/web``, where octossh asks for it."""
        return f"{self.registry.host}/{self.path}"

    @property
    def pull_name(self) -> str:
        """The same where hosts pull it."""
        return f"{self.registry.pull_path}/{self.path}"

    def __str__(self) -> str:
        return self.name


@frozen(kw_only=True)
class Pin(Described):
    """An image as a release fixes it.

    Attributes:
        image: The repository.
        tag: The tag that was picked.
        digest: What the tag meant at that moment, as the registry served it (the index where there is one).
        media_type: Of that manifest.
        size: Of that manifest, in bytes.
        resolved_at: When the registry was asked.
        platforms: What it is built for, such as ``("linux/amd64", "linux/arm64")``; empty: not known.
    """

    image: Image
    tag: str
    digest: str = field(validator=_digest_of)
    media_type: str = ""
    size: int = 0
    resolved_at: datetime | None = None
    platforms: tuple[str, ...] = ()

    def serves(self, platform: str) -> bool:
        """Whether it is built for *platform*, such as ``linux/amd64``; also where one of the two is not known."""
        return not self.platforms or not platform or serves(self.platforms, platform)

    def check_platform(self, platform: str, whose: str = "the host is") -> None:
        """Raise `PlanError` unless it is built for *platform*; *whose* that is stands before it in the message."""
        if not self.serves(platform):
            raise PlanError(
                f"image {self} is built for {', '.join(self.platforms)}, and {whose} {platform}; push it for this "
                "platform too, or pick another version"
            )

    @property
    def reference(self) -> str:
        """What hosts pull: name and digest."""
        return f"{self.image.pull_name}@{self.digest}"

    def __str__(self) -> str:
        return f"{self.image.repository}:{self.tag}"


@frozen(kw_only=True)
class Repositories(Described):
    """What a search for repositories found.

    Attributes:
        registry: The name of the registry.
        text: What was searched for.
        names: The repositories.
        complete: Whether these are all; False: there are more than were wanted or looked through.
    """

    registry: str
    text: str
    names: tuple[str, ...]
    complete: bool

    def __str__(self) -> str:
        more = () if self.complete else ("(there may be more; search for a longer part of the name)",)
        return "\n".join(self.names + more) or f"no repository of {self.registry!r} has {self.text!r} in its name"
