"""What can be wrong with a store's URL and file, in words that say what to do."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import random
import sqlite3
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from octossh.errors import ModelError, RecordError
from octossh.model import Deployment, Event, Mode, Outcome, State
from octossh.recording import Store, connecting, faults, sqlite
from octossh.recording.statements import SCHEMA

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(type="output", at=NOW, deployment="")


def fault(path, act=lambda store: store.record(EVENT)):
    """What the store at *path* says; it is one line, and nothing of sqlalchemy hangs on it."""
    with Store(f"sqlite:///{path}") as store, pytest.raises(RecordError) as raised:
        act(store)
    error = raised.value
    text = str(error)
    assert text.startswith(f"store {path}: ")
    assert "\n" not in text
    assert "sqlalche" not in "".join(traceback.format_exception(error))
    return text


@pytest.fixture
def path(tmp_path):
    """A store with one event."""
    with Store(f"sqlite:///{tmp_path}/octossh.db") as store:
        store.record(EVENT)
    return tmp_path / "octossh.db"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "takes a URL as text"),
        (None, "takes a URL as text, not None"),
        (Path("/tmp/a.db"), "not a path; write 'sqlite:////tmp/a.db'"),
        ("octossh.db", "'octossh.db' is no URL of a store; write 'sqlite:///octossh.db'"),
        ("mysql://localhost/a", "'mysql://localhost/a' is no URL of a store"),
        ("sqlite+aiosqlite:///a.db", "is no URL of a store"),
        ("sqlite://a.db", "names a host, and a file has none"),
        ("sqlite:///", "does not end with the name of a file"),
        ("sqlite:///a/", "does not end with the name of a file"),
        ("sqlite:///a.db?mode=ro", "does not end with the name of a file"),
        ("sqlite:///a\0.db", "does not end with the name of a file"),
        ("sqlite:///~nobody-of-that-name/a.db", "names no file"),
        ("postgresql://localhost", "names no database; write"),
        ("postgres://ann@localhost/?sslmode=require", "names no database"),
        ("postgresql+psycopg://localhost/a b", "has a blank in it; write %20"),
        ("postgresql+asyncpg://localhost/a", "is no URL of a store"),
    ],
)
def test_a_bad_url_is_a_model_error(url, says):
    with pytest.raises(ModelError) as raised:
        Store(url)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2@db",
        "postgresql://ann:hunter2/x@db/a",
        "postgresql://ann:hunter2?x@db/a",
        "postgresql://ann:1/hunter2@db/a",
        "mysql://ann:hunter2@db/a",
        "sqlite://ann:hunter2@db/a",
        "ann:hunter2@db",
    ],
)
def test_a_password_in_a_url_is_not_repeated(url):
    with pytest.raises(ModelError) as raised:
        Store(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("hosts", ["db", "db:5432", "[::1]:5432,[::2]", "db1:1,db2,db3:", "%2Frun%2Fpostgresql", ""])
def test_hosts_and_ports_are_left_to_libpq(hosts):
    with Store(f"postgresql://ann:hunter%2F%40@{hosts}/a") as store:
        assert repr(store) == f"Store('postgresql://ann@{hosts}/a')"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_has_no_file(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store(url) as store:
        store.record(EVENT)
        assert len(store.events()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a b.db", "100%20.db", "é#1.db", "file:a.db", "sqlite:a.db"])
def test_any_name_of_a_file_will_do(tmp_path, name):
    with Store(f"sqlite:///{tmp_path}/{name}") as store:
        store.record(EVENT)
        assert {file.name for file in tmp_path.iterdir()} == {name, f"{name}-wal", f"{name}-shm"}


def test_the_home_directory_can_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with Store("sqlite:///~/a.db") as store:
        store.record(EVENT)
    assert (tmp_path / "a.db").exists()


def test_a_missing_directory_is_named(tmp_path):
    assert f"there is no directory '{tmp_path}/no'; make it" in fault(tmp_path / "no" / "a.db")


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path):
    (tmp_path / "file").touch()
    assert f"there is no directory '{tmp_path}/file'" in fault(tmp_path / "file" / "a.db")


def test_a_directory_in_the_place_of_the_file_is_named(tmp_path):
    assert "it is a directory; name a file in it" in fault(tmp_path)


def test_garbage_is_not_taken_for_a_database_and_stays_as_it_is(tmp_path):
    path = tmp_path / "a.db"
    garbage = random.Random(1).randbytes(5000)
    path.write_bytes(garbage)
    assert "it is not a database of SQLite; name another file" in fault(path)
    assert path.read_bytes() == garbage


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "a.db").touch()
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.record(EVENT)


def test_a_store_that_is_damaged_in_its_middle_says_so(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert "the database is damaged; put a backup in its place" in fault(path)


@pytest.mark.parametrize("table", ["t (a)", "meta (a)", "meta (name, value)"])
def test_a_database_of_something_else_is_refused_and_stays_as_it_is(tmp_path, table):
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"CREATE TABLE {table}")
    before = path.read_bytes()
    assert "it is a database of something else than octossh; name another one" in fault(path)
    assert path.read_bytes() == before


def test_a_file_in_which_only_tables_of_sqlite_itself_are_left_becomes_a_store(tmp_path):
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)")
        db.execute("DROP TABLE t")
    with Store(f"sqlite:///{path}") as store:
        store.record(EVENT)
        assert [event.type for event in store.events()] == [EVENT.type]


def test_a_newer_schema_is_refused_also_when_its_tables_have_other_names(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '99'")
        db.execute("ALTER TABLE outcomes RENAME TO results")
        db.commit()
    assert f"a newer octossh wrote it (schema 99, and this one knows {SCHEMA}); upgrade octossh" in fault(path)


def test_a_file_that_is_refused_is_closed_again(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '99'")
        db.commit()
    with Store(f"sqlite:///{path}") as store:
        for _ in range(3):
            with pytest.raises(RecordError, match="upgrade octossh"):
                store.events()
            assert not [fd for fd in Path("/proc/self/fd").iterdir() if str(path) in os.path.realpath(fd)]


def test_a_file_that_was_removed_while_it_was_open_takes_no_records(path):
    with Store(f"sqlite:///{path}") as store:
        store.record(EVENT)
        for file in path.parent.iterdir():
            file.unlink()
        with pytest.raises(RecordError, match="it was removed or replaced while it was open"):
            store.record(EVENT)
        path.touch()
        with pytest.raises(RecordError, match="it was removed or replaced while it was open"):
            store.record(EVENT)


def test_a_full_disk_is_named_and_nothing_half_is_kept(path):
    running = Deployment(
        id="d1", project="p", release="1", environment="e", mode=Mode.DEPLOY, state=State.RUNNING, started_at=NOW
    )
    with Store(f"sqlite:///{path}") as store:
        store.start(running)
    with Store(f"sqlite:///{path}") as store:  # what another one has started does not go aside
        with store._opened().transaction(write=False) as connection:
            pages = connection.driver.execute("PRAGMA page_count").fetchone()[0]
        # Each connection has its own limit, so the one in the pool is the one that is used.
        with store._opened().transaction(write=False) as connection:
            connection.run(f"PRAGMA max_page_count = {pages + 1}")
        big = Outcome(step="s", target="t", state=State.SUCCEEDED, log="x" * 100_000)
        with pytest.raises(RecordError, match="the disk is full; make room, and try again"):
            store.record(Event(type="step_finished", at=NOW, deployment="d1", step="s", target="t"), big)
        assert store.deployment("d1").outcomes == ()
        assert store.verify().ok
        assert store.verify().events == 2


def test_a_lock_of_another_process_is_waited_for_and_then_named(path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "it has been locked by another process for 15 s; wait for that one" in fault(path)
        with Store(f"sqlite:///{path}") as store:
            assert len(store.events()) == 1


def test_a_lock_that_is_given_up_in_time_does_no_harm(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Store(f"sqlite:///{path}") as store:
            store.events()
            timer = threading.Timer(0.2, other.execute, ["COMMIT"])
            timer.start()
            store.record(EVENT)
            assert not other.in_transaction
            timer.join()
            assert len(store.events()) == 2


def test_a_thread_that_holds_the_store_too_long_is_named(path, monkeypatch):
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_S", 0.1)
    with Store(f"sqlite:///{path}") as store:
        held, done = threading.Event(), threading.Event()

        def hold():
            with store._transaction(write=True):
                held.set()
                done.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        try:
            assert held.wait(10)
            with pytest.raises(RecordError, match="it has been locked by another"):
                store.record(EVENT)
        finally:
            done.set()
            thread.join()
        store.record(EVENT)


def test_where_there_is_no_write_ahead_log_the_store_works_and_says_so(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(sqlite, "_journal", lambda db: db.execute("PRAGMA journal_mode = DELETE").fetchone()[0])
    with caplog.at_level(logging.WARNING, "octossh"), Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.record(EVENT)
        assert len(store.events()) == 1
    assert "its journal has mode 'delete' here" in caplog.text


def test_the_mode_of_the_journal_is_what_sqlite_answers_not_what_was_asked_for(tmp_path):
    for vfs, mode in (("unix", "wal"), ("unix-dotfile", "delete")):
        url = f"file:{tmp_path}/{vfs}.db?vfs={vfs}"
        with contextlib.closing(sqlite3.connect(url, uri=True)) as db:
            assert sqlite._journal(db) == mode


def test_turning_the_log_on_waits_for_others_and_gives_up_in_the_end(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
        contextlib.closing(sqlite3.connect(path, timeout=0)) as db,
    ):
        other.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.1, other.execute, ["COMMIT"])
        timer.start()
        assert sqlite._journal(db) == "wal"
        timer.join()
        db.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite._journal(db)


def test_each_setting_that_records_hang_on_is_on(path):
    with Store(f"sqlite:///{path}") as store, store._opened().transaction(write=False) as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = [connection.driver.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert values == ["wal", 2, 1, 15000]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SQLITE_IOERR_WRITE", "see to its disk, and try again"),
        ("SQLITE_TOOBIG", "too large to be stored"),
        ("SQLITE_READONLY_DIRECTORY", "it is read-only; give this user the right"),
        ("SQLITE_CONSTRAINT_UNIQUE", "somebody else wrote to it"),
        ("SQLITE_ERROR", "see that the file is a store of octossh"),
    ],
)
def test_each_code_of_sqlite_has_words(path, name, says):
    error = sqlite3.OperationalError("some\ntext")
    error.sqlite_errorname = name
    text = str(faults.explain(error, path))
    assert says in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("number", "says"),
    [("EACCES", "permission denied"), ("EROFS", "read-only"), ("ENOSPC", "the disk is full"), ("EMFILE", "Too many")],
)
def test_each_error_of_the_system_has_words(path, number, says):
    code = getattr(errno, number)
    assert says in str(faults.explain(OSError(code, os.strerror(code)), path))
