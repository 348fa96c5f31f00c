"""The client of one registry: tags, digests, and what logs in to it."""

from __future__ import annotations

import os
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from attrs import evolve

from octossh.errors import RegistryError
from octossh.model.credentials import Credentials
from octossh.model.images import Image, Pin, Registry, Repositories
from octossh.promises import of_each
from octossh.registry import lists
from octossh.registry.archives import Archive, Blobs, archive
from octossh.registry.deadlines import Deadline
from octossh.registry.logins import Login
from octossh.registry.pulls import Pulls
from octossh.registry.questions import Question
from octossh.registry.sources import Source
from octossh.shell import Secret
from octossh.versions.tags import TAG

if TYPE_CHECKING:
    from octossh.registry.exchanges import Exchange

__all__ = ["RegistryClient"]

# How many times as long as one question a list of many pages may take.
_LISTS = 5
# And the parts of an image.
_BLOBS = 30
MOST_DATED = 200
_DATED_AT_ONCE = 8


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
        timeout_s: Seconds to wait for a connection, and for each piece of an answer.
        total_s: Seconds that one question may take with all its tries, redirects and logins: what a tag means, or
            one page of a list. A whole list may take five times as long.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        secrets: Callable[[str], Secret] | None = None,
        docker_config: Path | None = None,
        timeout_s: float = 20.0,
        total_s: float = 60.0,
    ) -> None:
        self._registry = registry
        self._subject = f"registry {registry.name!r} ({registry.host})"
        self._url = _api_url(registry)
        self._source = Source(registry, secrets or _from_environment, docker_config)
        self._timeout_s = timeout_s
        self._total_s = max(total_s, timeout_s)
        self._lock = threading.Lock()
        self._closed = False
        self._blobs = Blobs()
        self._exchange: Exchange | None = None
        self._pulls = Pulls(registry)
        self._login = Login(self._subject, registry.host, self._url, self._find, self._source.looked_in)

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
        question = self._question(f"repository:{image.path}:pull", image.path, _LISTS)
        return lists.read_tags(f"{self._url}/v2/{image.path}/tags/list", question, question.deadline)

    def repositories(self, text: str = "", *, limit: int = 100) -> Repositories:
        """The repositories of the registry whose name has *text* in it.

        Not all registries tell: Docker Hub, GHCR and others have no such list, and some show it to administrators
        only. None of the other questions needs it.

        Args:
            text: Part of the name, in small letters.
            limit: How many at most.

        Raises:
            RegistryError: The registry could not be asked, or gives no list of its repositories.

        Hosts:
            untouched: nothing is sent.
        """
        if self._registry.host == "docker.io":
            raise self._error("Docker Hub has no list of its repositories; write the name of the image in full")
        question = self._question("registry:catalog:*", "", _LISTS)
        catalog = f"{self._url}/v2/_catalog"
        names, complete = lists.search(catalog, text.lower(), limit, question, question.deadline)
        return Repositories(registry=self._registry.name, text=text, names=names, complete=complete)

    def resolve(self, image: Image, tag: str) -> Pin:
        """Ask what *tag* of *image* means now.

        The digest is that of what the registry serves under the tag: the index, where there is one.

        Raises:
            RegistryError: The registry could not be asked, wants another login, knows no such repository or
                tag, serves something that is no manifest, or a manifest of another digest than it says.

        Hosts:
            untouched: nothing is sent.
        """
        question = self._about(image, tag)
        # By its digest, where that is known: the tag may move in between.
        found = question.manifest(tag, question.head(tag))
        platforms = found.platforms
        if found.config:
            platforms = tuple(filter(None, (question.config(tag, found.config).platform,)))
        return Pin(
            image=image,
            tag=tag,
            digest=found.digest,
            media_type=found.media_type,
            size=found.size,
            resolved_at=datetime.now(UTC),
            platforms=platforms,
        )

    def meaning(self, image: Image, tag: str, *, within_s: float) -> str | None:
        """The digest that *tag* of *image* means now, or None where the registry says that there is no such tag.

        Args:
            image: Whose tag.
            tag: The tag.
            within_s: Seconds that it may take.

        Raises:
            RegistryError: The registry could not be asked, or answered something else.

        Hosts:
            untouched: nothing is sent.
        """
        question = self._about(image, tag)
        return evolve(question, deadline=question.deadline.part(within_s)).meaning(tag)

    def created(self, image: Image, tags: Sequence[str]) -> dict[str, datetime]:
        """When the images that *tags* mean now were made, as they say themselves, in UTC.

        At most three requests for each tag, a few tags at a time. The image of one platform speaks for all of an
        index. A tag is left out whose image does not say, or says a time that builds set which can be repeated,
        such as 1970.

        Raises:
            RegistryError: As `resolve` does; or there are more than 200 tags.

        Hosts:
            untouched: nothing is sent.
        """
        if len(tags) > MOST_DATED:
            raise self._error(
                f"{image.path}: the times of {len(tags)} tags would take too many requests; let fewer come into "
                f"question, {MOST_DATED} at most"
            )
        questions = {tag: self._about(image, tag, _LISTS) for tag in tags}
        made = of_each(
            questions.items(), lambda one: _created(one[1], one[0]), at_once=_DATED_AT_ONCE, name="octossh-created"
        )
        return {tag: moment for tag, moment in zip(questions, made, strict=True) if moment is not None}

    def credentials(self) -> Credentials | None:
        """What logs a docker client in to the registry: from ``registry.auth``, else from docker's config.

        None means that nobody is logged in. The answer is kept for its ``lifetime_s``, or for a few minutes. The
        registry is not asked.

        Raises:
            RegistryError: The password has no value, docker's config or the keyring cannot be read, or a helper
                or function failed.

        Hosts:
            untouched: nothing is sent.
        """
        return self._find()

    def _find(self, *, instead_of: Credentials | None = None) -> Credentials | None:
        try:
            return self._source.credentials(instead_of=instead_of)
        except RegistryError as error:
            raise self._error(str(error)) from None

    def pull_credentials(self) -> Credentials | None:
        """What logs a host in where it pulls: as `credentials`, for the address that ``registry_path`` says.

        Docker's config is searched for that address: what it holds for another one is not sent there.

        Raises:
            RegistryError: As for `credentials`.

        Hosts:
            untouched: nothing is sent.
        """
        try:
            return self._source.pull_credentials()
        except RegistryError as error:
            raise self._error(str(error)) from None

    def pull_login(self, image: Image) -> Credentials | None:
        """What logs in a host that is about to pull *image*, as the registry's ``host_login`` says.

        The token service is asked, where it may be, and its token is good for some minutes.

        Raises:
            RegistryError: As for `credentials`; or ``host_login`` is ``"token"``, and there is none to be had.

        Hosts:
            untouched: nothing is sent.
        """
        self._check_registry(image)
        if self._registry.host_login == "none":
            return None
        known = self.pull_credentials()
        question = self._question(f"repository:{image.path}:pull", image.path)
        if self._pulls.minting_s is not None:
            question = evolve(question, deadline=question.deadline.part(self._pulls.minting_s))
        return self._pulls.login(known, question)

    def archive(self, pin: Pin, tag: str, platform: str, there: Iterable[Sequence[str]] = ()) -> Archive:
        """The image of *pin* for a host of *platform*, as an archive for ``docker load``.

        Its parts are fetched once, checked by their digests before any of them is given, and kept in files without
        a name until the client is closed.

        Args:
            pin: Says which image.
            tag: What docker shall know it as.
            platform: Of the host, such as ``linux/amd64``.
            there: The layers of images that the host has; what is among them from the lowest one on is left out.

        Raises:
            RegistryError: It cannot be had, or is for no such platform.

        Hosts:
            untouched: nothing is sent.
        """
        self._check_registry(pin.image)
        question = self._question(f"repository:{pin.image.path}:pull", pin.image.path, _BLOBS)
        return archive(question, self._blobs, pin.digest, tag, platform, there)

    def close(self) -> None:
        """Close the connections; nothing can be asked after that.

        Hosts:
            untouched: nothing is sent.
        """
        with self._lock:
            self._closed = True
            self._blobs.close()
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

                self._exchange = Exchange(self._subject, self._url, registry=self._registry, timeout_s=self._timeout_s)
            return self._exchange

    def _about(self, image: Image, tag: str, times: int = 1) -> Question:
        self._check_registry(image)
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            raise self._error(f"{image.path}: {tag!r} is no tag; a tag is up to 128 letters, digits and . _ -")
        return self._question(f"repository:{image.path}:pull", image.path, times)

    def _question(self, scope: str, repository: str, times: int = 1) -> Question:
        return Question(
            subject=self._subject,
            url=self._url,
            exchange=self._open(),
            login=self._login,
            scope=scope,
            repository=repository,
            deadline=Deadline.within(times * self._total_s),
            page_s=self._total_s,
        )

    def _check_registry(self, image: Image) -> None:
        if image.registry.host != self._registry.host:
            raise self._error(f"it was asked for {image.name}, which is another registry's; ask that one")

    def _error(self, text: str) -> RegistryError:
        return RegistryError(f"{self._subject}: {text}")


def _created(question: Question, tag: str) -> datetime | None:
    found = question.manifest(tag)
    if found.created_at is None and found.children:
        preferred = next((child for child in found.children if child.platform == "linux/amd64"), found.children[0])
        found = question.manifest(tag, preferred.digest)
    if found.created_at is None and found.config:
        return question.config(tag, found.config).created_at
    return found.created_at


def _api_url(registry: Registry) -> str:
    url = registry.url.rstrip("/")
    if registry.host == "docker.io":
        return urllib.parse.urlsplit(url)._replace(netloc="registry-1.docker.io").geturl()
    return url


def _from_environment(name: str) -> Secret:
    return Secret(os.environ[name])
