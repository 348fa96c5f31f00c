"""A store that takes no records while a deployment is under way: what happens is kept aside, and taken in later."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from octossh.errors import RecordError
from octossh.model import Deployment, Event, Mode, Outcome, Pairs, State
from octossh.recording import Store, controller_here, handles
from octossh.recording.aside import Unwritable
from octossh.recording.connecting import Database

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)


def deployment(id_="d1", **changes):
    values = {"project": "shop", "release": "1", "environment": "Dev", "mode": Mode.DEPLOY, "state": State.RUNNING}
    return Deployment(id=id_, started_at=NOW, controller=controller_here(), **{**values, **changes})


def outcome(target="h01", **changes):
    values = {"log": "é\n\x1b[1m", "inspect": {"a": [1, None]}, "outputs": Pairs({"ip": "10.0.0.1", "raw": b"\xff"})}
    return Outcome(step="s", target=target, state=State.SUCCEEDED, started_at=NOW, **{**values, **changes})


def event(target="h01", type_="step_finished", **data):
    return Event(type=type_, at=NOW, deployment="d1", step="s", target=target, data=data)


ENDED = deployment(state=State.SUCCEEDED, finished_at=NOW, outcomes=(outcome(), outcome("h02")))


class Link:
    """What stands between a store and its database, and can be cut, also right behind a commit."""

    def __init__(self, monkeypatch):
        self.cut, self.behind, self.tries = False, False, 0
        passing = Database.transaction

        def transaction(database, *, write):
            self.tries += 1
            if self.cut:
                raise Unwritable("store x: the link to the server was lost; see that it runs")
            return (
                self._lost(passing(database, write=write)) if self.behind and write else passing(database, write=write)
            )

        monkeypatch.setattr(Database, "transaction", transaction)

    @contextlib.contextmanager
    def _lost(self, transaction):
        with transaction as connection:
            yield connection
        raise Unwritable("store x: the link to the server was lost; see that it runs")


@pytest.fixture
def link(monkeypatch):
    monkeypatch.setattr(handles, "_RETRY_S", 0.0)
    return Link(monkeypatch)


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    (tmp_path / "db").mkdir()
    return f"sqlite:///{tmp_path}/db/octossh.db"


def side_files(tmp_path):
    return sorted(tmp_path.rglob("*.aside-*"))


def test_a_deployment_goes_on_without_its_store_and_stands_there_in_the_end(url, link, tmp_path, caplog):
    with Store(url) as store:
        store.start(deployment())
        store.record(event(), outcome())
        link.cut = True
        store.record(event("h02"), outcome("h02"))
        (path,) = side_files(tmp_path)
        assert path.parent == tmp_path / "db"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (
            f"link to the server was lost; see that it runs. Until then, what happens is kept in {path}" in caplog.text
        )
        store.finish(ENDED)
        link.cut = False
    assert side_files(tmp_path) == []
    assert "2 records of" in caplog.text
    with Store(url) as store:
        assert attrs.asdict(store.deployment("d1")) == attrs.asdict(ENDED)
        assert [e.type for e in store.events()] == [
            "deployment_started", "step_finished", "step_finished", "deployment_finished", "side_file_taken_in",
        ]  # fmt: skip
        assert store.verify().ok


def test_late_records_say_who_acted_then_and_who_took_them_in(url, link, monkeypatch):
    monkeypatch.setenv("OCTOSSH_ACTOR", "ann")
    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        store.finish(ENDED)
        link.cut = False
        monkeypatch.setenv("OCTOSSH_ACTOR", "bob")
    with Store(url) as store:
        actors = [(e.type, e.data["actor"]["name"]) for e in store.events()]
    assert actors == [("deployment_started", "ann"), ("deployment_finished", "ann"), ("side_file_taken_in", "bob")]


def test_what_was_kept_aside_comes_first_once_the_store_is_back(url, link, tmp_path):
    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        store.record(event("h01", line=1), outcome("h01"))
        store.record(event("h02", line=2), outcome("h02"))
        link.cut = False
        store.record(event("h03", line=3), outcome("h03"))
        assert side_files(tmp_path) == []
        assert [e.data.get("line") for e in store.events()] == [None, 1, 2, None, 3]
        assert store.verify().ok


def test_after_a_failure_the_store_is_left_alone_for_a_while(url, link, monkeypatch):
    monkeypatch.setattr(handles, "_RETRY_S", 1000.0)
    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        store.record(event())
        tries = link.tries
        for _ in range(5):
            store.record(event())
        assert link.tries == tries


@pytest.mark.slow
def test_what_a_process_that_was_killed_kept_aside_is_taken_in_by_the_next(url, tmp_path, caplog):
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_recording_aside as t
from octossh.recording.connecting import Database
store = t.Store({url!r})
store.start(t.deployment())
def fail(*_arguments, **_options): raise t.Unwritable("store x: gone")
Database.transaction = fail
for target in ("h01", "h02", "h03"):
    store.record(t.event(target), t.outcome(target))
os.write(store._aside._file, b'{{"torn": "li')
os.kill(os.getpid(), 9)
"""
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert len(side_files(tmp_path)) == 1
    with Store(url) as store:
        assert [o.target for o in store.deployment("d1").outcomes] == ["h01", "h02", "h03"]
        assert store.deployment("d1").state is State.INTERRUPTED
        assert store.events()[-1].data["records"] == 3
        assert store.verify().ok
    assert side_files(tmp_path) == []
    assert "3 records of" in caplog.text


def test_a_side_file_that_is_being_written_is_left_to_its_writer(url, link, tmp_path):
    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        store.record(event(), outcome())
        link.cut = False
        with Store(url) as other:
            assert len(other.events()) == 1
        assert len(side_files(tmp_path)) == 1
        store.finish(ENDED)
        assert store.deployment("d1") == ENDED


def test_without_a_place_beside_the_store_the_folder_of_the_user_is_one(url, link, tmp_path, monkeypatch):
    real = os.open

    def full(path, *arguments):
        if str(path).startswith(f"{tmp_path}/db"):
            raise OSError(28, "No space left on device")
        return real(path, *arguments)

    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        monkeypatch.setattr("octossh.recording.aside.os.open", full)
        store.record(event(), outcome())
        (path,) = side_files(tmp_path)
        assert path.parent == tmp_path / "home" / ".local" / "state" / "octossh"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        link.cut = False
        store.finish(ENDED)
    assert side_files(tmp_path) == []


def test_without_any_place_it_is_an_error_that_says_both(url, link, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        monkeypatch.setattr("octossh.recording.aside.os.open", full)
        with pytest.raises(RecordError, match=r"was lost; .* and a side file could not be written either .No space"):
            store.record(event())


def test_nothing_starts_without_the_store_and_nothing_of_others_goes_aside(url, link, tmp_path):
    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        for act in (
            lambda: store.start(deployment("d2")),
            lambda: store.record(attrs.evolve(event(), deployment="")),
            lambda: store.record(attrs.evolve(event(), deployment="d9")),
            lambda: store.keep("freeze", "a", ENDED),
        ):
            with pytest.raises(Unwritable):
                act()
    assert side_files(tmp_path) == []


def test_what_the_store_refuses_does_not_go_aside(url, tmp_path):
    with Store(url) as store:
        store.start(deployment())
        with pytest.raises(RecordError, match="too large"):
            store.record(event(), outcome(exit_code=2**70))
    assert side_files(tmp_path) == []


def aside(url, link, targets=("h01", "h02", "h03")):
    """Leave a side file behind, as a process that was killed would."""
    store = Store(url)
    store.start(deployment())
    link.cut = True
    for target in targets:
        store.record(event(target), outcome(target))
    store._aside.close()
    store._opened().close()
    link.cut = False


def test_a_side_file_that_was_changed_is_taken_in_up_to_there_and_kept(url, link, tmp_path, caplog):
    aside(url, link)
    (path,) = side_files(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1].replace("succeeded", "failed"), lines[2]]))
    with Store(url) as store:
        # The hash of a line stands in the next one, so the line that was changed shows there.
        assert [o.target for o in store.deployment("d1").outcomes] == ["h01", "h02"]
        assert store.events()[-1].data["whole"] is False
        assert store.verify().ok
    assert [path.suffix for path in side_files(tmp_path)] == [".damaged"]
    assert "was changed by somebody; it is in" in caplog.text


def test_a_side_file_that_could_not_be_removed_is_not_taken_in_twice(url, link, tmp_path):
    aside(url, link)
    (path,) = side_files(tmp_path)
    content = path.read_bytes()
    for _ in range(2):
        path.write_bytes(content)
        with Store(url) as store:
            assert [e.type for e in store.events()].count("side_file_taken_in") == 1
    assert side_files(tmp_path) == []


def test_a_side_file_that_cannot_be_removed_stops_nothing_and_is_written_no_further(
    url, link, tmp_path, monkeypatch, caplog
):
    def stuck(path, **_):
        raise PermissionError(13, "Permission denied")

    with Store(url) as store:
        store.start(deployment())
        link.cut = True
        store.record(event(), outcome())
        link.cut = False
        monkeypatch.setattr(Path, "unlink", stuck)
        store.record(event("h02"), outcome("h02"))
        link.cut = True
        store.record(event("h03"), outcome("h03"))
        link.cut = False
    assert len(side_files(tmp_path)) == 2
    assert "could not be removed (Permission denied); it is not taken in again" in caplog.text
    with Store(url) as store:
        assert [e.target for e in store.events("d1") if e.target] == ["h01", "h02", "h03"]


def test_what_comes_after_somebody_else_has_ended_the_deployment_stands_beside_it(url, link):
    with Store(url) as store, Store(url) as other:
        lease = store.lease("shop", "Dev", holder="elsewhere 1 1")
        store.start(deployment(), lease=lease)
        link.cut = True
        store.record(event(), outcome())
        store.finish(ENDED)
        link.cut = False
        with other._transaction(write=True) as transaction:
            transaction.connection.run("UPDATE leases SET expires_at = '2020-01-01T00:00:00.000000+00:00'")
        new = other.lease("shop", "Dev")
        interrupted = deployment(state=State.INTERRUPTED, finished_at=NOW)
        other.finish(interrupted, lease=new)
        store.close()
        assert other.deployment("d1") == interrupted
        late = [e for e in other.events() if e.type == "late_record"]
        assert [e.data["entry"]["what"] for e in late] == ["record", "finish"]
        assert json.dumps(late[1].data["entry"]["deployment"]["outcomes"])
        assert other.verify().ok


def test_while_nobody_took_over_late_records_count_whatever_became_of_the_lease(url, link):
    with Store(url) as store:
        lease = store.lease("shop", "Dev", holder="elsewhere 1 1")
        store.start(deployment(), lease=lease)
        link.cut = True
        store.finish(ENDED)
        link.cut = False
        store.give_back(lease)
    with Store(url) as store:
        assert store.deployment("d1") == ENDED


def test_a_lease_that_could_not_be_given_back_ends_with_what_is_told_late_of_its_deployment(url, link):
    with Store(url) as store:
        lease = store.lease("shop", "Dev")
        other = store.lease("shop", "Test")
        ended = attrs.evolve(ENDED, started_at=lease.since, finished_at=datetime.now(UTC))
        store.start(attrs.evolve(deployment(), started_at=lease.since), lease=lease)
        link.cut = True
        store.finish(ended)
        link.cut = False
    with Store(url) as store:  # in the same process, which goes on living
        assert [one.environment for one in store.leases()] == [other.environment]
        assert store.lease("shop", "Dev").token == lease.token + 1


@pytest.mark.parametrize("option", ["options=-csearch_path%3Dmail", "port=5433", "host=db2"])
def test_stores_of_one_server_that_are_shown_alike_take_in_no_side_file_of_each_other(url, option):
    here = "postgresql://ann@/a?host=db&options=-csearch_path%3Dshop"
    kept, other, again = Store(here), Store(f"{here}&{option}"), Store(f"{here}&password=hunter2")
    kept._aside.write({"what": "record"})
    kept._aside.close()
    assert list(other._aside.left()) == []
    assert [file.entries for file in again._aside.left()] == [({"what": "record"},)]


def test_a_link_that_is_lost_while_the_server_commits_records_nothing_twice(url, link, tmp_path):
    with Store(url) as store:
        store.start(deployment())
        link.behind = True
        store.record(event(type_="step_started"))
        link.behind = False
        store.record(event(), outcome())
        store.record(event("h02"), outcome("h02"))
        link.behind = True
        store.finish(ENDED)
        link.behind = False
        assert len(side_files(tmp_path)) == 1
    with Store(url) as store:
        told = [one.type for one in store.events("d1")]
        assert told == ["deployment_started", "step_started", "step_finished", "step_finished", "deployment_finished"]
        assert "late_record" not in {one.type for one in store.events()}
        assert store.deployment("d1") == ENDED
        assert store.verify().ok
