"""A store of a large company, made in minutes: rows with their hashes, without the one transaction for each record.

By hand: ``python tests/bulk.py sqlite:////tmp/large.db 1.0``, where 1.0 stands for 200 projects, 20,000 releases,
200,000 deployments and 5.2 million events.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

# Run by hand, it is not in a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from octossh.model import Deployment, Event, Mode, Outcome, Process, Release, RunScript, State
from octossh.recording import Store
from octossh.recording.rows import (
    GENESIS,
    deployment_row,
    event_hash,
    event_row,
    outcome_row,
    release_row,
    subject_hash,
    time_text,
)
from octossh.recording.tables import deployments, events, outcomes, releases

PROJECTS = 200
RELEASES = 100  # of each project
DEPLOYMENTS = 1000  # of each project
ENVIRONMENTS = ("Dev", "Test", "Staging", "Production")
STEPS = ("backend", "migrate", "web")
HOSTS = ("h01", "h02", "h03", "h04")
LOG = "\n".join(f"line {number} of what a step prints on a host while it works" for number in range(6))

_CHUNK = 500  # deployments
_START = datetime(2024, 1, 1, tzinfo=UTC)


def _outcome(step: str, host: str) -> Outcome:
    return Outcome(
        step=step, target=host, state=State.SUCCEEDED, action="replaced", changed=True, why="the image is another",
        started_at=_START, finished_at=_START, exit_code=0, script="f" * 64, log=LOG,
    )  # fmt: skip


def _event(type_: str, step: str = "", target: str = "", **data: Any) -> dict[str, Any]:
    return event_row(Event(type=type_, at=_START, deployment="", step=step, target=target, data=data), 1, GENESIS, "")


class _Maker:
    """Makes the rows of a store, in the order in which they would have been recorded.

    Of each kind of row the first is made as the store makes it, and the others are copies with other names.
    """

    def __init__(self) -> None:
        self.seq, self.head = 0, GENESIS
        self.rows: dict[str, list[dict[str, Any]]] = {}
        places = tuple(itertools.product(STEPS, HOSTS))
        self._outcomes = [outcome_row("", place, _outcome(*names)) for place, names in enumerate(places)]
        did = {"state": "succeeded", "action": "replaced", "why": "the image is another"}
        self._start, self._end = (_event(f"deployment_{what}") for what in ("started", "finished"))
        self._steps = [(_event("step_started", *names), _event("step_finished", *names, **did)) for names in places]
        self._created = _event("release_created")
        process = Process([RunScript(step, script="true") for step in STEPS])
        self._release = Release(project="p", number="1", channel="stable", process=process, created_at=_START)
        values: dict[str, Any] = {"project": "p", "release": "1", "environment": "e", "mode": Mode.DEPLOY}
        self._deployment = deployment_row(
            Deployment(id="d", **values, state=State.RUNNING, started_at=_START, controller="elsewhere 1 1")
        )

    def release(self, project: str, number: str, at: datetime) -> None:
        row = release_row(attrs.evolve(self._release, project=project, number=number, created_at=at))
        seq = self._event(self._created, None, row["created_at"], row["sha256"])
        self._row("releases", {**row, "seq": seq})

    def deployment(self, number: int, project: str, release: str, environment: str, at: datetime) -> None:
        id_, moment = f"{at:%Y%m%dT%H%M%S}-{number:08x}", time_text(at)
        names = {"id": id_, "project": project, "release": release, "environment": environment}
        began = {**self._deployment, **names, "started_at": moment, "by": f"user{number % 30}@pc"}
        seq = self._event(self._start, id_, moment, subject_hash(began))
        ended = []
        for outcome, (first, last) in zip(self._outcomes, self._steps, strict=True):
            self._event(first, id_, moment, "")
            ended.append({**outcome, "deployment": id_, "started_at": moment, "finished_at": moment})
            self._event(last, id_, moment, subject_hash(ended[-1]))
        state = State.FAILED if number % 17 == 0 else State.SUCCEEDED
        row = {**began, "state": state.value, "finished_at": time_text(at + timedelta(seconds=20))}
        self._event(self._end, id_, row["finished_at"], subject_hash(row, ended))
        self._row("deployments", {**row, "seq": seq, "token": number})
        self.rows.setdefault("outcomes", []).extend(ended)

    def _event(self, made: dict[str, Any], deployment: str | None, at: str, subject_sha256: str) -> int:
        self.seq += 1
        row = {
            **made,
            "seq": self.seq,
            "at": at,
            "deployment": deployment,
            "subject_sha256": subject_sha256,
            "prev_hash": self.head,
        }
        self.head = row["hash"] = event_hash(row)
        self._row("events", row)
        return self.seq

    def _row(self, table: str, row: dict[str, Any]) -> None:
        self.rows.setdefault(table, []).append(row)

    def taken(self) -> dict[str, list[dict[str, Any]]]:
        taken, self.rows = self.rows, {}
        return taken


def _made(releases_each: int) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Chunks of rows: each release is made, and then goes through the environments."""
    maker, number = _Maker(), 0
    for release in range(releases_each):
        for project in range(PROJECTS):
            at = _START + timedelta(hours=release * 8, seconds=project)
            maker.release(f"project{project:03}", f"1.0.{release}", at)
            for turn in range(DEPLOYMENTS // RELEASES):
                number += 1
                place = ENVIRONMENTS[turn % len(ENVIRONMENTS)]
                moment = at + timedelta(minutes=turn)
                maker.deployment(number, f"project{project:03}", f"1.0.{release}", place, moment)
            if number % _CHUNK < DEPLOYMENTS // RELEASES:
                yield maker.taken()
    yield maker.taken()


def fill(url: str, scale: float) -> int:
    """Fill the empty store at *url* with a large company's first *scale* of all time; returns the number of events.

    All projects are there from the beginning.
    """
    releases_each = max(1, round(RELEASES * scale))
    with Store(url) as store:
        store.events()
        with store._opened()._base.connected() as session:
            put = _sqlite if session.dialect == "sqlite" else _postgresql
            return sum(len(rows.get("events", ())) for rows in put(session, _made(releases_each)))


_TABLES = (releases, deployments, outcomes, events)


def _sqlite(
    session: Any, chunks: Iterator[dict[str, list[dict[str, Any]]]]
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    session.lasting = False
    cursor = session.driver.cursor()
    for setting in ("synchronous = OFF", "foreign_keys = OFF", "cache_size = -400000"):
        cursor.execute(f"PRAGMA {setting}")
    for rows in chunks:
        cursor.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            names = [column.name for column in table.columns]
            columns = ", ".join(f'"{name}"' for name in names)
            statement = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(names))})"
            cursor.executemany(statement, ([row[name] for name in names] for row in rows.get(table.name, ())))
        cursor.execute("COMMIT")
        yield rows


def _postgresql(
    session: Any, chunks: Iterator[dict[str, list[dict[str, Any]]]]
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    raw = session._alchemy.connection
    cursor = raw.cursor()
    cursor.execute("SET session_replication_role = replica")
    for rows in chunks:
        for table in _TABLES:
            names = [column.name for column in table.columns]
            columns = ", ".join(f'"{name}"' for name in names)
            with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                for row in rows.get(table.name, ()):
                    copy.write_row([row[name] for name in names])
        raw.commit()
        yield rows
    raw.driver_connection.autocommit = True
    cursor.execute("VACUUM ANALYZE")
    raw.invalidate()


def size(url: str) -> int:
    """Bytes that the store takes on its disk."""
    with Store(url) as store, store._transaction() as transaction:
        connection = transaction.connection
        if connection.dialect == "sqlite":
            total = "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size"
        else:
            total = (
                "SELECT sum(pg_total_relation_size(c.oid)) AS bytes FROM pg_class c "
                "WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema() AS regnamespace)"
            )
        return int(next(connection.rows(total))["bytes"])


if __name__ == "__main__":
    began = time.monotonic()
    made = fill(sys.argv[1], float(sys.argv[2]))
    print(f"{made} events in {time.monotonic() - began:.0f} s, {size(sys.argv[1])} bytes")
