"""What several threads want to record at one time goes to the store together."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from octossh.errors import ModelError
from octossh.model import Deployment, Event, Mode, State
from octossh.recording import Store, controller_here
from octossh.recording.aside import Unwritable
from octossh.recording.connecting import Database

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DEPLOYMENT = Deployment(
    id="d1", project="shop", release="1", environment="Dev", mode=Mode.DEPLOY, state=State.RUNNING,
    started_at=NOW, controller=controller_here(),
)  # fmt: skip


def event(target: str, **data: Any) -> Event:
    return Event(type="step_started", at=NOW, deployment="d1", step="s", target=target, data=data)


class Queue(deque[Any]):
    """Tells when somebody comes."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, one: Any) -> None:
        super().append(one)
        self.came.release()


class Counted:
    """Write transactions, which can be made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes, self.cut = 0, False
        passing = Database.transaction

        def transaction(database: Database, *, write: bool) -> Any:
            self.writes += write
            if self.cut:
                raise Unwritable("store x: its disk is full")
            return passing(database, write=write)

        monkeypatch.setattr(Database, "transaction", transaction)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def at_once(store: Store, events: list[Event]) -> list[Future[None]]:
    """Record them from as many threads, which come one after the other while another one writes."""
    store._waiting = queue = Queue()
    with ThreadPoolExecutor(len(events)) as pool:
        with store._apart:
            futures = []
            for one in events:
                futures.append(pool.submit(store.record, one))
                assert queue.came.acquire(timeout=10)
    return futures


def test_it_is_one_transaction_in_the_order_in_which_they_came(tmp_path: Path, counted: Counted) -> None:
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        before, names = counted.writes, [f"h{number:02}" for number in range(8)]
        for future in at_once(store, [event(name) for name in names]):
            future.result()
        assert counted.writes == before + 1
        assert [found.target for found in store.events("d1")][1:] == names
        assert store.verify().ok


def test_what_the_store_refuses_is_told_to_its_own_thread_alone(tmp_path: Path, counted: Counted) -> None:
    bad = event("h02", number=float("inf"))
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        first, wrong, last = at_once(store, [event("h01"), bad, event("h03")])
        assert (first.result(), last.result()) == (None, None)
        with pytest.raises(ModelError, match="cannot be recorded"):
            wrong.result()
        assert [found.target for found in store.events("d1")][1:] == ["h01", "h03"]


def test_all_of_it_goes_aside_where_the_store_takes_nothing(tmp_path: Path, counted: Counted) -> None:
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        counted.cut = True
        for future in at_once(store, [event("h01"), event("h02")]):
            future.result()
        counted.cut = False
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        assert [found.target for found in store.events("d1") if found.type == "step_started"] == ["h01", "h02"]
