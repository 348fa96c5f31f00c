"""Deployments that wait in their middle: put aside, taken up again by one process only, or ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from octossh.errors import ModelError
from octossh.model import State
from octossh.recording.handles import Handle

if TYPE_CHECKING:
    from octossh.model import Deployment, Held, Schedule
    from octossh.recording.leases import Lease
    from octossh.recording.pausing import Pausing

__all__ = ["Pauses"]


class Pauses(Handle):
    """What a `Store` does with deployments that wait. Each is one transaction, under the lease of the environment."""

    def wait(self, deployment: Deployment, waits: Schedule, held: Held | None, *, lease: Lease) -> None:
        """Record that *deployment*, which runs, waits from now on: ``deployment_waiting``.

        Args:
            deployment: As it waits.
            waits: For what, and how far it has come; kept as the fact ``schedule`` of its id.
            held: Values of secrets that it needs to go on.
            lease: Under which it runs.

        Raises:
            ModelError: It does not stand as waiting, was never started, or was started as another one.
            RecordError: It does not run, or the lease is not in force any more.
        """
        if deployment.state is not State.WAITING or deployment.finished_at or waits.pause is None:
            raise ModelError(f"deployment {deployment.id!r} cannot wait as {deployment.state.value}; it has no end")
        aside = self._aside
        with self._apart:
            if aside is not None and aside.path is not None:
                self._catch_up(self._opened())  # what went aside comes first
            with self._pausing() as pausing:
                pausing.wait(deployment, waits, held, lease)
        self._under_way.discard(deployment.id)

    def waiting(self, project: str, environment: str) -> Deployment | None:
        """The deployment that waits in *environment*, with its outcomes, if one does."""
        with self._transaction() as transaction:
            return transaction.waiting(project, environment)

    def go_on(self, before: Schedule, after: Schedule, *, lease: Lease) -> None:
        """Record that a deployment that waits is taken up by this process: ``deployment_continued``.

        Args:
            before: What it waits for, as far as the caller knows.
            after: The same as it stands from now on.
            lease: Under which it goes on.

        Raises:
            Refused: It waits no longer, or for something else.
            ModelError: There is none.
            RecordError: The lease is not in force any more.
        """
        with self._pausing() as pausing:
            pausing.go_on(before, after, lease)
        self._under_way.add(before.id)

    def end_waiting(self, deployment: Deployment, before: Schedule, after: Schedule, *, lease: Lease) -> None:
        """Record the end of a deployment that waits, in place of going on. Otherwise as `go_on`.

        Args:
            deployment: As it ended.
            before: What it waits for, as far as the caller knows.
            after: The same as it stands from now on.
            lease: That of the environment.

        Raises:
            Refused: It waits no longer, or for something else.
            RecordError: The lease is not in force any more.
        """
        with self._pausing() as pausing:
            pausing.end(deployment, before, after, lease)

    @contextlib.contextmanager
    def _pausing(self) -> Iterator[Pausing]:
        from octossh.recording.pausing import Pausing

        with self._transaction(write=True) as transaction:
            yield Pausing(transaction.connection, transaction.where)
