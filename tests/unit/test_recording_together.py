"""What several threads want to record at one time goes to the store together."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from octossh.errors import ModelError, RecordError
from octossh.model import Deployment, Event, Mode, Outcome, State
from octossh.recording import Store, controller_here
from octossh.recording.aside import Unwritable
from octossh.recording.connecting import Database
from octossh.recording.transactions import Transaction

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
    return all_at_once(store, [functools.partial(store.record, one) for one in events])


def all_at_once(store: Store, works: list[Callable[[], None]]) -> list[Future[None]]:
    store._waiting = queue = Queue()
    with ThreadPoolExecutor(len(works)) as pool:
        with store._apart:
            futures = []
            for work in works:
                futures.append(pool.submit(work))
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


def test_a_deployment_is_looked_up_once_for_all_of_it_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up, look_up = [], Transaction._known

    def known(transaction: Transaction, id: str) -> Any:  # noqa: A002 - as it is there
        looked_up.append(id)
        return look_up(transaction, id)

    monkeypatch.setattr(Transaction, "_known", known)
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        looked_up.clear()
        for future in at_once(store, [event(f"h{number:02}") for number in range(8)]):
            future.result()
    assert looked_up == ["d1"]


def test_what_comes_behind_the_end_of_its_deployment_is_refused(tmp_path: Path) -> None:
    ends = attrs.evolve(DEPLOYMENT, state=State.SUCCEEDED, finished_at=NOW)
    ran = Outcome(step="s", target="h01", state=State.SUCCEEDED)
    last = attrs.evolve(event("h01"), type="step_finished")
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        record = functools.partial(store.record, last, ran)
        first, end, late = all_at_once(store, [record, functools.partial(store.finish, ends), record])
        assert (first.result(), end.result()) == (None, None)
        with pytest.raises(RecordError, match="has ended"):
            late.result()


def test_of_two_deployments_each_has_its_own(tmp_path: Path) -> None:
    other = attrs.evolve(DEPLOYMENT, id="d2", environment="Test")
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        store.start(other)
        lease = store.lease("shop", "Test")
        mine = functools.partial(store.record, event("h01"))
        with_lease = functools.partial(store.record, event("h02"), lease=lease)
        theirs = functools.partial(store.record, attrs.evolve(event("h03"), deployment="d2"), lease=lease)
        first, wrong, last = all_at_once(store, [mine, with_lease, theirs])
        assert (first.result(), last.result()) == (None, None)
        with pytest.raises(ModelError, match="a lease to deploy 'shop' to 'Test' is none"):
            wrong.result()


def test_all_of_it_goes_aside_where_the_store_takes_nothing(tmp_path: Path, counted: Counted) -> None:
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.start(DEPLOYMENT)
        counted.cut = True
        for future in at_once(store, [event("h01"), event("h02")]):
            future.result()
        counted.cut = False
    with Store(f"sqlite:///{tmp_path}/s.db") as store:
        assert [found.target for found in store.events("d1") if found.type == "step_started"] == ["h01", "h02"]
