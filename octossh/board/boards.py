"""The board of a space: its pages, each by its path, and the two ways to look at them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from octossh.board import pages, paths
from octossh.board.pictures import Picture, take
from octossh.board.serving import PORT, serve
from octossh.board.writing import File, Written, write
from octossh.errors import ModelError
from octossh.space import Space

__all__ = ["Board"]

_ASSETS = ("board.css", "board.js")


class Board:
    """What a space has recorded, as pages for a browser: no host is touched, and nothing is fetched from elsewhere.

    Whoever may look at the pages sees what the record has: names of hosts, errors and logs; of secrets, the names.

    Args:
        space: Whose record is shown. It stays open, and is closed by whoever made it.
        deployments: How many at most, the newest.
        releases: How many of each project.
        events: How many acts of the audit.

    Raises:
        ModelError: A number is below one.
    """

    def __init__(self, space: Space, *, deployments: int = 10_000, releases: int = 100, events: int = 5_000) -> None:
        self._limits = {"deployments": deployments, "releases": releases, "events": events}
        for name, limit in self._limits.items():
            if not isinstance(limit, int) or limit < 1:
                raise ModelError(f"{name} is {limit!r}; give a whole number, from 1 on")
        self._space = space
        self._lock = threading.Lock()
        self._newest: Picture | None = None

    def write(self, folder: str | Path) -> Written:
        """Write the pages into *folder*, as files that a browser opens from there, or any server of files hands out.

        Pages of a board that was written there before are replaced, those of what is gone are removed, and those of
        deployments that had ended are left as they are.

        Args:
            folder: Made if need be. One that has other things in it is refused.

        Raises:
            ModelError: It holds something else than a board, or cannot be written.
            RecordError: The store cannot be read.

        Hosts:
            untouched.
        """
        picture = take(self._space, **self._limits)
        return write(Path(folder), self._files(picture))

    def serve(self, port: int = PORT, *, on_ready: Callable[[str], None] | None = None) -> None:
        """Serve the pages to browsers on this machine, until it is interrupted; they follow what is recorded.

        Args:
            port: Of 127.0.0.1; 0: one that is free.
            on_ready: Is called with the address once it answers.

        Raises:
            ModelError: The port is taken.

        Hosts:
            untouched.
        """
        serve(self.page, self.event, port, on_ready or (lambda _address: None))

    def event(self) -> int:
        """The number of the newest event: where it is the same, so are the pages."""
        return self._space.store.head()[0]

    def page(self, path: str) -> bytes | None:
        """One file of the board as it is now, by its path from the folder; None: there is no such file."""
        if path in _ASSETS:
            return pages.asset(path)
        maker = self._makers(self._now(), live=True).get(path)
        return None if maker is None else maker().encode()

    def _now(self) -> Picture:
        with self._lock:
            if self._newest is None or self._newest.event != self.event():
                self._newest = take(self._space, **self._limits)
            return self._newest

    def _files(self, picture: Picture) -> Iterator[File]:
        yield from (File(name, partial(pages.asset, name)) for name in _ASSETS)
        ended = {paths.deployment(one.id): one for one in picture.history if one.finished_at is not None}
        for path, maker in self._makers(picture, live=False).items():
            same = ""
            if (one := ended.get(path)) is not None:
                kept = (one.id in picture.detailed, picture.release(one.project, one.release) is not None)
                same = f"{one.state.value} {one.finished_at} {kept}"
            yield File(path, partial(_bytes, maker), same)

    def _makers(self, picture: Picture, *, live: bool) -> dict[str, Callable[[], str]]:
        made: dict[str, Callable[[], str]] = {paths.OVERVIEW: partial(pages.overview, picture, live=live)}
        for listing in pages.listings(picture):
            made[f"{listing.name}.html"] = partial(pages.listing_page, picture, listing, live=live)
            made[f"data/{listing.name}.js"] = listing.data
        for releases in picture.releases.values():
            for release in releases:
                path = paths.release(release.project, release.number)
                made[path] = partial(pages.release_page, picture, release, live=live)
        for deployment in picture.history:
            made[paths.deployment(deployment.id)] = partial(self._deployment, picture, deployment.id, live=live)
        return made

    def _deployment(self, picture: Picture, id: str, *, live: bool) -> str:  # noqa: A002 - the field's name
        return pages.deployment_page(picture, self._space.deployment(id), live=live)


def _bytes(maker: Callable[[], str]) -> bytes:
    return maker().encode()
