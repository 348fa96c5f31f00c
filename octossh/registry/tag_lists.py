"""The list of a repository's tags, page by page."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from octossh.errors import RegistryError
from octossh.registry.headers import next_page, with_query

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer

__all__ = ["PAGE_BYTES", "read"]

PAGE_BYTES = 20_000_000
# ECR, ACR, GAR and GitLab give no more than this, and some of them refuse to be asked for more.
PAGE_TAGS = 1000
# Quay gives 50 at a time, whatever it is asked for.
MAX_PAGES = 1000
MAX_TAGS = 200_000
MAX_S = 300.0

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def read(
    url: str,
    ask: Callable[[str], Answer],
    *,
    error: Callable[[str], RegistryError],
    refusal: Callable[[Answer], RegistryError],
) -> tuple[str, ...]:
    """All tags, from all pages, each once, in the order of the registry.

    Args:
        url: Of the list, without a query.
        ask: Asks for one page.
        error: Makes an error of a text.
        refusal: Makes an error of an answer that is not 200.

    Raises:
        RegistryError: A page is no list of tags, or the pages do not come to an end.
    """
    deadline = time.monotonic() + MAX_S
    tags: dict[str, None] = {}
    page: str | None = with_query(url, n=str(PAGE_TAGS))
    seen: set[str] = set()
    pages = 0
    guessed = False
    while page:
        pages += 1
        answer = ask(page)
        if answer.status in {400, 405} and pages == 1:
            # ECR says 405 to a size that it does not like, and others 400.
            answer = ask(url)
        if guessed and answer.status != 200:
            break
        if answer.status != 200:
            raise refusal(answer)
        seen |= {page, answer.url}
        names = _names(answer, error)
        known = len(tags)
        tags.update(dict.fromkeys(name for name in names if _TAG.fullmatch(name)))
        following = _following(answer, seen, error)
        guessed = following is None and len(names) == PAGE_TAGS and len(tags) > known
        if guessed:
            # Nexus cuts the list of a group repository here and says nothing of more.
            following = with_query(page, last=names[-1])
        if following and (pages >= MAX_PAGES or len(tags) > MAX_TAGS or time.monotonic() > deadline):
            raise _endless(pages, len(tags), error)
        page = following
    return tuple(tags)


def _following(answer: Answer, seen: set[str], error: Callable[[str], RegistryError]) -> str | None:
    try:
        following = next_page(answer.headers.get("Link"), answer.url)
    except ValueError as fault:
        raise error(f"a page of its tags {fault}; see its configuration") from None
    if following in seen:
        raise error("its list of tags does not end: a page says that an earlier one comes next")
    return following


def _endless(pages: int, tags: int, error: Callable[[str], RegistryError]) -> RegistryError:
    limits = f"{MAX_PAGES} pages, {MAX_TAGS} tags and {MAX_S:g} s"
    return error(f"its list of tags has no end within {limits} ({pages} pages, {tags} tags so far); delete old tags")


def _names(answer: Answer, error: Callable[[str], RegistryError]) -> list[str]:
    try:
        page: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        page = None
    if not isinstance(page, dict) or "errors" in page:
        raise error("it answered something that is no list of tags; see whether its url is a registry's")
    # Where there are none some say null, and Nexus says "".
    names = page.get("tags") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise error("it answered a list of tags that are not all text; see whether its url is a registry's")
    return names
