"""The store: releases and deployments, and all that happened to them, in one database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from octossh.errors import ModelError
from octossh.model import State
from octossh.model.serialising import to_dict
from octossh.recording.controllers import controller_here
from octossh.recording.pauses import Pauses
from octossh.recording.standings import Standings

if TYPE_CHECKING:
    from octossh.model import AuditEntry, Deployment, Event, Outcome, Release
    from octossh.planning import Tidy
    from octossh.recording.leases import Lease
    from octossh.recording.verification import Verification

__all__ = ["Record", "Store"]

T = TypeVar("T")

_SMALL_PAGE, _LARGE_PAGE = 100, 1000  # events that are read at once

DEFAULT_TTL_S = 60.0
"""Seconds for which a lease holds by itself."""


class Record(Protocol):
    """What an executor writes to: intent before the act, and the outcome after it."""

    def start(self, deployment: Deployment) -> None:
        """Record that *deployment* begins now."""

    def record(self, event: Event, outcome: Outcome | None = None) -> None:
        """Record that *event* happened, and with it how a step ended on a host."""

    def finish(self, deployment: Deployment) -> None:
        """Record how *deployment* ended."""


class Store(Pauses, Standings):
    """Releases, deployments, facts and events, in a file of SQLite or a database of PostgreSQL.

    Threads share a store. Several processes on one machine share a file, on a local disk: SQLite's locks are not
    reliable on NFS. Processes of several machines share a database of PostgreSQL. What a method has recorded is
    on the disk when the method returns. Each method raises `RecordError` when the store cannot be read or
    written.

    A store that takes no record any more while a deployment is under way (its disk is full, the link to the server
    is lost) does not stop the deployment: what happens goes to a side file, which lies beside the file of the store,
    or in ``~/.local/state/octossh``, and is taken in as soon as the store can be written again, at the latest when
    it is opened next. A warning on the logger ``octossh.recording`` says so. Nothing starts without the store.

    Each event holds the hash of the one before it and a hash of what it speaks of, so that `verify` shows
    what was changed afterwards.

    Args:
        url: ``sqlite:///octossh.db``, four slashes for an absolute path, or ``sqlite://`` for one in memory.
            A file that is not there is made, with mode 0600, when the store is first used.
            ``postgresql://user@host/database`` for a database of PostgreSQL, which must be there, and needs
            ``pip install 'octossh[postgresql]'``; whatever libpq takes behind it counts (``?sslmode=verify-full``),
            and ``PGPASSWORD``, ``~/.pgpass`` and ``PGSERVICE`` do, too. The tables are made when it is first used.
            What an older octossh wrote is brought up to date when it is opened.

    Raises:
        ModelError: *url* is of another form.
    """

    def create_release(
        self, project: str, mask: str, make: Callable[[str], Release], *, number: str | None = None
    ) -> Release:
        """Give the next number, and store the release of that number.

        All of it is one transaction, so two processes never get the same number. *make* runs inside of it,
        while others wait to write: it should be quick, and must not use this store.

        Args:
            project: The name of the project.
            mask: Such as ``0.0.i``: i is 1 more than the highest of this project under this mask, at first 1.
            make: Makes the release of the number that it is given. If it raises, nothing is stored.
            number: A number to take instead.

        Raises:
            RecordError: The number is taken.
            ModelError: *mask* is none, or *make* gave a release of another project or number.
        """
        with self._transaction(write=True) as transaction:
            return transaction.create_release(project, mask, make, number)

    def import_release(self, release: Release, *, by: str) -> None:
        """Store a release that was made in another store, under its own number.

        Args:
            release: As it was made there; ``imported`` says where it comes from.
            by: Who imports it.

        Raises:
            RecordError: The number is taken.
        """
        with self._transaction(write=True) as transaction:
            transaction.import_release(release, by)

    def release(self, project: str, number: str) -> Release:
        """The release *number* of *project*.

        Raises:
            ModelError: There is none.
            RecordError: It was changed after it was stored.
        """
        with self._transaction() as transaction:
            return transaction.release(project, number)

    def glance(self, project: str | None = None) -> list[str]:
        """The newest numbers of releases of *project*, or without one ids of deployments: of a file, and unchecked."""
        from octossh.recording.glancing import deployments_in, releases_in

        if not isinstance(self._place, Path) or not self.there:
            return []
        return deployments_in(self._place) if project is None else releases_in(self._place, project)

    def releases(self, project: str, *, limit: int | None = None) -> tuple[Release, ...]:
        """The releases of *project*, the newest first.

        Args:
            project: The name of the project.
            limit: How many at most; None: all.

        Raises:
            RecordError: One was changed after it was stored.
        """
        with self._transaction() as transaction:
            return transaction.releases(project, limit)

    def start(self, deployment: Deployment, *, lease: Lease | None = None) -> None:
        """Record the intent, before anything is sent: the running deployment and its ``deployment_started``.

        Args:
            deployment: As it begins.
            lease: The right to deploy there. All that is recorded of *deployment* later is refused once somebody
                has taken it over.

        Raises:
            ModelError: It does not stand as running, has outcomes already, or *lease* is of another environment.
            RecordError: There is a deployment of that id, or *lease* is not in force any more.
        """
        if deployment.state is not State.RUNNING or deployment.outcomes or deployment.finished_at:
            raise ModelError(
                f"deployment {deployment.id!r} cannot start as {deployment.state.value}, with an end or with "
                "outcomes; start it as State.RUNNING with nothing done yet"
            )
        with self._transaction(write=True) as transaction:
            transaction.start(deployment, lease)
        self._under_way.add(deployment.id)

    def record(self, event: Event, outcome: Outcome | None = None, *, lease: Lease | None = None) -> None:
        """Record what happened.

        Args:
            event: What happened; its deployment has been started, or is empty.
            outcome: Of an event such as ``step_finished``: how that step ended on that target. It takes the
                place of an earlier outcome of that step on that target.
            lease: Under which it is recorded. Default: that with which the deployment was started.

        Raises:
            ModelError: There is no such deployment, *event* is of another step or target than *outcome*, or
                JSON cannot hold its data.
            RecordError: *outcome* comes after the end of its deployment, or the lease is not in force any more.
        """
        if outcome is not None and (outcome.step, outcome.target) != (event.step, event.target):
            raise ModelError(
                f"event {event.type!r} is about {event.step!r} on {event.target!r}, and its outcome about "
                f"{outcome.step!r} on {outcome.target!r}; record them one by one"
            )
        self._write(
            event.deployment,
            lambda transaction: transaction.record(event, outcome, lease),
            lambda: {"what": "record", "event": to_dict(event), "outcome": outcome and to_dict(outcome)},
        )

    def finish(self, deployment: Deployment, *, lease: Lease | None = None) -> None:
        """Record the end: state, error, ``deployment_finished``, and all outcomes, in place of earlier ones.

        One that has ended with outcomes that are unknown can end once more, with those that have been found out since;
        the event is ``deployment_settled`` then.

        Args:
            deployment: As it ended.
            lease: Under which it is recorded: whoever took over the lease of *deployment* can end it so. Default:
                that with which it was started.

        Raises:
            ModelError: It still runs, was never started, was started as another one, or has two outcomes of
                one step on one target.
            RecordError: It has ended already and nothing in it was unknown, or the lease is not in force any more.
        """
        if deployment.state in {State.RUNNING, State.WAITING}:
            how = "still runs" if deployment.state is State.RUNNING else "waits"
            raise ModelError(f"deployment {deployment.id!r} {how}, so it has no end to record")
        named = Counter((outcome.step, outcome.target) for outcome in deployment.outcomes)
        if named and (most := named.most_common(1)[0])[1] > 1:
            step, target = most[0]
            raise ModelError(f"deployment {deployment.id!r} has two outcomes of {step!r} on {target!r}; keep one")
        self._write(
            deployment.id,
            lambda transaction: transaction.finish(deployment, lease),
            lambda: {"what": "finish", "deployment": to_dict(deployment)},
        )
        self._under_way.discard(deployment.id)

    def deployment(self, id: str) -> Deployment:  # noqa: A002 - the field's name
        """The deployment *id*, with its outcomes.

        One that stands as running although the process that ran it is gone is shown as interrupted.

        Raises:
            ModelError: There is none.
        """
        with self._transaction() as transaction:
            return transaction.deployment(id)

    def deployments(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        release: str | None = None,
        state: State | None = None,
        limit: int | None = 50,
        outcomes: bool = True,
    ) -> tuple[Deployment, ...]:
        """Deployments, the newest first.

        Args:
            project: Only of this project.
            environment: Only to this environment.
            release: Only of the release of this number.
            state: Only those that stand so now, as `deployment` would show them.
            limit: How many at most; None: all.
            outcomes: With their outcomes, which may be long; without, only what stands in `history`.
        """
        with self._transaction() as transaction:
            return transaction.deployments(project, environment, release, state, limit, outcomes=outcomes)

    def events(self, deployment: str | None = None) -> tuple[Event, ...]:
        """The events of *deployment*, or all, in the order in which they were recorded.

        Raises:
            ModelError: There is no such deployment.
        """
        with self._transaction() as transaction:
            return transaction.events(deployment)

    def keep(
        self, kind: str, key: str, value: object, *, why: str = "", expect: object = ..., told: bool = True
    ) -> bool:
        """Keep *value* as the fact *key* of *kind*, in place of what is kept there, and record the change.

        The event ``fact_kept`` holds ``kind``, ``key``, ``before``, ``after``, ``why`` and ``by``. A fact that is
        there already with the same value stays as it is, and no event is recorded.

        Args:
            kind: A noun in small letters, such as ``freeze``.
            key: Its name among those of its kind.
            value: Something that `to_dict` of the model can write.
            why: The reason, in words.
            expect: What is there, as far as the caller knows: a value, or None for nothing. If it is something
                else by now, nothing is changed.
            told: Whether the event holds the values before and after; else, only their hashes.

        Returns:
            Whether there was anything to change.

        Raises:
            Refused: There is something else than *expect*.
            ModelError: *kind* or *key* is none, or JSON cannot hold *value*.
        """
        with self._facts(write=True) as facts:
            return facts.keep(kind, key, value, why, expect, told=told)

    def drop(self, kind: str, key: str, *, why: str = "", expect: object = ..., told: bool = True) -> None:
        """Take the fact *key* of *kind* away, and record that as ``fact_dropped``. The arguments are those of `keep`.

        Raises:
            ModelError: There is none.
            Refused: There is something else than *expect*.
        """
        with self._facts(write=True) as facts:
            facts.drop(kind, key, why, expect, told=told)

    def kept(self, kind: str, of: type[T]) -> Mapping[str, T]:
        """The facts of *kind*, sorted by key.

        Args:
            kind: As `keep` was given it.
            of: The type of their values.

        Raises:
            RecordError: One was changed behind octossh's back, or is no *of*.
        """
        with self._facts() as facts:
            return facts.kept(kind, of)

    def kept_one(self, kind: str, key: str, of: type[T]) -> T | None:
        """The fact *key* of *kind*, or None if there is none. Raises as `kept` does."""
        with self._facts() as facts:
            return facts.kept_one(kind, key, of)

    def lease(
        self, project: str, environment: str, *, holder: str | None = None, ttl_s: float = DEFAULT_TTL_S
    ) -> Lease:
        """Take the right to deploy *project* to *environment*, which only one has at a time.

        One that has expired is taken over, and one whose process is seen to be gone, too: ``taken_from`` says
        whose it was, and an event ``lease_taken_over`` is recorded.

        Args:
            project: The name of the project.
            environment: The name of the environment.
            holder: The process that holds it, as `controller_here` says it. Default: this one.
            ttl_s: Seconds for which it holds, unless it is renewed.

        Raises:
            Refused: Somebody else has it, or this process itself.
            ModelError: *ttl_s* is no time.
        """
        with self._leasing(write=True) as leasing:
            return leasing.take(project, environment, controller_here() if holder is None else holder, ttl_s)

    def renew(self, lease: Lease, *, ttl_s: float = DEFAULT_TTL_S) -> Lease:
        """Hold *lease* for *ttl_s* seconds from now on. One that has expired can be renewed until somebody takes it.

        Raises:
            RecordError: It was taken over or given back.
        """
        with self._leasing(write=True) as leasing:
            return leasing.renew(lease, ttl_s)

    def give_back(self, lease: Lease) -> None:
        """End *lease*. One that was taken over stays with whom it is."""
        with self._leasing(write=True) as leasing:
            leasing.release(lease)

    def leases(self) -> tuple[Lease, ...]:
        """The leases that are in force."""
        with self._leasing() as leasing:
            return leasing.all()

    def under(self, lease: Lease) -> Record:
        """This store as a `Record` of one deployment under *lease*."""
        return _Under(self, lease)

    def audit(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        types: Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        steps: bool = True,
        after: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditEntry]:
        """The events with their place in the chain, one after the other; nothing is held open between them.

        Args:
            project: Only what is about this one.
            environment: Likewise.
            types: Only of these types, such as ``release_created``; none: all.
            since: Only from then on.
            until: Only before then.
            steps: With the start and the end of each step on each host.
            after: Only beyond the event of this number, in the direction that is read in.
            newest_first: Read it backwards.
        """
        from octossh.recording.audits import Audits, Wanted

        wanted = Wanted(
            project=project, environment=environment, types=tuple(types), since=since, until=until, steps=steps
        )
        beyond, size = after, _SMALL_PAGE
        while True:
            with self._transaction() as transaction:
                audits = Audits(transaction.connection, transaction.where)
                entries, beyond = audits.page(wanted, beyond, size, newest_first=newest_first)
            yield from entries
            if beyond is None:
                return
            size = _LARGE_PAGE

    def head(self) -> tuple[int, str]:
        """The number and the hash of the newest event."""
        with self._transaction() as transaction:
            return transaction.tip()

    @property
    def mark(self) -> str:
        """What tells this store from all others: of the hash of its first event; empty before that."""
        with self._transaction() as transaction:
            return transaction.mark()

    def hashes(self, seqs: Iterable[int]) -> tuple[Mapping[int, str], int, int]:
        """The hashes of the events of these numbers, as far as they are there; and the first and the last number."""
        from octossh.recording.audits import Audits

        with self._transaction() as transaction:
            return Audits(transaction.connection, transaction.where).hashes(set(seqs))

    def details(self, project: str) -> Mapping[str, bool]:
        """The ids of the deployments of *project* of which outcomes are stored; and whether with a log or the like."""
        with self._tidier() as tidier:
            return tidier.details(project)

    def tidy(self, items: Sequence[Tidy], *, seen: str = "") -> tuple[Tidy, ...]:
        """Take out what need not be kept; each thing by itself, with an event that says so and keeps its hash.

        Of a release its number stays; of a deployment, its line in the history. Events stay for ever.

        Args:
            items: What; made by `octossh.planning.to_tidy`.
            seen: The id of the newest deployment when they were chosen. A release that was deployed since stays.

        Returns:
            What was there, and is gone.
        """
        gone = []
        for item in items:
            with self._tidier(write=True) as tidier:
                if tidier.tidy(item, seen):
                    gone.append(item)
        return tuple(gone)

    def sent(self, sink: str) -> int:
        """The number of the last event that *sink* has got; 0: none. It is no history, and stands in no chain."""
        from octossh.recording.audits import Audits

        with self._transaction() as transaction:
            return Audits(transaction.connection, transaction.where).sent(sink)

    def note_sent(self, sink: str, seq: int) -> None:
        """Remember that *sink* has got all events up to that of number *seq*."""
        from octossh.recording.audits import Audits

        with self._transaction(write=True) as transaction:
            Audits(transaction.connection, transaction.where).note_sent(sink, seq)

    def verify(self) -> Verification:
        """Compare everything that is stored with the audit chain. It reads all of it, and changes nothing."""
        from octossh.recording.chains import verify

        with self._transaction() as transaction:
            return verify(transaction.connection)


class _Under:
    """A store as the record of what is done under one lease."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self._lease = store, lease

    def start(self, deployment: Deployment) -> None:
        self._store.start(deployment, lease=self._lease)

    def record(self, event: Event, outcome: Outcome | None = None) -> None:
        self._store.record(event, outcome, lease=self._lease)

    def finish(self, deployment: Deployment) -> None:
        self._store.finish(deployment, lease=self._lease)
