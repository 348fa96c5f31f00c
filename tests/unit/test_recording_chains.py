"""The audit chain: what is edited behind the store's back is found, whatever it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
from datetime import UTC, datetime

import pytest

from octossh.errors import RecordError
from octossh.model import Deployment, Event, Mode, Outcome, Process, Release, RunScript, State
from octossh.model.serialising import to_dict
from octossh.planning import Tidy
from octossh.recording import Store, tables
from octossh.recording.rows import canonical, sha256
from octossh.recording.statements import COLUMNS

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


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


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    file = tmp_path_factory.mktemp("made") / "octossh.db"
    with Store(f"sqlite:///{file}") as store:
        for _ in range(2):
            store.create_release("shop", "0.0.i", release)
        store.start(deployment("d1"))
        store.record(event("d1"), outcome())
        ended = [outcome(), outcome("h02")]
        store.finish(deployment("d1", state=State.SUCCEEDED, finished_at=NOW, outcomes=tuple(ended)))
        store.start(deployment("d2"))
        store.record(event("d2"), outcome())
        store.record(event("d2", "h02"), outcome("h02"))
        assert store.verify().ok
    return file


@pytest.fixture
def path(made, tmp_path):
    """Events: 1 and 2 releases, 3 to 5 the finished d1, 6 to 8 the running d2."""
    return shutil.copy(made, tmp_path)


def edit(path, statement, *values):
    """Change the file as somebody would who knows how: without triggers and checks."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("PRAGMA ignore_check_constraints = ON")
        changed = db.execute(statement, values).rowcount
        db.commit()
    assert changed == 1


def verify(path):
    with Store(f"sqlite:///{path}") as store:
        return store.verify()


def test_an_untouched_store_is_whole(path):
    found = verify(path)
    assert (found.ok, found.events, found.broken, found.reason) == (True, 8, None, "")
    assert str(found) == "8 events, nothing was changed"
    assert found.to_dict() == {"events": 8, "broken": None, "reason": "", "head": found.head}


def test_an_empty_store_is_whole(tmp_path):
    found = verify(tmp_path / "new.db")
    assert (found.ok, found.events, found.head) == (True, 0, "0" * 64)


def test_the_columns_that_are_read_are_those_that_the_tables_have():
    made = {table.name: tuple(column.name for column in table.columns) for table in tables.metadata.sorted_tables}
    del made["alembic_version"]
    assert made == COLUMNS


def test_columns_that_this_version_does_not_know_are_neither_hashed_nor_in_the_way(store_url):
    with Store(store_url) as store:
        store.create_release("shop", "0.0.i", release)
        store.start(deployment("d1"))
        store.finish(deployment("d1", state=State.SUCCEEDED, finished_at=NOW, outcomes=(outcome(),)))
        lease = store.lease("shop", "Dev")
        store.start(deployment("d2"), lease=lease)
        before, events = store.deployment("d1"), tuple(store.audit())
        with store._transaction(write=True) as transaction:
            for table in COLUMNS:
                transaction.connection.run(f"ALTER TABLE {table} ADD COLUMN later TEXT DEFAULT 'told'")
        assert store.verify().ok
        assert (store.deployment("d1"), tuple(store.audit())) == (before, events)
        assert store.leases() == (lease,)
        assert store.tidy([Tidy(project="shop", what="logs", name="d1", why="old")])
        store.finish(deployment("d2", state=State.FAILED, finished_at=NOW), lease=lease)
        assert store.verify().ok


EDITED = {
    "events": ("version", "type", "at", "step", "target", "data", "subject_sha256", "prev_hash", "hash"),
    "releases": ("project", "number", "body", "sha256"),
    "deployments": ("project", "release", "environment", "mode", "state", "started_at", "finished_at", "by"),
    "outcomes": ("step", "target", "state", "action", "changed", "why", "exit_code", "script", "log", "inspect"),
}
KEYS = {"events": "seq = 4", "releases": "seq = 1", "outcomes": "target = 'h02' AND deployment = "}


@pytest.mark.parametrize(("table", "column"), [(table, column) for table, names in EDITED.items() for column in names])
@pytest.mark.parametrize("of", [pytest.param("d1", marks=pytest.mark.slow), "d2"])
def test_an_edit_of_any_column_is_found(path, table, column, of):
    where = {**KEYS, "outcomes": f"target = 'h02' AND deployment = '{of}'", "deployments": f"id = '{of}'"}[table]
    edit(path, f'UPDATE {table} SET "{column}" = ? WHERE {where}', 7)
    found = verify(path)
    expected = {
        "events": 4,
        "releases": 1,
        "deployments": {"d1": 5, "d2": 6}[of],
        "outcomes": {"d1": 5, "d2": 6 if column in {"step", "target"} else 8}[of],
    }
    assert not found.ok
    # An open deployment that says it has ended has no end in the chain, so it is its start that does not fit.
    assert found.broken == expected[table]
    assert found.reason
    assert str(found).startswith(f"event {found.broken} of 8: ")


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("DELETE FROM events WHERE seq = 1", 2),
        ("DELETE FROM events WHERE seq = 4", 5),
        ("DELETE FROM events WHERE seq = 8", 6),
        ("UPDATE events SET seq = 9 WHERE seq = 8", 9),
        ("UPDATE events SET deployment = 'd2' WHERE seq = 4", 4),
        ("UPDATE events SET deployment = NULL WHERE seq = 4", 4),
        ("DELETE FROM releases WHERE seq = 2", 2),
        ("UPDATE releases SET seq = 9 WHERE seq = 2", 2),
        ("DELETE FROM deployments WHERE id = 'd1'", 3),
        ("UPDATE deployments SET seq = 9 WHERE id = 'd1'", 3),
        ("DELETE FROM outcomes WHERE deployment = 'd1' AND target = 'h01'", 5),
        ("DELETE FROM outcomes WHERE deployment = 'd2' AND target = 'h01'", 7),
        ("UPDATE outcomes SET position = 9 WHERE deployment = 'd1' AND target = 'h01'", 5),
        ("UPDATE outcomes SET deployment = 'd2', target = 'h03' WHERE deployment = 'd1' AND target = 'h01'", 5),
        ("INSERT INTO releases SELECT project, '0.0.9', 9, created_at, body, sha256 FROM releases WHERE seq = 1", 9),
        (
            """INSERT INTO deployments SELECT 'd3', 9, project, release, environment, mode, state, started_at,
            finished_at, "by", controller, error, NULL, NULL FROM deployments WHERE id = 'd1'""",
            9,
        ),
    ],
)
def test_rows_that_are_taken_out_moved_or_put_in_are_found(path, statement, broken):
    edit(path, statement)
    found = verify(path)
    assert (found.ok, found.broken) == (False, broken)


def test_what_is_gone_and_what_was_replaced_are_told_apart(path):
    edit(path, "DELETE FROM events WHERE seq = 4")
    assert verify(path).reason == "the events before it are gone: here should be event 4"
    edit(path, "UPDATE events SET prev_hash = 'x' WHERE seq = 3")
    assert verify(path).reason == "it does not follow the event before it, so one of the two was replaced"


def test_a_release_with_a_hash_made_anew_is_not_the_one_that_its_event_recorded(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        (body,) = db.execute("SELECT body FROM releases WHERE seq = 1").fetchone()
    body = body.replace("echo hello", "echo hullo")
    edit(
        path, "UPDATE releases SET body = ?, sha256 = ? WHERE seq = 1", body, hashlib.sha256(body.encode()).hexdigest()
    )
    found = verify(path)
    assert (found.ok, found.broken) == (False, 1)


def test_an_edit_with_a_hash_made_anew_breaks_the_next_link(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM events WHERE seq = 4").fetchone())
    row["data"] = "{}"
    made = json.dumps({k: v for k, v in row.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
    edit(path, "UPDATE events SET data = '{}', hash = ? WHERE seq = 4", hashlib.sha256(made.encode()).hexdigest())
    found = verify(path)
    assert (found.ok, found.broken) == (False, 5), found


def test_the_head_moves_with_each_event_so_that_a_cut_shows_to_those_who_kept_it(path):
    before = verify(path)
    with Store(f"sqlite:///{path}") as store:
        store.record(Event(type="output", at=NOW, deployment="d2"))
        longer = store.verify()
    assert longer.head != before.head
    edit(path, "DELETE FROM events WHERE seq = 9")
    assert verify(path) == before


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE events SET data = '{}'", "events"),
        ("DELETE FROM events", "events"),
        ("INSERT OR REPLACE INTO events SELECT * FROM events WHERE seq = 1", "events"),
        ("UPDATE releases SET body = '{}'", "releases"),
        ("DELETE FROM releases", "releases"),
        ("DELETE FROM deployments", "deployments"),
    ],
)
def test_a_careless_hand_is_stopped_by_the_file_itself(path, statement, table):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(sqlite3.IntegrityError, match=f"{table}: what is recorded stays as it is"):
            db.execute(statement)


def test_a_second_event_after_the_same_one_cannot_be_stored(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        columns = "9, version, type, at, deployment, step, target, data, '', prev_hash, 'h'"
        values = db.execute(f"SELECT {columns} FROM events")
        with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: events\.prev_hash"):
            db.execute(f"INSERT INTO events VALUES ({','.join('?' * 11)})", values.fetchone())


@pytest.mark.parametrize("body", ["{}", "[]", "no json", '{"project":"shop","number":"0.0.1"}'])
@pytest.mark.parametrize("hashed", [True, False], ids=["hash made anew", "old hash"])
def test_a_release_that_was_changed_is_not_given_out(path, body, hashed):
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    edit(path, "UPDATE releases SET body = ?, sha256 = iif(?, ?, sha256) WHERE number = '0.0.1'", body, hashed, sha256)
    with Store(f"sqlite:///{path}") as store:
        looks = (
            lambda: store.release("shop", "0.0.1"),
            lambda: store.releases("shop"),
            lambda: store.pins("shop", {"0.0.1"}),
        )
        for look in looks:
            with pytest.raises(RecordError, match=r"release '0\.0\.1' of 'shop' cannot be used: .* audit verify"):
                look()
        assert store.release("shop", "0.0.2").number == "0.0.2"


def test_a_release_whose_text_still_reads_well_but_is_another_is_not_given_out(path):
    edit(path, "UPDATE releases SET body = replace(body, 'echo hello', 'echo hullo') WHERE number = '0.0.1'")
    with (
        Store(f"sqlite:///{path}") as store,
        pytest.raises(RecordError, match="cannot be used: its text is not what was recorded"),
    ):
        store.release("shop", "0.0.1")


def test_a_release_that_stands_under_another_number_is_not_given_out(path):
    edit(path, "UPDATE releases SET number = '0.0.3' WHERE number = '0.0.1'")
    with (
        Store(f"sqlite:///{path}") as store,
        pytest.raises(RecordError, match="cannot be used: it was recorded under another name"),
    ):
        store.release("shop", "0.0.3")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deployments SET mode = 'other' WHERE id = 'd1'",
        "UPDATE deployments SET started_at = 'yesterday' WHERE id = 'd1'",
        "UPDATE deployments SET state = 7 WHERE id = 'd1'",
        "UPDATE deployments SET said = '{\"a\":1}' WHERE id = 'd1'",
        "UPDATE outcomes SET inspect = '{' WHERE deployment = 'd1' AND target = 'h01'",
        "UPDATE outcomes SET outputs = 7 WHERE deployment = 'd1' AND target = 'h01'",
    ],
)
def test_a_deployment_that_cannot_be_read_any_more_is_a_record_error(path, statement):
    edit(path, statement)
    with Store(f"sqlite:///{path}") as store:
        with pytest.raises(RecordError, match="deployment 'd1' cannot be read, so it was changed"):
            store.deployment("d1")
        with pytest.raises(RecordError, match="deployment 'd1' cannot be read"):
            store.deployments()
        assert store.deployment("d2").outcomes


def test_a_deployment_that_cannot_be_read_any_more_is_not_tidied_up(path):
    edit(path, "UPDATE outcomes SET changed = 2 WHERE deployment = 'd1' AND target = 'h01'")
    with Store(f"sqlite:///{path}") as store:
        for what in ("steps", "logs"):
            with pytest.raises(RecordError, match=r"deployment 'd1' cannot be read, so it was changed"):
                store.tidy([Tidy(project="shop", what=what, name="d1", why="old")])
        assert len(store.events()) == 8


def test_a_release_without_pins_in_its_text_pins_nothing(path):
    with Store(f"sqlite:///{path}") as store:
        body = to_dict(store.release("shop", "0.0.1"))
    del body["pins"]
    text = canonical(body)
    edit(path, "UPDATE releases SET body = ?, sha256 = ? WHERE number = '0.0.1'", text, sha256(text))
    with Store(f"sqlite:///{path}") as store:
        assert store.release("shop", "0.0.1").pins == store.pins("shop", {"0.0.1"}) == ()


def test_an_event_that_cannot_be_read_any_more_is_a_record_error(path):
    edit(path, "UPDATE events SET data = '{' WHERE seq = 4")
    with Store(f"sqlite:///{path}") as store:
        with pytest.raises(RecordError, match="event 4 cannot be read"):
            list(store.audit())
        with pytest.raises(RecordError, match="event 4 cannot be read"):
            store.events()
