"""One question to a registry: logged in where it wants that, within its deadline, and refused in words."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from attrs import field, frozen

from octossh.errors import RegistryError, to_type
from octossh.registry import lists, manifests, probing
from octossh.registry.deadlines import Deadline
from octossh.registry.headers import origin, place, retry_after_s
from octossh.registry.logins import Asking, Login

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer, Exchange

__all__ = ["Question"]

# Without a login, with an old one, with a new one, with one for another scope, and again with other credentials.
_ATTEMPTS = 7
_PIECE_BYTES = 65_536


@frozen(kw_only=True)
class Question:
    """What is asked of one registry about one repository, or about all of them.

    Attributes:
        subject: The registry as messages name it.
        url: Of its API.
        exchange: Asks servers.
        login: Logs in.
        scope: What a token has to be for.
        repository: Empty: all of them.
        deadline: When the answer has to be there.
        page_s: Seconds for one page of a list.
    """

    subject: str
    url: str
    exchange: Exchange = field(repr=False)
    login: Login = field(repr=False)
    scope: str
    repository: str
    deadline: Deadline
    page_s: float

    def page(self, url: str) -> Answer:
        """The answer for one page of a list."""
        return self._ask("GET", url, {}, lists.PAGE_BYTES, self.deadline.part(self.page_s))

    def head(self, tag: str) -> str | None:
        """The digest of *tag* by a HEAD, if the registry says it.

        Raises:
            RegistryError: It is too busy to say anything.
        """
        answer = self._ask("HEAD", self._place("manifests", tag), _ACCEPT, 0, self.deadline)
        said = manifests.read_head(answer)
        if said is None and (answer.status == 429 or answer.status >= 500):
            raise self.refusal(answer, tag)
        return said

    def manifest(self, tag: str, digest: str | None = None) -> manifests.Manifest:
        """The manifest of that *digest*, or of *tag*; its bytes are checked.

        Raises:
            RegistryError: There is none, it is not what it should be, or not of that digest.
        """
        answer = self._ask(
            "GET", self._place("manifests", digest or tag), _ACCEPT, manifests.LIMIT_BYTES, self.deadline
        )
        if answer.status != 200:
            raise self.refusal(answer, tag)
        try:
            return manifests.read_body(answer, digest)
        except ValueError as error:
            raise self.error(f"the tag {tag!r} {error}") from None

    def meaning(self, tag: str) -> str | None:
        """The digest of *tag*; None where the registry says that there is no such tag.

        Raises:
            RegistryError: It says something else.
        """
        if said := self.head(tag):
            return said
        answer = self._ask("GET", self._place("manifests", tag), _ACCEPT, manifests.LIMIT_BYTES, self.deadline)
        if answer.status == 404 and manifests.error_code(answer.body) == "MANIFEST_UNKNOWN":
            return None
        if answer.status != 200:
            raise self.refusal(answer, tag)
        try:
            return manifests.read_body(answer).digest
        except ValueError as error:
            raise self.error(f"the tag {tag!r} {error}") from None

    def blob(self, digest: str, size: int, into: IO[bytes]) -> None:
        """Write the blob of that *digest* and *size* (bytes) into a file; its bytes are checked.

        Raises:
            RegistryError: There is none, or not of that digest.
        """
        answer = self._ask("GET", self._place("blobs", digest), {}, size, self.deadline, into)
        if answer.status == 404:
            raise self.error(f"a part of the image ({digest[:19]}) is gone from it; push the image again")
        if answer.status != 200:
            raise self.refusal(answer)
        into.seek(0)
        made = hashlib.sha256()
        while piece := into.read(_PIECE_BYTES):
            made.update(piece)
        got = f"sha256:{made.hexdigest()}"
        if got != digest:
            raise self.error(
                f"what it gives for {digest[:19]} has the digest {got[:19]}: something on the way changed it, or the "
                "registry is broken; look at the proxies between"
            )

    def config(self, tag: str, digest: str) -> manifests.Config:
        """The configuration of *tag*'s image; its bytes are checked.

        Raises:
            RegistryError: There is none, or not of that digest.
        """
        answer = self._ask("GET", self._place("blobs", digest), {}, manifests.LIMIT_BYTES, self.deadline)
        if answer.status == 404:
            raise self.error(
                f"the configuration of the tag {tag!r} ({digest[:19]}) is gone from it; push the image again"
            )
        if answer.status != 200:
            raise self.refusal(answer, tag)
        try:
            manifests.check_bytes(answer.body, digest)
        except ValueError as error:
            raise self.error(f"the configuration of the tag {tag!r} {error}") from None
        return manifests.read_config(answer.body)

    def error(self, text: str) -> RegistryError:
        """The error with that text."""
        about = f"{self.repository}: " if self.repository else ""
        return RegistryError(f"{self.subject}: {about}{text}")

    def refusal(self, answer: Answer, tag: str | None = None) -> RegistryError:
        """The error for an answer that is neither what was asked for nor a 401."""
        code = manifests.error_code(answer.body)
        said = f"HTTP status {answer.status}" + (f", {code}" if code else "")
        if not self.repository and answer.status in {400, 403, 404, 405, 501}:
            return self.error(
                f"it gives no list of its repositories ({said}), or not to this login; write the name of the image in "
                "full"
            )
        if answer.status == 404 and code == "MANIFEST_UNKNOWN" and tag:
            name = (self.repository or "IMAGE").removeprefix("library/")
            return self.error(f"there is no tag {tag!r}, or no more; see which there are: {to_type('tags', name)}")
        if answer.status == 404:
            return self._not_there(said, code, tag)
        if answer.status == 403:
            credentials = self.login.credentials()
            who = f"user {credentials.user!r}" if credentials else "somebody without a login"
            return self.error(f"{who} may not read it ({said}); allow that, or use another login")
        if answer.status == 429:
            wait = retry_after_s(answer.headers.get("Retry-After"))
            when = "later" if wait is None else f"in {wait:.0f} s"
            return self.error(f"too many requests ({said}); try again {when}, or log in to have more")
        if answer.status == 400 and b"HTTPS" in answer.body and answer.url.startswith("http:"):
            return RegistryError(f"{self.subject}: it speaks https; write its url with https://")
        later = "try again later" if answer.status >= 500 else "see its url and the log of the registry"
        return self.error(f"{place(answer.url)} answered with {said}; {later}")

    def _not_there(self, said: str, code: str | None, tag: str | None) -> RegistryError:
        """Is it the repository that is missing, or the registry?"""
        if code is None and (fault := probing.what_is_wrong(self._glance, self.url)):
            return RegistryError(f"{self.subject}: {fault}")
        name = (self.repository or "NAME").rpartition("/")[2]
        what = f"no tag {tag!r}, or " if tag and code != "NAME_UNKNOWN" else ""
        return self.error(
            f"there is {what}no such repository, or none that this login may see ({said}); see its name "
            f"({to_type('images', name)} searches where there is a list), and whether the url is a registry's"
        )

    def _glance(self, url: str) -> Answer:
        return self.exchange.ask("GET", url, {}, deadline=self.deadline)

    def _place(self, what: str, reference: str) -> str:
        return f"{self.url}/v2/{self.repository}/{what}/{reference}"

    def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        limit_bytes: int,
        deadline: Deadline,
        into: IO[bytes] | None = None,
    ) -> Answer:
        asking = Asking(self.scope, self.exchange, deadline)
        at_home = origin(url) == origin(self.url)
        sent = self.login.header(self.scope) if at_home else None
        for _ in range(_ATTEMPTS):
            login = {"Authorization": sent} if sent else {}
            answer = self.exchange.ask(
                method, url, {**headers, **login}, deadline=deadline, limit_bytes=limit_bytes, into=into
            )
            if answer.status != 401:
                return answer
            if origin(answer.url) != origin(self.url):
                raise self.error(
                    f"it sends on to {place(answer.url)}, which wants a login of its own; put that into the "
                    "registry's url, if you trust it"
                )
            sent = self.login.renew(asking, answer, sent)
        raise self.login.refused(self.login.credentials())


_ACCEPT = {"Accept": ", ".join(manifests.MEDIA_TYPES)}
