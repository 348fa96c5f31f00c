"""Taking, renewing and giving back leases, and holding those who write to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs

from octossh.errors import ModelError, RecordError, Refused
from octossh.model import Event
from octossh.recording.controllers import alive, whoami
from octossh.recording.leases import Lease
from octossh.recording.rows import Row, clean, moment_of, time_text
from octossh.recording.statements import read
from octossh.recording.working import Work

__all__ = ["Leasing"]


class Leasing(Work):
    """Leases within one transaction."""

    def take(self, project: str, environment: str, holder: str, ttl_s: float) -> Lease:
        """See `Store.lease`."""
        now, row = self._now(), self._row(project, environment)
        if row is not None and _held(row, now):
            raise Refused(
                f"{row['by']} is deploying {project!r} to {environment!r}, since {row['since'][:19]}Z; wait for that "
                "to end"
            )
        lease = Lease(
            project=clean(project),
            environment=clean(environment),
            holder=clean(holder),
            token=1 if row is None else row["token"] + 1,
            by=clean(whoami()),
            since=now,
            expires_at=now + _span(ttl_s),
            taken_from=row["by"] if row is not None and row["holder"] else "",
        )
        values = {
            "token": lease.token,
            "holder": lease.holder,
            "by": lease.by,
            "since": time_text(lease.since),
            "expires_at": time_text(lease.expires_at),
        }
        if row is None:
            self.insert("leases", {"project": lease.project, "environment": lease.environment, **values})
        else:
            self._set(lease, values)
        if row is not None and lease.taken_from:
            self._tell_taken(lease, row)
        return lease

    def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """See `Store.renew`."""
        self.check(lease.project, lease.environment, lease.token)
        renewed = attrs.evolve(lease, expires_at=self._now() + _span(ttl_s))
        self._set(lease, {"expires_at": time_text(renewed.expires_at)})
        return renewed

    def release(self, lease: Lease) -> None:
        """See `Store.give_back`."""
        row = self._row(lease.project, lease.environment)
        if row is not None and row["token"] == lease.token:
            self._set(lease, {"holder": ""})

    def check(self, project: str, environment: str, token: int) -> None:
        """See that the lease *token* is the newest one of its project and environment, and was not given back.

        Raises:
            RecordError: It is not.
        """
        row = self._row(project, environment)
        if row is not None and row["token"] == token and row["holder"]:
            return
        why = "was given back"
        if row is not None and row["token"] != token:
            why = f"was taken over by {row['by']} at {row['since'][:19]}Z"
        raise RecordError(
            f"store {self.where}: the lease to deploy {project!r} to {environment!r} {why}, so nothing more is "
            "recorded under it; look at what stands there, and deploy again"
        )

    def lives(self, project: str, environment: str, token: int, seen: bool | None) -> bool | None:
        """Whether the holder of the lease *token* is at work; *seen* says the same of its process."""
        row = self._row(project, environment)
        if row is None or row["token"] != token or not row["holder"]:
            return False
        return seen or moment_of(row["expires_at"]) > self._now()

    def all(self) -> tuple[Lease, ...]:
        """See `Store.leases`."""
        now = self._now()
        rows = self.connection.rows(f"{read('leases')} ORDER BY project, environment")
        return tuple(_lease(row) for row in rows if _held(row, now))

    def _row(self, project: str, environment: str) -> Row | None:
        return self.find("leases", project=clean(project), environment=clean(environment))

    def _set(self, lease: Lease, values: Row) -> None:
        self.change("leases", {"project": lease.project, "environment": lease.environment}, values)

    def _tell_taken(self, lease: Lease, row: Row) -> None:
        was = {name: row[name] for name in ("by", "holder", "since", "expires_at")}
        data = {"project": lease.project, "environment": lease.environment, "token": lease.token, "was": was}
        self.append(Event(type="lease_taken_over", at=lease.since, deployment="", data={**data, "by": lease.by}), "")

    def _now(self) -> datetime:
        """Now, by the clock of the database: those of several machines may differ."""
        if self.connection.dialect == "sqlite":
            return datetime.now(UTC)
        moment: datetime = next(self.connection.rows("SELECT clock_timestamp() AS now"))["now"]
        return moment.astimezone(UTC)


def _held(row: Row, now: datetime) -> bool:
    """Whether somebody holds a lease; a process that is seen to be gone holds nothing, however new its lease is."""
    if not row["holder"] or moment_of(row["expires_at"]) <= now:
        return False
    # Machines that were cloned may have one machine-id: what runs on the other one is not to be seen here.
    here = row["by"].rpartition("@")[2] == whoami().rpartition("@")[2]
    return not here or alive(row["holder"]) is not False


def _lease(row: Row) -> Lease:
    times = {name: moment_of(row[name]) for name in ("since", "expires_at")}
    return Lease(**{**row, **times})


def _span(ttl_s: float) -> timedelta:
    if not 0 < ttl_s <= 7 * 24 * 3600:
        raise ModelError(f"a lease of {ttl_s} s is none; give more than 0 s, and a week at most")
    return timedelta(seconds=ttl_s)
