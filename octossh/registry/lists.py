"""Lists that a registry gives page by page: the tags of a repository, and the repositories that there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from octossh.errors import RegistryError
from octossh.registry.bodies import is_web_page, read_json
from octossh.registry.deadlines import Deadline
from octossh.registry.headers import next_page, with_query
from octossh.versions.tags import TAG

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer

__all__ = ["PAGE_BYTES", "read_tags", "search"]

PAGE_BYTES = 20_000_000
# ECR, ACR, GAR and GitLab give no more than this, and some of them refuse to be asked for more.
PAGE_ENTRIES = 1000
# Quay gives 50 at a time, whatever it is asked for.
MAX_PAGES = 1000
MAX_TAGS = 200_000
# A search goes through pages of strangers' repositories.
MAX_SEARCHED_PAGES = 100

_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")


class Asker(Protocol):
    """What the pages are asked of, and how errors are made."""

    def page(self, url: str) -> Answer:
        """The answer for one page."""

    def error(self, text: str) -> RegistryError:
        """The error with that text."""

    def refusal(self, answer: Answer) -> RegistryError:
        """The error for an answer that is not 200."""


def read_tags(url: str, asker: Asker, deadline: Deadline) -> tuple[str, ...]:
    """All tags, from all pages, each once, in the order of the registry.

    Args:
        url: Of the list, without a query.
        asker: Asks for the pages.
        deadline: When all of them have to be there.

    Raises:
        RegistryError: A page is no list of tags, or the pages do not come to an end.
    """
    walk = _Walk(url, "tags", asker)
    tags: dict[str, None] = {}
    while walk.following:
        if walk.pages >= MAX_PAGES or len(tags) > MAX_TAGS or (walk.pages and deadline.is_over):
            limits = f"{MAX_PAGES} pages, {MAX_TAGS} tags and {deadline.total_s:g} s"
            so_far = f"{walk.pages} pages, {len(tags)} tags so far"
            raise asker.error(f"its list of tags has no end within {limits} ({so_far}); delete old tags")
        tags.update(dict.fromkeys(name for name in walk.read() if TAG.fullmatch(name)))
    return tuple(tags)


def search(url: str, text: str, limit: int, asker: Asker, deadline: Deadline) -> tuple[tuple[str, ...], bool]:
    """The repositories whose name has *text* in it, at most *limit*; and whether these are all of them.

    Raises:
        RegistryError: A page is no list of repositories, or one says that an earlier one comes next.
    """
    walk = _Walk(url, "repositories", asker)
    found: dict[str, None] = {}
    while walk.following:
        if len(found) > limit or walk.pages >= MAX_SEARCHED_PAGES or (walk.pages and deadline.is_over):
            return tuple(found)[:limit], False
        fitting = (name for name in walk.read() if text in name and len(name) <= 255 and _REPOSITORY.fullmatch(name))
        found.update(dict.fromkeys(fitting))
    return tuple(found)[:limit], len(found) <= limit


class _Walk:
    """A walk through the pages of a list.

    Attributes:
        following: The URL of the next page; None at the end.
        pages: How many were read.
    """

    def __init__(self, url: str, key: str, asker: Asker) -> None:
        self._url, self._key, self._asker = url, key, asker
        self._seen: set[str] = set()
        self._guessed = self._linked = False
        self.following: str | None = with_query(url, n=str(PAGE_ENTRIES))
        self.pages = 0

    def read(self) -> list[str]:
        """The entries of the next page."""
        assert self.following is not None
        page = self.following
        self.pages += 1
        answer = self._asker.page(page)
        if answer.status in {400, 405} and self.pages == 1:
            # ECR says 405 to a size that it does not like, and others 400.
            answer = self._asker.page(self._url)
        if self._guessed and answer.status != 200:
            self.following = None
            return []
        if answer.status != 200:
            raise self._asker.refusal(answer)
        self._seen |= {page, answer.url}
        names = self._names(answer)
        self.following = self._next(answer)
        self._linked |= self.following is not None
        # Who has named a next page before knows when there is none.
        self._guessed = self.following is None and len(names) == PAGE_ENTRIES and not self._linked
        if self._guessed:
            # Nexus cuts the list of a group repository here and says nothing of more.
            guess = with_query(page, last=names[-1])
            self.following = guess if guess not in self._seen else None
        return names

    def _next(self, answer: Answer) -> str | None:
        try:
            following = next_page(answer.headers.get("Link"), answer.url)
        except ValueError as fault:
            raise self._asker.error(f"a page of its {self._key} {fault}; see its configuration") from None
        if following in self._seen:
            raise self._asker.error(
                f"its list of {self._key} does not end: a page says that an earlier one comes next; see its "
                "configuration, or the proxies between"
            )
        return following

    def _names(self, answer: Answer) -> list[str]:
        if is_web_page(answer):
            raise self._asker.error(
                f"it answered with a web page where a list of {self._key} should be, a login form perhaps; see "
                "whether its url is a registry's"
            )
        try:
            page = read_json(answer.body)
        except ValueError:
            page = None
        if not isinstance(page, dict) or "errors" in page:
            raise self._asker.error(
                f"it answered something that is no list of {self._key}; see whether its url is a registry's"
            )
        # Where there are none some say null, and Nexus says "".
        names = page.get(self._key) or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._asker.error(
                f"it answered a list of {self._key} that are not all text; see whether its url is a registry's"
            )
        return names
