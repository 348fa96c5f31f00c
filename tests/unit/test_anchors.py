"""Anchors: what hosts keep of the audit chain shows a store that was rolled back or rewritten. The host is this machine."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import octossh as oc
from octossh.cli import main
from octossh.model import Anchor, Mismatch, Witnesses
from octossh.rendering import anchor_place

PLACE = anchor_place("shop", "Dev")


@pytest.fixture
def home(in_tmp, monkeypatch):
    made = in_tmp / "home"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return made


def space(**more):
    hello = oc.RunScript("hello", script="true")
    more.setdefault("transport", oc.Local())
    target = oc.Target("here", "localhost", environments=["Dev"])
    return oc.Space(projects=[oc.Project("shop", process=[hello])], targets=[target], **more)


def deployed(made, count=1):
    for _ in range(count):
        made.deploy(made.create_release(), "Dev")


def lines(home):
    return (home / ".local/state/octossh/anchors" / PLACE).read_text().splitlines()


def test_a_deployment_leaves_the_newest_event_on_each_host_that_it_changed(home):
    with space() as made:
        deployed(made, 2)
        said = made.ask_hosts()
        seq, digest = made.store.head()
        assert (said.ok, said.compared, said.events) == (True, 2, seq)
        assert lines(home)[1].startswith(f"{seq} {digest} {made.deployment().id} 20")
        assert (home / ".local/state/octossh/anchors" / PLACE).stat().st_mode & 0o777 == 0o600
        assert len(list((home / ".local/state/octossh/anchors").iterdir())) == 1
        made.create_release()
        assert made.ask_hosts().ok, "what came since is no contradiction"


def test_the_last_two_hundred_stay(home):
    folder = home / ".local/state/octossh/anchors"
    folder.mkdir(parents=True)
    (folder / PLACE).write_text("".join(f"{n} {'0' * 64} old 2026-01-01T00:00:00+00:00\n" for n in range(1, 301)))
    with space() as made:
        deployed(made)
    assert len(lines(home)) == 200
    assert lines(home)[0].startswith("102 ")


def test_a_store_that_was_put_back_to_an_older_copy_is_found_out(home, in_tmp):
    with space() as made:
        deployed(made)
    shutil.copy("octossh.db", "copy.db")
    with space() as made:
        deployed(made)
    shutil.move("copy.db", "octossh.db")
    for path in in_tmp.glob("octossh.db-*"):
        path.unlink()
    with space() as made:
        assert made.verify().ok, "the chain itself cannot show it"
        said = made.ask_hosts()
        assert not said.ok
        assert [(m.anchor.target, m.why) for m in said.mismatches] == [("here", f"ends with event {said.events}")]
        assert "rolled back or rewritten" in str(said)
        deployed(made, 2)
        assert [m.why for m in made.ask_hosts().mismatches] == ["has another event of that number"]


def test_a_store_that_was_made_anew_from_the_beginning_is_found_out(home):
    with space() as made:
        deployed(made)
    Path("octossh.db").unlink()
    with space() as made:
        made.create_release()
        deployed(made)
        assert made.verify().ok
        assert not made.ask_hosts().ok


def test_an_event_that_the_store_keeps_no_more_is_not_held_against_it(home):
    with space() as made:
        deployed(made, 2)
    with closing(sqlite3.connect("octossh.db")) as db:
        db.execute("DROP TRIGGER events_no_delete")
        db.execute("DELETE FROM events WHERE seq < 7")
        db.commit()
    with space() as made:
        said = made.ask_hosts()
        assert (said.ok, said.compared) == (True, 1)


def test_a_deployment_that_changed_nothing_asks_the_host_nothing_more(home):
    reads = oc.RunScript("look", script="true", reads_only=True)
    target = oc.Target("here", "localhost", environments=["Dev"])
    with oc.Space(projects=[oc.Project("shop", process=[reads])], targets=[target], transport=oc.Local()) as made:
        deployed(made)
        unchanged = not any(outcome.changed for outcome in made.deployment().outcomes)
        assert unchanged is not (home / ".local/state/octossh/anchors").exists()
    with space(anchors=False) as made:
        deployed(made)
        assert made.ask_hosts().compared == int(not unchanged)


def test_an_anchor_that_cannot_be_left_is_a_warning_and_the_deployment_is_good(home, caplog):
    (home / ".local").write_text("in the way")
    with space() as made, caplog.at_level(logging.WARNING, "octossh"):
        deployed(made)
        assert made.deployment().ok
    assert "here: the head of the audit chain could not be left there" in caplog.text


def test_a_host_without_anchors_and_one_that_cannot_be_asked_are_named(home):
    with space() as made:
        said = made.ask_hosts()
        assert (said.ok, said.without) == (True, ("here",))

    def refuse(target):
        raise oc.ConnectError("here: connection refused", "refused")

    with space(transport=oc.Replay(lambda *_: None, refuse)) as made:
        said = made.ask_hosts()
        assert (said.ok, said.unseen) == (False, (("here", "here: connection refused"),))


def test_the_command_asks_the_hosts_and_ends_with_1_if_they_contradict(home, in_tmp, capsys):
    (in_tmp / "octofile.py").write_text(
        "import octossh as oc\n"
        'hello = oc.RunScript("hello", script="true")\n'
        'target = oc.Target("here", "localhost", environments=["Dev"])\n'
        'space = oc.Space(projects=[oc.Project("shop", process=[hello])], targets=[target], transport=oc.Local())\n'
    )
    main(["release", "create", "-q"])
    main(["deploy", "--to", "Dev", "-q"])
    capsys.readouterr()
    main(["audit", "verify", "--hosts", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (said["broken"], said["hosts"]["compared"], said["hosts"]["mismatches"]) == (None, 1, [])
    Path("octossh.db").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["audit", "verify", "--hosts"])
    assert ended.value.code == 1
    assert f"here    {PLACE}" in capsys.readouterr().out


def test_a_host_that_contradicts_the_store_about_two_places_is_one_host():
    anchors = [
        Anchor(target="h01", place=place, seq=9, hash="0" * 64, deployment="d", at=datetime(2026, 1, 2, tzinfo=UTC))
        for place in ("shop-dev", "shop-test")
    ]
    said = Witnesses(compared=2, events=8, mismatches=tuple(Mismatch(anchor=one, why="x") for one in anchors))
    assert said.verdict.startswith("1 host contradicts the store:")
    assert str(said).count("h01") == 2


def test_two_pairs_of_project_and_environment_never_share_a_file_and_that_of_earlier_versions_is_read_still(home):
    assert anchor_place("a-b", "c") != anchor_place("a", "b-c")
    assert anchor_place("A", "c") != anchor_place("a", "c")
    folder = home / ".local/state/octossh/anchors"
    folder.mkdir(parents=True)
    with space() as made:
        deployed(made)
        (folder / PLACE).rename(folder / "shop-dev")
        assert (made.ask_hosts().ok, made.ask_hosts().compared) == (True, 1)
        deployed(made)
        assert made.ask_hosts().compared == 2
        (folder / "shop-dev").write_text(f"1 {'0' * 64} old 2026-01-01T00:00:00+00:00\n")
        assert [m.anchor.place for m in made.ask_hosts().mismatches] == ["shop-dev"]
