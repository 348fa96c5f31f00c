"""What stands where, out of a history of any length."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from octossh.model import Deployment
from octossh.recording.handles import Handle

if TYPE_CHECKING:
    from octossh.model import Pin
    from octossh.planning import Came
    from octossh.recording.shortcuts import Shortcuts

__all__ = ["Standings"]

_FIRST_PAGE, _LARGEST_PAGE = 10, 1000  # deployments that are read at once


class Standings(Handle):
    """What a `Store` tells of a long history without reading all of it. Tidying up does not count."""

    def latest(self, project: str | None = None) -> tuple[Deployment, ...]:
        """Of each project and environment the newest deployment and the newest that succeeded, without outcomes.

        They come newest first. How long it takes goes by the number of environments, and not by that of deployments.

        Args:
            project: Only of this project.
        """
        with self._shortcuts() as shortcuts:
            return shortcuts.latest(project)

    def reached(self, project: str, release: str, *, besides: str = "") -> frozenset[str]:
        """The environments in which a release has succeeded. How long it takes goes by their number.

        Args:
            project: The name of the project.
            release: The number of the release.
            besides: The id of a deployment that does not count.
        """
        with self._shortcuts() as shortcuts:
            return shortcuts.reached(project, release, besides)

    def past(self, project: str, environment: str) -> Iterator[Deployment]:
        """The deployments to an environment, newest first, without outcomes; no more is read than is taken.

        Nothing is held open between them.

        Args:
            project: The name of the project.
            environment: Its name.
        """
        before, size = None, _FIRST_PAGE
        while True:
            with self._shortcuts() as shortcuts:
                page = shortcuts.past(project, environment, before, size)
            yield from (deployment for _, deployment in page)
            if len(page) < size:
                return
            before, size = page[-1][0], min(10 * size, _LARGEST_PAGE)

    def came(self) -> tuple[Came, ...]:
        """What has come where, of all projects: of each release and environment when it was last deployed there."""
        with self._shortcuts() as shortcuts:
            return shortcuts.came()

    def pins(self, project: str, numbers: Iterable[str]) -> tuple[Pin, ...]:
        """What releases pin, in any order. Of one that is not stored any more, nothing is known.

        Args:
            project: Whose releases.
            numbers: Which.

        Raises:
            RecordError: One was changed after it was stored.
        """
        with self._shortcuts() as shortcuts:
            return shortcuts.pins(project, sorted(numbers))

    @contextlib.contextmanager
    def _shortcuts(self) -> Iterator[Shortcuts]:
        from octossh.recording.shortcuts import Shortcuts

        with self._transaction() as transaction:
            yield Shortcuts(transaction.connection, transaction.where)
