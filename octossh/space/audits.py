"""Audit: who did what, and whether the record of it still holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime

from octossh.errors import ModelError
from octossh.model import AuditEntry, AuditTrail
from octossh.recording import Verification, exported
from octossh.space.wiring import Wiring

__all__ = ["Audits"]


class Audits(Wiring):
    """The verbs of a space about its chain of events."""

    def audit(
        self,
        project: str | None = None,
        *,
        environment: str | None = None,
        types: Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        steps: bool = False,
        limit: int | None = 50,
    ) -> AuditTrail:
        """Who did what: the newest entries of the record that fit.

        Args:
            project: Only what is about this one; it may be gone by now.
            environment: Likewise.
            types: Only of these types, such as ``release_created``.
            since: Only from then on.
            until: Only before then.
            steps: With the start and the end of each step on each host.
            limit: How many at most; None: all.

        Raises:
            ModelError: A time does not say its time zone, or *limit* is below zero.
        """
        if limit is not None and limit < 0:
            raise ModelError(f"limit {limit} is below zero; use None for all")
        found = self.store.audit(
            project=project,
            environment=environment,
            types=types,
            since=since,
            until=until,
            steps=steps or bool(types),
            newest_first=True,
        )
        return AuditTrail(tuple(itertools.islice(found, limit)))

    def export_audit(
        self,
        form: str = "jsonl",
        *,
        project: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[str]:
        """All entries that fit, oldest first, as lines of text; they are read while they are taken.

        Args:
            form: ``jsonl``: one JSON object in a line, with all that the hash is made of; or ``csv``, in which no cell
                is taken for a formula.
            project: Only what is about this one.
            since: Only from then on.
            until: Only before then.

        Raises:
            ModelError: There is no such form, or a time does not say its time zone.
        """
        entries: Iterator[AuditEntry] = self.store.audit(project=project, since=since, until=until)
        return exported(entries, form)

    def verify(self) -> Verification:
        """Check the chain of the record: whether anything in it was edited or taken out."""
        return self.store.verify()
