"""Where a store lives, as a URL says it."""

from __future__ import annotations

from pathlib import Path

from octossh.errors import ModelError

__all__ = ["path_of"]

_HOW = "write 'sqlite:///octossh.db', or 'sqlite:////var/lib/octossh/octossh.db' for an absolute path"


def path_of(url: object) -> Path | None:
    """The file that *url* names, as an absolute path, or None for a database in memory (``sqlite://``).

    Raises:
        ModelError: *url* is of another form. Its text is shown only where no password can stand in it.
    """
    if isinstance(url, Path):
        raise ModelError(f"the store takes a URL as text, not a path; write 'sqlite:///{url}'")
    if not isinstance(url, str) or not url:
        raise ModelError(f"the store takes a URL as text, not {url!r}; {_HOW}")
    scheme, mark, rest = url.partition("://")
    kind = scheme.lower().partition("+")[0]
    if kind in {"postgres", "postgresql"}:
        raise ModelError(f"the store cannot be PostgreSQL yet, only a file of SQLite; {_HOW}")
    if not mark or scheme.lower() != "sqlite":
        shown = "this" if "@" in url else repr(url)
        raise ModelError(f"{shown} is no URL of a store; {_HOW}")
    if rest in {"", "/:memory:"}:
        return None
    if not rest.startswith("/"):
        raise ModelError(f"the URL {url!r} names a host, and a file has none; {_HOW}")
    if rest == "/" or "?" in rest or "\0" in rest or rest.endswith("/"):
        raise ModelError(f"the URL {url!r} does not end with the name of a file; {_HOW}")
    try:
        return Path(rest[1:]).expanduser().absolute()
    except RuntimeError as error:
        raise ModelError(f"the URL {url!r} names no file: {error}") from None
