"""Audit: who did what, and whether the record of it still holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from octossh import deploying, model, recording
from octossh.errors import ModelError, OctosshError, did_you_mean
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Anchor, AuditEntry, AuditTrail, Mismatch, Witnesses
    from octossh.recording import Verification
    from octossh.sinks import Backlog

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
            ModelError: A time does not say its time zone, *limit* is below zero, there is no such type, or neither the
                octofile nor the record has a project or an environment of that name.
        """
        if limit is not None and limit < 0:
            raise ModelError(f"limit {limit} is below zero; use None for all")
        types = tuple(types)
        if stray := next((name for name in types if name not in model.RECORDED), None):
            raise ModelError(f"no event is of type {stray!r}; {did_you_mean(stray, model.RECORDED)}")
        self._check_told(project, environment)
        found = self.store.audit(
            project=project,
            environment=environment,
            types=types,
            since=since,
            until=until,
            steps=steps or bool(types),
            newest_first=True,
        )
        return model.AuditTrail(tuple(itertools.islice(found, limit)))

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
            ModelError: There is no such form, a time does not say its time zone, or nothing is known of *project*.
        """
        self._check_told(project, None)
        entries: Iterator[AuditEntry] = self.store.audit(project=project, since=since, until=until)
        return recording.exported(entries, form)

    def _check_told(self, project: str | None, environment: str | None) -> None:
        """Check that the octofile has these, or that the record is about them."""
        named = (("project", project, self.projects), ("environment", environment, self.environments))
        for what, name, known in named:
            if name is None or name in known:
                continue
            told = self.store.audit(**{what: name})  # type: ignore[arg-type]
            # Freezes of all environments are about each name.
            if all(entry.data.get("kind") == "freeze" for entry in told):
                raise ModelError(f"nothing in the record is about {what} {name!r}; {did_you_mean(name, known)}")

    def verify(self) -> Verification:
        """Check the chain of the record: whether anything in it was edited or taken out."""
        return self.store.verify()

    def send_audit(self) -> tuple[Backlog, ...]:
        """Send to the sinks what they have not got, and wait for it; what could not be sent comes back.

        While a space is open that goes on by itself; this is for what stayed behind when a sink did not answer.
        """
        return self._pump.send()

    def ask_hosts(self, environment: str | None = None) -> Witnesses:
        """Hold the store against the anchors on hosts: was it rolled back or rewritten since they were left there?

        At the end of each deployment, the number and the hash of the newest event are left on each host that it
        changed. An anchor of an event that the store keeps no more proves nothing, and is not compared.

        Args:
            environment: Only the hosts of this one.

        Raises:
            ModelError: There is no such environment.

        Hosts:
            untouched.
        """
        if environment is not None:
            self._catalog.environment(environment)
        targets = [target for target in self.targets if environment is None or environment in target.environments]
        places = {target.name: list(deploying.places_of(target, self.projects)) for target in targets}
        found: list[Anchor] = []
        unseen, without = [], []
        for name, said in deploying.seek_anchors(places, targets, self._transport).items():
            if isinstance(said, OctosshError):
                unseen.append((name, str(said)))
                continue
            found += said
            without += [] if said else [name]
        known, first, last = self.store.hashes(anchor.seq for anchor in found)
        compared = [anchor for anchor in found if anchor.seq >= first]
        wrong: dict[tuple[str, str], Mismatch] = {}
        for anchor in compared:
            if known.get(anchor.seq) != anchor.hash:
                other = "has another event of that number" if anchor.seq in known else f"ends with event {last}"
                wrong.setdefault((anchor.target, anchor.place), model.Mismatch(anchor=anchor, why=other))
        return model.Witnesses(
            compared=len(compared),
            events=last,
            mismatches=tuple(wrong.values()),
            without=tuple(without),
            unseen=tuple(unseen),
        )
