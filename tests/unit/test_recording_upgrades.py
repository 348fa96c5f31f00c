"""Stores of each earlier form: opened, they become the newest form, with all that was in them."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
import sqlalchemy

from octossh.errors import RecordError
from octossh.model import Pairs, State
from octossh.recording import Store, upgrading
from octossh.recording.statements import SCHEMA

FORMS = sorted((Path(__file__).parents[1] / "data" / "stores").glob("schema-*.sql"))


@pytest.fixture(params=FORMS, ids=lambda path: path.stem)
def old(request, tmp_path):
    """A file as a version with that form left it: two releases, one deployment that ended and one that did not."""
    path = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(request.param.read_text("utf-8"))
    return path


def shape(path):
    """The tables of a file: columns, keys, indexes, references, checks; and its triggers."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.NullPool)
    inspector = sqlalchemy.inspect(engine)
    found = {}
    for name in inspector.get_table_names():
        found[name] = (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)],
            inspector.get_pk_constraint(name),
            sorted((u["name"], u["column_names"]) for u in inspector.get_unique_constraints(name)),
            sorted((i["name"], i["column_names"], i["unique"]) for i in inspector.get_indexes(name)),
            [(f["name"], f["constrained_columns"], f["referred_table"]) for f in inspector.get_foreign_keys(name)],
            sorted((c["name"], c["sqltext"]) for c in inspector.get_check_constraints(name)),
        )
    with contextlib.closing(sqlite3.connect(path)) as db:
        triggers = db.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1")
        return found, triggers.fetchall()


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        wanted = {
            "releases": "project, number, seq, created_at, body, sha256",
            "deployments": """id, seq, project, release, environment, mode, state, started_at, finished_at, "by",
                controller, error""",
            "outcomes": "*",
            "events": "*",
        }
        return {
            name: db.execute(f"SELECT {columns} FROM {name} ORDER BY 1, 2, 3").fetchall()
            for name, columns in wanted.items()
        }


def test_there_is_a_file_of_each_form_before_the_newest():
    assert [int(path.stem.partition("-")[2]) for path in FORMS][: SCHEMA - 1] == list(range(1, SCHEMA))


def test_opened_it_has_the_newest_form_and_nothing_in_it_has_changed(old, tmp_path):
    before = rows(old)
    with Store(f"sqlite:///{old}") as store:
        assert store.verify().ok
        assert store.verify().events == len(before["events"])
    assert rows(old) == before
    with Store(f"sqlite:///{tmp_path}/new.db") as store:
        store.events()
    assert shape(old) == shape(tmp_path / "new.db")


def test_opened_it_reads_as_it_was_written_and_takes_new_records(old):
    with Store(f"sqlite:///{old}") as store:
        assert [release.number for release in store.releases("shop")] == ["0.0.2", "0.0.1"]
        ended, running = store.deployment("d1"), store.deployment("d2")
        assert (ended.state, running.state) == (State.SUCCEEDED, State.RUNNING)
        assert [outcome.target for outcome in ended.outcomes] == ["h01", "h02"]
        assert ended.outcomes[0].outputs == Pairs({"ip": "10.0.0.1"})
        old_release = store.release("shop", "0.0.1")
        store.create_release("shop", "0.0.i", lambda number: attrs.evolve(old_release, number=number))
        store.give_back(store.lease("shop", "Dev"))
        assert store.verify().ok


def test_an_upgrade_that_breaks_off_leaves_the_file_as_it_was(old, monkeypatch):
    before = shape(old), rows(old)

    def fail(*_arguments, **_options):
        raise sqlite3.OperationalError("the disk went away")

    monkeypatch.setattr(upgrading, "update", fail)
    with Store(f"sqlite:///{old}") as store, pytest.raises(RecordError, match="the disk went away"):
        store.events()
    assert (shape(old), rows(old)) == before
    monkeypatch.undo()
    with Store(f"sqlite:///{old}") as store:
        assert store.verify().ok


@pytest.mark.parametrize("noted", ["0009", "0000", None])
def test_a_file_whose_two_notes_of_its_form_differ_is_refused_and_stays_as_it_was(old, noted):
    with contextlib.closing(sqlite3.connect(old)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
        db.execute("DELETE FROM alembic_version")
        db.executemany("INSERT INTO alembic_version VALUES (?)", [[noted]] if noted else [])
        db.commit()
    before = shape(old), rows(old)
    says = f"of form {noted or 'none'} by alembic_version, .*; put a backup in its place"
    with Store(f"sqlite:///{old}") as store, pytest.raises(RecordError, match=says):
        store.events()
    assert (shape(old), rows(old)) == before


def test_of_many_that_open_it_at_once_one_does_it_and_none_sees_an_error(old):
    stores = [Store(f"sqlite:///{old}") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert {found.ok for found in pool.map(Store.verify, stores)} == {True}
    for store in stores:
        store.close()


def test_references_count_again_after_an_upgrade(old):
    with Store(f"sqlite:///{old}") as store:
        store.events()
        with store._opened().transaction(write=False) as connection:
            assert connection.driver.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert connection.driver.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.slow
def test_alembic_enters_only_where_there_is_something_to_upgrade(tmp_path):
    code = (
        "import sys; from octossh.recording import Store; s = Store(sys.argv[1]); s.events(); s.close();"
        "assert 'alembic' not in sys.modules and 'psycopg' not in sys.modules"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path}/a.db"], check=True)
