"""Values of secrets that are kept in the store: nobody reads them without the key, and nobody misses them with it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pty
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import octossh as oc
from octossh.cli import main
from octossh.recording.sealing import new_key

PASSWORD = "hunter2 ✓ & 'more'"
STEP = oc.RunScript(
    "tell",
    where="controller",
    script='printf %s "$P" | sha256sum; echo "key: $OCTOSSH_KEY."',
    env={"P": oc.secret("DB")},
)


@pytest.fixture
def key(monkeypatch):
    made = new_key().reveal()
    monkeypatch.setenv("OCTOSSH_KEY", made)
    return made


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/octossh.db"


def space(url, **options):
    target = oc.Target("h01", "h01", environments=["Dev"])
    project = oc.Project("shop", process=[STEP])
    return oc.Space(url, projects=[project], targets=[target], transport=oc.Local(), **options)


def test_a_stored_value_reaches_the_step_that_names_it_and_the_key_does_not(url, key):
    with space(url) as one:
        one.values.set("DB", PASSWORD)
        deployment = one.deploy(one.create_release(), "Dev")
        assert deployment.outcomes[0].log == f"{hashlib.sha256(PASSWORD.encode()).hexdigest()}  -\nkey: .\n"
        assert one.verify().ok


def test_what_other_sources_have_comes_first(url, key):
    with space(url, secrets={"DB": "mine"}) as one:
        one.values.set("DB", PASSWORD)
        one.values.set("OTHER", "stored")
        assert one._access.secret("DB").reveal() == "mine"
        assert one._access.secret("OTHER").reveal() == "stored"


def test_the_value_stands_nowhere_in_the_files_of_the_store(url, key, tmp_path):
    with space(url) as one:
        one.values.set("DB", PASSWORD, why="first")
        one.values.set("DB", PASSWORD * 2)
        for file in tmp_path.iterdir():
            assert b"hunter2" not in file.read_bytes(), file
            assert key.encode() not in file.read_bytes(), file
        assert len(list(tmp_path.iterdir())) == 3
        shown = f"{one.values.list()} {one.values.list()!r} {[dict(e.data) for e in one.store.events()]}"
    assert "hunter2" not in shown
    assert "gAAAA" not in shown


def test_each_change_of_a_value_is_recorded_without_it(url, key):
    with space(url) as one:
        one.values.set("DB", "a", why="new")
        one.values.remove("DB", why="old")
        kept, dropped = one.store.events()
        assert (kept.type, kept.data["key"], kept.data["why"]) == ("fact_kept", "DB", "new")
        assert (dropped.type, dropped.data["key"], dropped.data["why"]) == ("fact_dropped", "DB", "old")
        with pytest.raises(oc.ModelError, match="there is no value 'DB'"):
            one.values.remove("DB")


def test_without_the_key_everything_else_works_and_the_error_says_which_is_missing(url, key, monkeypatch):
    with space(url) as one:
        one.values.set("DB", PASSWORD)
        one.create_release()
        name = next(iter(one.values.list())).key
    monkeypatch.delenv("OCTOSSH_KEY")
    with space(url) as one:
        assert [(v.name, v.readable) for v in one.values.list()] == [("DB", False)]
        assert f"{name} (not here)" in str(one.values.list())
        assert one.status()
        assert one.verify().ok
        with pytest.raises(oc.ModelError, match=f"secret 'DB' is stored, and the key {name} that opens it is not here"):
            one.deploy("0.0.1", "Dev")
        with pytest.raises(oc.ModelError, match="there is no key to encrypt with"):
            one.values.set("NEW", "x")
        one.values.remove("DB")
    monkeypatch.setenv("OCTOSSH_KEY", new_key().reveal())
    with space(url, secrets={"DB": "elsewhere"}) as one:
        assert one.deploy("0.0.1", "Dev", check=False).outcomes


def test_with_another_key_the_error_names_both(url, key, monkeypatch):
    with space(url) as one:
        one.values.set("DB", PASSWORD)
        one.create_release()
    monkeypatch.setenv("OCTOSSH_KEY", new_key().reveal())
    with space(url) as one, pytest.raises(oc.ModelError, match=r"was encrypted with the key \w{8}, and here is \w{8}"):
        one.deploy("0.0.1", "Dev")


def test_a_changed_key_reads_the_old_values_and_then_needs_the_old_key_no_more(url, key, monkeypatch):
    with space(url) as one:
        one.values.set("DB", PASSWORD)
        one.values.set("B", "b")
        before = {value.name: value.at for value in one.values.list()}
    new = new_key().reveal()
    monkeypatch.setenv("OCTOSSH_KEY", f"{new} {key}")
    with space(url) as one:
        one.values.set("C", "c")
        assert one.values.find("DB") == PASSWORD
        assert one.values.rotate() == 2
        assert one.values.rotate() == 0
    monkeypatch.setenv("OCTOSSH_KEY", new)
    with space(url) as one:
        assert [one.values.find(name) for name in ("DB", "B", "C")] == [PASSWORD, "b", "c"]
        assert {v.name: v.at for v in one.values.list() if v.name != "C"} == before
        assert one.verify().ok


def test_a_rotation_that_lacks_a_key_changes_nothing(url, key, monkeypatch):
    with space(url) as one:
        one.values.set("DB", PASSWORD)
    monkeypatch.setenv("OCTOSSH_KEY", new_key().reveal())
    with space(url) as one:
        with pytest.raises(oc.ModelError, match="give that key, too"):
            one.values.rotate()
        assert len(one.store.events()) == 1


def test_a_value_that_was_put_under_another_name_is_not_given_out(url, key, tmp_path):
    with space(url) as one:
        one.values.set("DB", PASSWORD)
        one.values.set("LOW", "low")
    with contextlib.closing(sqlite3.connect(tmp_path / "octossh.db")) as db:
        body, digest = db.execute("SELECT body, sha256 FROM facts WHERE key = 'LOW'").fetchone()
        db.execute("UPDATE facts SET body = ?, sha256 = ? WHERE key = 'DB'", [body, digest])
        db.commit()
    with space(url) as one:
        with pytest.raises(oc.RecordError, match="the stored value 'DB' is not the one that was stored"):
            one.values.find("DB")
        assert not one.verify().ok


@pytest.mark.parametrize("bad", ["short", "x" * 44, "é" * 44, ", ,"])
def test_a_key_that_is_none_is_refused_and_not_shown(url, bad, monkeypatch):
    monkeypatch.setenv("OCTOSSH_KEY", f"{bad}")
    with space(url) as one, pytest.raises(oc.ModelError, match=r"of the stored values is none|is empty") as raised:
        one.values.set("DB", "x")
    assert bad not in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("a\nb", "x"), ("DB", ""), ("DB", b"x"), ("DB", "a\0b")])
def test_what_is_no_name_or_no_value_is_refused(url, key, name, value):
    with space(url) as one, pytest.raises(oc.ModelError):
        one.values.set(name, value)


def test_the_key_may_come_from_a_file_that_is_for_its_owner_alone(url, tmp_path, monkeypatch):
    file = tmp_path / "key"
    file.write_text(new_key().reveal() + "\n")
    monkeypatch.setenv("OCTOSSH_KEY_FILE", str(file))
    with space(url) as one:
        file.chmod(0o640)
        with pytest.raises(oc.ModelError, match=r"others may read the key file .*; run: chmod 600"):
            one.values.set("DB", "x")
        file.chmod(0o600)
        one.values.set("DB", "x")
        file.unlink()
        with pytest.raises(oc.ModelError, match=r"cannot be read .No such file"):
            one.values.find("DB")


def test_the_key_may_come_from_any_source_of_secrets(url):
    held = {"OCTOSSH_KEY": new_key().reveal()}
    with space(url, key=held) as one:
        one.values.set("DB", "x")
        assert one.values.find("DB") == "x"
    with pytest.raises(oc.ModelError, match="is no source"):
        space(url, key=7)


def test_looking_for_a_value_makes_no_file(url, tmp_path, key):
    with space(url) as one:
        assert one.values.find("DB") is None
        assert len(one.values.list()) == 0
    assert list(tmp_path.iterdir()) == []


OCTOFILE = """
import octossh as oc
space = oc.Space(projects=[oc.Project("shop", process=[oc.RunScript("s", script="true")])])
"""


@pytest.fixture
def octossh(in_tmp, key, capsys, monkeypatch):
    Path("octofile.py").write_text(OCTOFILE)

    def run(*arguments, given=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        with contextlib.suppress(SystemExit):
            main(list(arguments))
        captured = capsys.readouterr()
        return captured.out + captured.err

    return run


def test_the_command_reads_a_value_from_its_input_and_shows_none(octossh):
    assert octossh("values", "set", "DB", "--why", "new", given="hunter2\n") == "DB is stored\n"
    shown = octossh("values", "list")
    assert shown.startswith("value")
    assert "DB" in shown
    assert "hunter2" not in shown
    assert '"name": "DB"' in octossh("values", "list", "--json")
    assert octossh("values", "rotate") == "0 encrypted anew\n"
    assert octossh("values", "remove", "DB") == "DB is not stored any more\n"
    assert octossh("values", "list") == "no value is stored\n"
    assert len(octossh("values", "new-key").strip()) == 44


@pytest.mark.slow
def test_at_a_terminal_it_asks_twice_and_echoes_nothing(in_tmp, key):
    Path("octofile.py").write_text(OCTOFILE)
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).parent / "octossh"), "values", "set", "DB"]
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=dict(os.environ)
    ) as process:
        os.close(theirs)
        screen = b""
        with contextlib.suppress(OSError):
            while data := os.read(ours, 1000):
                screen += data
                if data.rstrip().endswith(b":"):
                    os.write(ours, b"hunter2\n")
        os.close(ours)
    assert process.returncode == 0, screen
    assert b"DB is stored" in screen
    assert b"hunter2" not in screen
