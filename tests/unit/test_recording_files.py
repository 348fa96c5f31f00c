"""The file of a store: shared by threads, processes and forks, and opened when it is needed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from entries import deployment, event, outcome, release

from octossh.errors import RecordError
from octossh.recording import Store, sqlite


@pytest.fixture
def store(store_url):
    with Store(store_url) as made:
        yield made


@pytest.mark.slow
def test_threads_share_a_store_and_its_opening(store):
    store_count, each = 8, 25
    ready = threading.Barrier(store_count)

    def work(number):
        ready.wait()
        made = [store.create_release("shop", "0.0.i", release).number for _ in range(each)]
        store.start(deployment(f"d{number}"))
        for target in range(each):
            store.record(event(f"d{number}", target=f"h{target}"), outcome(target=f"h{target}"))
            assert len(store.deployment(f"d{number}").outcomes) == target + 1
        return made

    with ThreadPoolExecutor(store_count) as pool:
        numbers = [number for made in pool.map(work, range(store_count)) for number in made]
    assert sorted(numbers) == sorted(f"0.0.{n}" for n in range(1, store_count * each + 1))
    found = store.verify()
    assert (found.ok, found.events) == (True, store_count * (2 * each + 1))


def test_reading_goes_on_while_somebody_writes(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.create_release("shop", "0.0.i", release)
        seen = []

        def make(number):
            with ThreadPoolExecutor(1) as pool:
                seen.append(pool.submit(store.releases, "shop").result(timeout=10))
            return release(number)

        store.create_release("shop", "0.0.i", make)
        assert [r.number for r in seen[0]] == ["0.0.1"]


def test_two_stores_on_one_file_see_each_others_records(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with Store(url) as one, Store(url) as other:
        one.start(deployment())
        assert other.deployment("d1") == deployment()
        other.record(event(), outcome())
        assert one.deployment("d1").outcomes == (outcome(),)
        assert one.verify() == other.verify()


def test_a_forked_child_opens_the_file_anew(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.start(deployment())
        opened = store._opened()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert store._opened() is not opened
                store.record(event(), outcome())
                store.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        store.record(event(type_="output"))
        assert store.deployment("d1").outcomes == (outcome(),)
        assert store.verify().ok


def test_the_file_is_made_when_it_is_first_needed_and_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "octossh.db"
    with Store(f"sqlite:///{path}") as store:
        assert not path.exists()
        store.start(deployment())
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        assert modes == {"octossh.db": 0o600, "octossh.db-wal": 0o600, "octossh.db-shm": 0o600}


def test_a_relative_path_stays_where_it_was_when_the_store_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store("sqlite:///octossh.db") as store:
        monkeypatch.chdir("/")
        store.start(deployment())
    assert (tmp_path / "octossh.db").exists()


def test_a_closed_store_says_so(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/a.db")
    store.start(deployment())
    store.close()
    store.close()
    with pytest.raises(RecordError, match=r"a\.db: it was closed; open a new Store"):
        store.deployments()
    with Store(f"sqlite:///{tmp_path}/a.db") as again:
        assert again.deployment("d1") == deployment()


def test_a_connection_that_is_in_use_when_its_store_is_closed_is_closed_behind_it(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/a.db")
    with store._opened().transaction(write=False) as connection:
        store.close()
        assert list(connection.rows("SELECT 1 AS one")) == [{"one": 1}]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.run("SELECT 1")


def test_what_many_threads_opened_at_once_does_not_all_stay_open(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(store._opened().transaction(write=False)) for _ in range(8)]
        stack.close()
        left = []
        for connection in opened:
            with contextlib.suppress(sqlite3.ProgrammingError):
                left.append(connection.run("SELECT 1"))
        assert len(left) == sqlite._IDLE


@pytest.mark.parametrize("where", ["in the reading itself", "in what is made of it"])
def test_a_read_that_was_interrupted_does_not_keep_the_store_as_it_was_then(tmp_path, monkeypatch, where):
    with Store(f"sqlite:///{tmp_path}/a.db") as store, Store(f"sqlite:///{tmp_path}/a.db") as other:
        store.start(deployment("d1"))
        store.start(deployment("d2"))

        def interrupt(*_, **__):
            raise KeyboardInterrupt

        def read(connection):
            rows = connection.rows("SELECT * FROM events")
            if where == "in the reading itself":
                monkeypatch.setattr(sqlite, "zip", interrupt, raising=False)
            next(rows)
            interrupt()

        with pytest.raises(KeyboardInterrupt) as held, store._transaction() as transaction:
            read(transaction.connection)
        monkeypatch.delattr(sqlite, "zip", raising=False)
        other.start(deployment("d3"))
        assert len(store.deployments()) == 3
        store.start(deployment("d4"))
        assert held.value.__traceback__ is not None


def test_a_connection_that_could_not_be_rolled_back_is_given_to_nobody(tmp_path, monkeypatch):
    with Store(f"sqlite:///{tmp_path}/a.db") as store, Store(f"sqlite:///{tmp_path}/a.db") as other:
        store.create_release("shop", "0.0.i", release)
        _break_off_twice(store, monkeypatch)
        assert other.create_release("shop", "0.0.i", release).number == "0.0.2"
        assert store.create_release("shop", "0.0.i", release).number == "0.0.3"


def test_a_store_in_memory_keeps_its_only_connection_and_rolls_it_back_before_its_next_use(monkeypatch):
    with Store("sqlite://") as store:
        store.create_release("shop", "0.0.i", release)
        _break_off_twice(store, monkeypatch)
        assert [made.number for made in store.releases("shop")] == ["0.0.1"]
        assert store.create_release("shop", "0.0.i", release).number == "0.0.2"


def _break_off_twice(store, monkeypatch):
    """Ctrl-C in a write, and again before anything of it is rolled back."""

    def interrupt(*_):
        raise KeyboardInterrupt

    def write(connection):
        connection.run("INSERT INTO meta (name, value) VALUES ('half', 'written')")
        monkeypatch.setattr(sqlite.contextlib, "suppress", interrupt)
        interrupt()

    with pytest.raises(KeyboardInterrupt), store._transaction(write=True) as transaction:
        write(transaction.connection)
    monkeypatch.undo()


@pytest.mark.slow
def test_sqlalchemy_makes_a_file_and_enters_no_process_that_reads_and_writes_it(tmp_path):
    code = (
        "import sys; from octossh.recording import Store; from octossh.model import Event; from datetime import *;"
        "s = Store(sys.argv[1]); s.record(Event(type='x', at=datetime.now(UTC), deployment='')); s.lease('a', 'b');"
        "s.keep('freeze', 'x', 1); s.latest(); assert list(s.audit()); assert s.verify().ok; s.close();"
        "assert ('sqlalchemy' in sys.modules) is (sys.argv[2] == 'new')"
    )
    for kind in ("new", "made"):
        subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path}/a.db", kind], check=True)
