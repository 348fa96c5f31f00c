"""A store in PostgreSQL: what is edited by psql is found, what goes wrong with the server is told, and how."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from clusters import cluster

from octossh.errors import ModelError, RecordError
from octossh.model import Deployment, Event, Mode, Outcome, Process, Release, RunScript, State
from octossh.planning import Tidy
from octossh.recording import Store, connecting, tables
from octossh.recording.aside import Unwritable
from octossh.recording.postgresql import _LOCK

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(type="output", at=NOW, deployment="")


def release(number):
    process = Process([RunScript("hello", script="echo hello")])
    return Release(project="shop", number=number, channel="stable", process=process, created_at=NOW)


def outcome(target="h01", log="fine"):
    return Outcome(step="hello", target=target, state=State.SUCCEEDED, log=log)


def event(of, target="h01"):
    return Event(type="step_finished", at=NOW, deployment=of, step="hello", target=target, data={"line": 1})


def deployment(id_, **changes):
    values = {"project": "shop", "release": "0.0.1", "environment": "Dev", "mode": Mode.DEPLOY, "state": State.RUNNING}
    return Deployment(id=id_, started_at=NOW, controller="elsewhere 1 1", **{**values, **changes})


@pytest.fixture
def filled(postgresql):
    """Events: 1 and 2 releases, 3 to 5 the finished d1, 6 and 7 the running d2, 8 a fact."""
    url = postgresql.place()
    with Store(url) as store:
        for _ in range(2):
            store.create_release("shop", "0.0.i", release)
        store.start(deployment("d1"))
        store.record(event("d1"), outcome())
        store.finish(deployment("d1", state=State.SUCCEEDED, finished_at=NOW, outcomes=(outcome(), outcome("h02"))))
        store.start(deployment("d2"))
        store.record(event("d2"), outcome())
        store.keep("freeze", "xmas", deployment("none"))
        assert store.verify().ok
    return url


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE events SET data = '{}' WHERE seq = 4", 4),
        ("UPDATE events SET at = 'x' WHERE seq = 4", 4),
        ("UPDATE events SET seq = 99 WHERE seq = 8", 99),
        ("DELETE FROM events WHERE seq = 4", 5),
        ("UPDATE releases SET body = '{}' WHERE seq = 1", 1),
        ("UPDATE releases SET project = 'other' WHERE seq = 1", 1),
        ("DELETE FROM releases WHERE seq = 2", 2),
        ("UPDATE deployments SET state = 'failed' WHERE id = 'd1'", 5),
        ("UPDATE deployments SET \"by\" = 'eve' WHERE id = 'd2'", 6),
        ("DELETE FROM deployments WHERE id = 'd1'", 3),
        ("UPDATE outcomes SET log = 'x' WHERE deployment = 'd1' AND target = 'h02'", 5),
        ("UPDATE outcomes SET changed = NOT changed WHERE deployment = 'd2'", 7),
        ("DELETE FROM outcomes WHERE deployment = 'd2'", 7),
        ("UPDATE facts SET body = '{}'", 8),
        ("DELETE FROM facts", 8),
    ],
)
def test_what_is_edited_by_psql_is_found(postgresql, filled, statement, broken):
    postgresql.sql(statement, url=filled)
    with Store(filled) as store:
        found = store.verify()
    assert (found.ok, found.broken) == (False, broken), found


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE events SET data = '{}'", "events"),
        ("DELETE FROM events", "events"),
        ("TRUNCATE events", "events"),
        ("UPDATE releases SET body = '{}'", "releases"),
        ("DELETE FROM releases", "releases"),
        ("DELETE FROM deployments", "deployments"),
    ],
)
def test_a_careless_hand_is_stopped_by_the_database_itself(filled, statement, table):
    with psycopg.connect(filled) as connection:
        with pytest.raises(psycopg.errors.IntegrityError, match=f"{table}: what is recorded stays as it is"):
            connection.execute(statement)


def test_what_is_tidied_up_leaves_the_chain_whole_and_the_database_guarded(filled):
    with Store(filled) as store:
        items = [
            Tidy(project="shop", what=what, name=name, why="old")
            for what, name in (("release", "0.0.2"), ("logs", "d1"), ("steps", "d1"))
        ]
        assert len(store.tidy(items)) == 3
        assert store.deployment("d1").outcomes == ()
        assert [r.number for r in store.releases("shop")] == ["0.0.1"]
        assert store.verify().ok, store.verify()
    with psycopg.connect(filled) as connection, pytest.raises(psycopg.errors.IntegrityError, match="stays as it is"):
        connection.execute("UPDATE releases SET body = '{}'")


def test_both_databases_give_the_same_records_the_same_hashes(filled, tmp_path):
    """So that what is moved from one to the other stays verifiable."""
    with Store(filled) as one, Store(f"sqlite:///{tmp_path}/a.db") as other:
        other.events()
        with one._transaction() as read, other._transaction(write=True) as write:
            for table in tables.metadata.sorted_tables:
                if table.name not in {"meta", "alembic_version"}:
                    for row in read.connection.rows(f"SELECT * FROM {table.name}"):
                        write.insert(table, row)
        assert one.verify() == other.verify()
        assert other.verify().ok
        assert one.deployments() == other.deployments()


def test_the_tables_are_made_once_also_when_many_come_at_once(postgresql):
    url = postgresql.place()
    stores = [Store(url) for _ in range(8)]

    def work(store):
        for _ in range(5):
            store.create_release("shop", "0.0.i", release)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, stores))
    with stores[0] as store:
        assert {r.number for r in store.releases("shop")} == {f"0.0.{n}" for n in range(1, 41)}
        assert (store.verify().ok, store.verify().events) == (True, 40)
    for store in stores:
        store.close()


def test_writers_wait_for_each_other_whatever_the_isolation_that_the_server_begins_with(postgresql):
    url = postgresql.place() + "%20-cdefault_transaction_isolation%3Dserializable"
    stores = [Store(url) for _ in range(4)]

    def work(store):
        for _ in range(10):
            store.record(EVENT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, stores))
    with stores[0] as store:
        assert (store.verify().ok, store.verify().events) == (True, 40)
    for store in stores:
        store.close()


def test_a_password_is_shown_nowhere(postgresql):
    url = postgresql.url().replace("octossh@", "octossh:hunter2@") + "&sslpassword=hunter3"
    with Store(url) as store:
        store.events()
        shown = f"{store!r} {store._opened().where}"
    with Store(url.replace("/postgres?", "/nothing?")) as store, pytest.raises(RecordError) as raised:
        store.events()
    assert "hunter" not in shown + str(raised.value)
    assert "it cannot be reached: connection failed" in str(raised.value)
    assert 'database "nothing" does not exist' in str(raised.value)


def test_an_option_that_libpq_does_not_know_is_a_model_error(postgresql):
    with Store(postgresql.url() + "&pasword=hunter2") as store, pytest.raises(ModelError) as raised:
        store.events()
    assert "the URL of the store postgresql://octossh@" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_database_of_something_else_is_refused(postgresql):
    url = postgresql.place()
    postgresql.sql("CREATE TABLE meta (name text, value text)", url=url)
    with Store(url) as store, pytest.raises(RecordError, match="it is a database of something else than octossh"):
        store.events()


def test_a_lock_of_another_process_is_waited_for_and_then_named(filled, monkeypatch):
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_S", 0.2)
    monkeypatch.setattr("octossh.recording.postgresql.BUSY_TIMEOUT_S", 0.2)
    with psycopg.connect(filled) as other, Store(filled) as store:
        other.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        assert store.events()
        with pytest.raises(Unwritable, match="it has been locked by another process"):
            store.record(EVENT)
        with (
            Store(f"{filled}%20-cstatement_timeout%3D100") as hasty,
            pytest.raises(Unwritable, match="statement_timeout"),
        ):
            hasty.record(EVENT)
        other.rollback()
        store.record(EVENT)


def test_a_pooler_that_gives_each_transaction_another_session_lets_nobody_wait_for_ever(filled, monkeypatch):
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_S", 0.2)
    monkeypatch.setattr("octossh.recording.postgresql.BUSY_TIMEOUT_S", 0.2)
    with psycopg.connect(filled) as other, Store(f"{filled}%20-cstatement_timeout%3D5000") as store:
        assert store.events()
        with store._database._base._engine.connect() as session:
            session.exec_driver_sql("RESET lock_timeout")
            session.commit()
        other.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        with pytest.raises(Unwritable, match="it has been locked by another process"):
            store.record(EVENT)
        other.rollback()
        store.record(EVENT)


def test_a_user_who_may_only_read_is_told_so(postgresql, filled):
    schema = filled.rpartition("%3D")[2]
    postgresql.sql(
        f"CREATE ROLE reader{schema} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO reader{schema}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader{schema}",
    )
    with Store(filled.replace("octossh@", f"reader{schema}@")) as store:
        assert store.verify().ok
        with pytest.raises(RecordError, match="this user may not do that; see GRANT"):
            store.record(EVENT)


def test_a_read_only_database_says_so(filled):
    url = filled.replace("&options=", "&options=-cdefault_transaction_read_only%3Don%20")
    with Store(url) as store:
        assert store.events()
        with pytest.raises(RecordError, match="the database is read-only"):
            store.record(EVENT)


def test_a_server_that_was_killed_is_named_and_one_that_is_back_is_used_again():
    with cluster() as server:
        url = server.place()
        with Store(url) as store:
            store.record(EVENT)
            server.kill()
            for act in (lambda: store.record(EVENT), store.events):
                with pytest.raises(Unwritable, match=r"the link to the server was lost|it cannot be reached"):
                    act()
            server.start_again()
            store.record(EVENT)
            assert (store.verify().ok, store.verify().events) == (True, 2)


def test_the_record_is_json_that_other_tools_can_read(filled):
    with psycopg.connect(filled) as connection:
        data = connection.execute("SELECT data FROM events WHERE type = 'fact_kept'").fetchone()[0]
        assert json.loads(data)["kind"] == "freeze"


def test_what_is_tidied_up_is_told_by_the_chain_and_releases_stay_guarded(filled):
    items = [
        Tidy(project="shop", what="release", name="0.0.2", why="it is old"),
        Tidy(project="shop", what="logs", name="d1", why="it is old"),
        Tidy(project="shop", what="steps", name="d2", why="it runs"),
    ]
    with Store(filled) as store:
        assert store.details("shop") == {"d1": True, "d2": True}
        assert store.tidy(items, seen="d2") == tuple(items[:2])
        assert store.details("shop") == {"d1": True, "d2": True} | {"d1": False}
        assert [made.number for made in store.releases("shop")] == ["0.0.1"]
        assert store.verify().ok
    with psycopg.connect(filled) as connection:
        with pytest.raises(psycopg.errors.IntegrityError, match="what is recorded stays as it is"):
            connection.execute("UPDATE releases SET body = 'x'")
