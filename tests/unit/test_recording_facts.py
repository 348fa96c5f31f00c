"""Facts: what holds until somebody changes it, and who did."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from attrs import frozen

from octossh.errors import ModelError, RecordError, Refused
from octossh.model import Described, Event
from octossh.recording import Store, whoami


@frozen
class Freeze(Described):
    """Such as the model has them."""

    environment: str
    days: int = 1


@pytest.fixture
def store(store_url):
    with Store(store_url) as made:
        yield made


def told(store):
    return [(e.type, {name: e.data[name] for name in e.data if name != "actor"}) for e in store.events()]


def test_what_is_kept_comes_back_sorted_by_key_and_apart_by_kind(store):
    for key in ("b", "a", "é 1"):
        assert store.keep("freeze", key, Freeze("Dev"))
    store.keep("other", "c", Freeze("Test"))
    assert list(store.kept("freeze", Freeze).items()) == [(key, Freeze("Dev")) for key in ("a", "b", "é 1")]
    assert store.kept_one("other", "c", Freeze) == Freeze("Test")
    assert store.kept_one("freeze", "c", Freeze) is None
    assert store.kept("nothing", Freeze) == {}
    assert store.verify().ok


def test_each_change_is_an_event_with_what_was_there_before_and_after_and_why(store):
    store.keep("freeze", "xmas", Freeze("Dev"), why="nobody is there")
    assert store.keep("freeze", "xmas", Freeze("Dev", 2))
    store.drop("freeze", "xmas", why="over")
    same = {"kind": "freeze", "key": "xmas", "by": whoami()}
    one, two = ({"environment": "Dev", "days": days} for days in (1, 2))
    assert told(store) == [
        ("fact_kept", {**same, "before": None, "after": one, "why": "nobody is there"}),
        ("fact_kept", {**same, "before": one, "after": two, "why": ""}),
        ("fact_dropped", {**same, "before": two, "after": None, "why": "over"}),
    ]
    assert store.kept("freeze", Freeze) == {}
    assert store.verify().ok


def test_keeping_the_same_again_changes_nothing_and_is_no_event(store):
    store.keep("freeze", "xmas", Freeze("Dev"))
    assert not store.keep("freeze", "xmas", Freeze("Dev"), why="again")
    assert len(store.events()) == 1


def test_what_is_not_told_stands_in_no_event(store):
    store.keep("value", "DB", Freeze("quiet"), told=False)
    store.keep("value", "DB", Freeze("still"), told=False)
    store.drop("value", "DB", told=False)
    assert "quiet" not in repr(told(store))
    assert "still" not in repr(told(store))
    (_, first), (_, second), (_, third) = told(store)
    assert first["after"] == second["before"] != second["after"] == third["before"]
    assert store.verify().ok


def test_a_change_that_expects_something_else_is_refused_and_says_who_was_there_first(store):
    store.keep("freeze", "xmas", Freeze("Dev"), expect=None)
    with pytest.raises(Refused, match=rf"freeze 'xmas' is there already \({whoami()}, 20.*Z\); look at it again"):
        store.keep("freeze", "xmas", Freeze("Test"), expect=None)
    with pytest.raises(Refused, match="freeze 'xmas' is another by now"):
        store.keep("freeze", "xmas", Freeze("Test"), expect=Freeze("Dev", 7))
    with pytest.raises(Refused, match="is another by now"):
        store.drop("freeze", "xmas", expect=Freeze("Dev", 7))
    with pytest.raises(Refused, match="freeze 'new' is gone"):
        store.keep("freeze", "new", Freeze("Test"), expect=Freeze("Dev"))
    assert store.keep("freeze", "xmas", Freeze("Test"), expect=Freeze("Dev"))
    store.drop("freeze", "xmas", expect=Freeze("Test"))
    assert len(store.events()) == 3


def test_what_is_not_there_cannot_be_dropped(store):
    store.keep("freeze", "xmas", Freeze("Dev"))
    with pytest.raises(ModelError, match=r"there is no freeze 'xmass' in .*; did you mean 'xmas'"):
        store.drop("freeze", "xmass")


@pytest.mark.parametrize(("kind", "key"), [("", "a"), ("Freeze", "a"), ("a b", "a"), ("freeze", "")])
def test_a_fact_without_a_kind_or_a_name_is_refused(store, kind, key):
    with pytest.raises(ModelError, match=r"is no kind of fact|has no name"):
        store.keep(kind, key, Freeze("Dev"))
    assert store.events() == ()


def test_the_stores_own_events_cannot_be_recorded_by_others(store):
    store.keep("freeze", "xmas", Freeze("Dev"))
    event = store.events()[0]
    with pytest.raises(ModelError, match="'fact_dropped' is the store's own"):
        store.record(Event(type="fact_dropped", at=event.at, deployment="", data=event.data))


@pytest.fixture
def path(tmp_path):
    """Events: 1 and 2 keep a and b, 3 keeps c, 4 drops it."""
    file = tmp_path / "octossh.db"
    with Store(f"sqlite:///{file}") as store:
        for key in ("a", "b", "c"):
            store.keep("freeze", key, Freeze("Dev"))
        store.drop("freeze", "c")
        assert store.verify().ok
    return file


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE facts SET kind = 'other' WHERE key = 'b'", 2),
        ("UPDATE facts SET key = 'd' WHERE key = 'b'", 2),
        ("UPDATE facts SET seq = 9 WHERE key = 'b'", 2),
        ("UPDATE facts SET body = '{}' WHERE key = 'b'", 2),
        ("UPDATE facts SET sha256 = 'x' WHERE key = 'b'", 2),
        ("UPDATE facts SET body = 7 WHERE key = 'b'", 2),
        ("DELETE FROM facts WHERE key = 'a'", 1),
        ("INSERT INTO facts SELECT kind, 'c', 3, body, sha256 FROM facts WHERE key = 'a'", 3),
        ("INSERT INTO facts SELECT kind, 'x', 9, body, sha256 FROM facts WHERE key = 'a'", 9),
    ],
)
def test_facts_that_are_edited_taken_out_or_put_in_are_found(path, statement, broken):
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute(statement).rowcount == 1
        db.commit()
    with Store(f"sqlite:///{path}") as store:
        found = store.verify()
    assert (found.ok, found.broken) == (False, broken), found


@pytest.mark.parametrize("body", ["{}", "[", '{"environment":"Prod","days":1}'])
def test_a_fact_that_was_edited_is_not_given_out(path, body):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE facts SET body = ? WHERE key = 'b'", [body])
        db.commit()
    with Store(f"sqlite:///{path}") as store:
        with pytest.raises(RecordError, match="freeze 'b' cannot be used: its text is not what was recorded; drop it"):
            store.kept("freeze", Freeze)
        assert store.kept_one("freeze", "a", Freeze) == Freeze("Dev")


def test_a_fact_of_another_form_says_what_is_wrong(path):
    @frozen
    class Other:
        hours: int

    with Store(f"sqlite:///{path}") as store, pytest.raises(RecordError, match=r"freeze 'a' cannot be used: .*hours"):
        store.kept_one("freeze", "a", Other)
