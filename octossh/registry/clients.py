"""The client of one registry: tags, digests, and what logs in to it."""

from __future__ import annotations

import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from octossh.errors import OctosshError, RegistryError
from octossh.model.images import Image, Pin, Registry
from octossh.registry import manifests, tag_lists
from octossh.registry.credentials import Credentials, config_file, find_credentials
from octossh.registry.headers import origin, place, retry_after_s
from octossh.registry.logins import Login
from octossh.shell import Secret

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer, Exchange

__all__ = ["RegistryClient"]

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
# A helper's password may live for an hour; this is short enough to notice, and long enough to ask it seldom.
_CREDENTIALS_LIFE_S = 300.0
# Without a login, with an old one, with a new one, and with one for another scope.
_ATTEMPTS = 5


class RegistryClient:
    """Asks one registry, over the Docker Registry HTTP API v2.

    Nothing is read, and no connection made, before the first question. One client may serve many threads; it
    keeps its connections and tokens until it is closed. Certificates are always verified, ``~/.netrc`` is
    never read, and the proxies of the environment are honoured.

    Args:
        registry: Whom to ask. Plain http is spoken only where its URL says so.
        secrets: Gives the value of a secret by name, for ``registry.auth``; by default the environment
            variable of that name.
        docker_config: Docker's ``config.json`` or its folder, for a registry without ``auth``; by default in
            ``$DOCKER_CONFIG``, else in ``~/.docker``.
        timeout_s: Seconds to wait for a connection, and for each piece of an answer. One question with its
            further tries takes a minute at most (or *timeout_s*, if that is longer).
    """

    def __init__(
        self,
        registry: Registry,
        *,
        secrets: Callable[[str], Secret] | None = None,
        docker_config: Path | None = None,
        timeout_s: float = 20.0,
    ) -> None:
        self._registry = registry
        self._subject = f"registry {registry.name!r} ({registry.host})"
        self._url = _api_url(registry)
        self._secrets = secrets or _from_environment
        self._file = config_file(docker_config)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._closed = False
        self._exchange: Exchange | None = None
        self._credentials: tuple[Credentials | None, float] | None = None
        looked_in = str(self._file) if self._file else "no docker config, since there is no home directory"
        self._login = Login(self._subject, registry.host, self._url, self.credentials, looked_in)

    def tags(self, image: Image) -> tuple[str, ...]:
        """All tags of *image*, from all pages, in the order of the registry, each once.

        Empty only if the repository exists and has no tags.

        Raises:
            RegistryError: The registry could not be asked, wants another login, knows no such repository, or
                answered something that is no complete list of tags.

        Hosts:
            untouched: nothing is sent.
        """
        self._check_registry(image)

        def ask(url: str) -> Answer:
            return self._ask("GET", image, url, {}, tag_lists.PAGE_BYTES)

        return tag_lists.read(
            f"{self._url}/v2/{image.path}/tags/list",
            ask,
            error=lambda text: self._error(text, image),
            refusal=lambda answer: self._refusal(answer, image),
        )

    def resolve(self, image: Image, tag: str) -> Pin:
        """Ask what *tag* of *image* means now.

        The digest is that of what the registry serves under the tag: the index, where there is one.

        Raises:
            RegistryError: The registry could not be asked, wants another login, knows no such repository or
                tag, serves something that is no manifest, or a manifest of another digest than it says.

        Hosts:
            untouched: nothing is sent.
        """
        self._check_registry(image)
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise self._error(f"{tag!r} is no tag; a tag is up to 128 letters, digits and . _ -", image)
        url = f"{self._url}/v2/{image.path}/manifests/{tag}"
        accept = {"Accept": ", ".join(manifests.MEDIA_TYPES)}
        answer = self._ask("HEAD", image, url, accept, 0)
        found = manifests.read_head(answer)
        if found is None:
            if answer.status == 429 or answer.status >= 500:
                raise self._refusal(answer, image, tag)
            answer = self._ask("GET", image, url, accept, manifests.LIMIT_BYTES)
            if answer.status != 200:
                raise self._refusal(answer, image, tag)
            try:
                found = manifests.read_body(answer)
            except ValueError as error:
                raise self._error(f"the tag {tag!r} {error}", image) from None
        return Pin(
            image=image,
            tag=tag,
            digest=found.digest,
            media_type=found.media_type,
            size=found.size,
            resolved_at=datetime.now(UTC),
        )

    def credentials(self) -> Credentials | None:
        """What logs a docker client in to the registry: from ``registry.auth``, else from docker's config.

        None means that nobody is logged in. The answer is kept for a few minutes. The registry is not asked.

        Raises:
            RegistryError: The password has no value, docker's config cannot be read, or its helper failed.

        Hosts:
            untouched: nothing is sent.
        """
        with self._lock:
            kept = self._credentials
            if kept is None or time.monotonic() >= kept[1]:
                kept = self._find_credentials(), time.monotonic() + _CREDENTIALS_LIFE_S
                self._credentials = kept
            return kept[0]

    def pull_credentials(self) -> Credentials | None:
        """What logs a host in where it pulls: as `credentials`, for the address that ``registry_path`` says.

        Docker's config is searched for that address: what it holds for another one is not sent there.

        Raises:
            RegistryError: As for `credentials`.

        Hosts:
            untouched: nothing is sent.
        """
        registry = self._registry
        if registry.auth or not registry.registry_path or registry.pull_host == registry.host:
            return self.credentials()
        return self._from_docker_config(registry.pull_host)

    def close(self) -> None:
        """Close the connections; nothing can be asked after that.

        Hosts:
            untouched: nothing is sent.
        """
        with self._lock:
            self._closed = True
            if self._exchange:
                self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RegistryClient({self._registry.name!r}, {self._registry.url!r})"

    def _open(self) -> Exchange:
        with self._lock:
            if self._closed:
                raise self._error("its client is closed; make another one")
            if self._exchange is None:
                from octossh.registry.exchanges import Exchange

                self._exchange = Exchange(self._subject, self._url, ca=self._registry.ca, timeout_s=self._timeout_s)
            return self._exchange

    def _ask(self, method: str, image: Image, url: str, headers: dict[str, str], limit_bytes: int) -> Answer:
        exchange = self._open()
        at_home = origin(url) == origin(self._url)
        sent = self._login.header(image.path) if at_home else None
        asked: set[object] = set()
        for _ in range(_ATTEMPTS):
            login = {"Authorization": sent} if sent else {}
            answer = exchange.ask(method, url, {**headers, **login}, limit_bytes=limit_bytes)
            if answer.status != 401:
                return answer
            if origin(answer.url) != origin(self._url):
                raise self._error(
                    f"it sends on to {place(answer.url)}, which wants a login of its own; put that into the "
                    "registry's url, if you trust it",
                    image,
                )
            sent = self._login.renew(image.path, answer, sent, exchange, asked)
        raise self._login.refused(self.credentials())

    def _find_credentials(self) -> Credentials | None:
        auth = self._registry.auth
        if auth is None:
            return self._from_docker_config(self._registry.host)
        if ":" in auth.user:
            raise self._error(f"the user {auth.user!r} holds a colon, which a login cannot; see its auth")
        try:
            password = self._secrets(auth.password.name)
        except (OctosshError, LookupError):
            # Not chained: whoever keeps secrets may quote them.
            raise self._error(
                f"the secret {auth.password.name!r}, its password, has no value here; set it, perhaps "
                "as an environment variable"
            ) from None
        return Credentials(auth.user, password, source=f"from secret {auth.password.name!r}")

    def _from_docker_config(self, host: str) -> Credentials | None:
        try:
            return find_credentials(host, self._file)
        except RegistryError as error:
            raise self._error(str(error)) from None

    def _check_registry(self, image: Image) -> None:
        if image.registry != self._registry:
            raise self._error(f"it was asked for {image.name}, which is another registry's; ask that one")

    def _error(self, text: str, image: Image | None = None) -> RegistryError:
        about = f"{image.path}: " if image else ""
        return RegistryError(f"{self._subject}: {about}{text}")

    def _refusal(self, answer: Answer, image: Image, tag: str | None = None) -> RegistryError:
        """The error for an answer that is neither what was asked for nor a 401."""
        code = manifests.error_code(answer.body)
        said = f"HTTP status {answer.status}" + (f", {code}" if code else "")
        if answer.status == 404 and code == "MANIFEST_UNKNOWN" and tag:
            return self._error(
                f"there is no tag {tag!r}; list the tags that there are, since it may have been deleted",
                image,
            )
        if answer.status == 404:
            what = f"no tag {tag!r}, or " if tag and code != "NAME_UNKNOWN" else ""
            return self._error(
                f"there is {what}no such repository, or none that this login may see ({said}); see its name, "
                "and whether the url is a registry's",
                image,
            )
        if answer.status == 403:
            credentials = self.credentials()
            who = f"user {credentials.user!r}" if credentials else "somebody without a login"
            return self._error(f"{who} may not read it ({said}); allow that, or use another login", image)
        if answer.status == 429:
            wait = retry_after_s(answer.headers.get("Retry-After"))
            when = "later" if wait is None else f"in {wait:.0f} s"
            return self._error(f"too many requests ({said}); try again {when}, or log in to have more", image)
        if answer.status == 400 and b"HTTPS" in answer.body and answer.url.startswith("http:"):
            return self._error("it speaks https; write its url with https://")
        later = "try again later" if answer.status >= 500 else "see its url and the log of the registry"
        return self._error(f"{place(answer.url)} answered with {said}; {later}", image)


def _api_url(registry: Registry) -> str:
    url = registry.url.rstrip("/")
    if registry.host == "docker.io":
        return urllib.parse.urlsplit(url)._replace(netloc="registry-1.docker.io").geturl()
    return url


def _from_environment(name: str) -> Secret:
    return Secret(os.environ[name])
