"""Where a store lives, as a URL says it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

from attrs import field, frozen

from octossh.errors import ModelError

__all__ = ["Server", "place_of"]

_HOW = (
    "write 'sqlite:///octossh.db', 'sqlite:////var/lib/octossh/octossh.db' for an absolute path, or "
    "'postgresql://user@host/database'"
)
_SERVERS = {"postgres", "postgresql", "postgresql+psycopg"}
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]*)?")
# By these, URLs that are shown alike name other stores: each may have a schema of its own, set in ``options``.
_APART = ("host", "hostaddr", "port", "service", "options")


@frozen
class Server:
    """A database of PostgreSQL.

    Attributes:
        conninfo: As libpq takes it: a URL, which may hold a password.
        shown: The same without password and options.
        told_apart: The same with those options that name another store.
    """

    conninfo: str = field(repr=False)
    shown: str
    told_apart: str

    def __str__(self) -> str:
        return self.shown


def place_of(url: object) -> Path | Server | None:
    """What *url* names: a file, as an absolute path; a server; or None for a database in memory (``sqlite://``).

    Raises:
        ModelError: *url* is of another form. Its text is shown only where no password can stand in it.
    """
    if isinstance(url, Path):
        raise ModelError(f"the store takes a URL as text, not a path; write 'sqlite:///{url}'")
    if not isinstance(url, str) or not url:
        raise ModelError(f"the store takes a URL as text, not {url!r}; {_HOW}")
    scheme, mark, rest = url.partition("://")
    if mark and scheme.lower() in _SERVERS:
        return _server(rest)
    if not mark or scheme.lower() != "sqlite":
        shown = "this" if "@" in url or "password" in url else repr(url)
        raise ModelError(f"{shown} is no URL of a store; {_HOW}")
    return _file(url, rest)


def _server(rest: str) -> Server:
    # Hosts and ports are left to libpq, which takes several.
    hosts, slash, tail = rest.partition("/")
    user, _, at = hosts.partition("?")[0].rpartition("@")
    name, _, query = (tail if slash else rest).partition("?")
    if (slash and "@" in name) or not all(map(_HOST.fullmatch, at.split(","))):
        # A password that is not encoded ends where it has one of these, and its rest would be taken for something else.
        raise ModelError(
            "the URL of the PostgreSQL store has a port that is no number, or an '@' behind a '/'; in a password, "
            f"write %2F for '/', %3F for '?' and %40 for '@'; {_HOW}"
        )
    options = dict(parse_qsl(query))
    if re.search(r"[\s\x00-\x1f\x7f]", rest):
        raise ModelError(f"the URL of the PostgreSQL store has a blank in it; write %20 in its place; {_HOW}")
    name = (unquote(name) if slash else "") or options.get("dbname", "")
    if not name and "service" not in options:
        raise ModelError(f"the URL of the PostgreSQL store names no database; {_HOW}")
    user = user.partition(":")[0] or options.get("user", "")
    shown = f"{user}@{at or options.get('host', '')}" if user else at or options.get("host", "")
    shown = f"postgresql://{shown}/{name or options['service']}"
    more = urlencode([(word, options[word]) for word in _APART if word in options])
    return Server(f"postgresql://{rest}", shown, f"{shown}?{more}" if more else shown)


def _file(url: str, rest: str) -> Path | None:
    if rest in {"", "/:memory:"}:
        return None
    if not rest.startswith("/"):
        shown = "of the store" if "@" in rest else repr(url)
        raise ModelError(f"the URL {shown} names a host, and a file has none; {_HOW}")
    if rest == "/" or "?" in rest or "\0" in rest or rest.endswith("/"):
        raise ModelError(f"the URL {url!r} does not end with the name of a file; {_HOW}")
    try:
        return Path(rest[1:]).expanduser().absolute()
    except RuntimeError as error:
        raise ModelError(f"the URL {url!r} names no file: {error}") from None
