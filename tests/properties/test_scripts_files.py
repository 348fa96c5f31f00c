"""What the script for a file does with real files, in every shell."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.cases import order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from properties.stand import EACH_SHELL, Host, clear_locks, unique

import octossh as oc
from octossh.reading import Answer, read_snapshot
from octossh.rendering import observe, render

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


@pytest.fixture(params=EACH_SHELL)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "host", request.param, record=True)
    yield made
    assert made.calls == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "etc/a b/it's.conf"


SECRETS = {"KEY": "correct horse\n"}


def put(host: Host, path: Path, content: Any = "one\n", **fields: Any) -> Answer:
    step = oc.PutFile("conf", str(path), content=content, **fields)
    answer, _ = host.run(render(order(step, project=unique(), secrets=SECRETS)), SECRETS)
    return answer


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_is_written_once_with_its_folders_and_then_left_alone(host: Host, place: Path) -> None:
    first = put(host, place, folder_mode="0750", mode="640", owner=12, group=34)
    assert (first.state, first.action, first.changed, first.outputs) == (
        "succeeded",
        "created",
        True,
        {"changed": "yes"},
    )
    assert (place.read_text(), mode(place), mode(place.parent)) == ("one\n", 0o640, 0o750)
    made = place.stat()
    assert (made.st_uid, made.st_gid) == (12, 34)
    assert first.inspect["Name"] == str(place)
    assert (first.inspect["Mode"], first.inspect["Uid"], first.inspect["Gid"]) == ("0640", 12, 34)
    again = put(host, place, mode="640", owner=12, group=34)
    assert (again.action, again.changed, again.outputs) == ("unchanged", False, {"changed": ""})
    assert again.inspect == first.inspect
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
    assert beside(place) == [place.name]


@pytest.mark.parametrize("fields", [{"content": "two"}, {"mode": "0600"}, {"owner": "daemon"}, {"group": "1"}])
def test_content_mode_and_owner_are_each_a_change(host: Host, place: Path, fields: dict[str, Any]) -> None:
    put(host, place, owner="root", group="root")
    answer = put(host, place, **{"owner": "root", "group": "root", **fields})
    assert (answer.action, answer.changed) == ("replaced", True)
    assert put(host, place, **{"owner": "root", "group": "root", **fields}).action == "unchanged"


def test_whoever_owned_the_file_keeps_it_where_the_step_does_not_say(host: Host, place: Path) -> None:
    put(host, place, owner=12, group=34)
    put(host, place, "two\n", group=35)
    assert (place.stat().st_uid, place.stat().st_gid) == (12, 35)


def test_links_folders_and_whatever_else_is_in_the_way_are_left_alone(host: Host, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_text("theirs")
    (tmp_path / "link").symlink_to(aim)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, said in {"link": "is a symbolic link", "folder": "is a folder", "pipe": "is no plain file"}.items():
        answer = put(host, tmp_path / name)
        assert (answer.state, answer.changed) == ("failed", False)
        assert answer.why == f"{tmp_path / name} {said}; move it away, or give another path"
    assert aim.read_text() == "theirs"
    assert put(host, aim / "conf").why.endswith("aim cannot be made, see the log")


def test_a_secret_stands_in_the_file_and_in_no_command_line(host: Host, place: Path) -> None:
    assert put(host, place, oc.secret("KEY"), mode="0400").changed
    assert place.read_text() == SECRETS["KEY"]
    assert put(host, place, oc.secret("KEY"), mode="0400").action == "unchanged"
    assert b"correct horse" not in host.argv
    assert b"flock" in host.argv


def test_a_file_that_is_not_valid_never_takes_its_place(host: Host, place: Path) -> None:
    put(host, place)
    check = ["sh", "-c", 'test -s "$1" && ! grep bad "$1"', "sh", "{}"]
    answer = put(host, place, "bad\n", validate=check, reload=["touch", f"{place}.loaded"])
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why == f"the new file is not valid: sh: exit code 1: bad; {place} is as it was before"
    assert beside(place) == [place.name]
    assert place.read_text() == "one\n"
    assert put(host, place, "good\n", validate=check).changed


def test_without_braces_the_file_is_looked_at_in_its_place_and_the_old_one_put_back(host: Host, place: Path) -> None:
    check = ["grep", "-q", "good", str(place)]
    none = put(host, place, "bad\n", validate=check)
    assert (none.state, none.action, none.changed) == ("failed", "put back", False)
    assert not place.exists()
    put(host, place, "good 1\n", validate=check)
    was = place.stat().st_ino
    assert put(host, place, "bad\n", validate=check).action == "put back"
    assert (place.read_text(), place.stat().st_ino) == ("good 1\n", was)
    assert beside(place) == [place.name]


def test_a_reload_runs_after_a_change_only_and_puts_the_old_file_back_when_it_fails(host: Host, place: Path) -> None:
    log = place.parent / "log"
    reload = ["sh", "-c", f'cat "{place}" >>"{log}" && ! grep -q bad "{place}"']
    put(host, place, reload=reload)
    put(host, place, reload=reload)
    assert log.read_text() == "one\n"
    assert mode(log) == 0o644
    answer = put(host, place, "bad\n", reload=reload)
    assert (answer.state, answer.action, answer.changed) == ("failed", "put back", True)
    assert answer.why == f"reload: sh: exit code 1; {place} is as it was before"
    assert log.read_text() == "one\nbad\none\n"
    assert put(host, place, reload=reload).action == "unchanged"


def test_a_run_that_was_cut_short_before_its_reload_is_gone_on_with(host: Host, place: Path) -> None:
    put(host, place)
    # It kills the script itself: the file is in its place, and not known to be good.
    cut = put(host, place, "two\n", reload=["sh", "-c", "kill -9 $PPID; kill -9 0"])
    assert not cut.ended
    assert place.read_text() == "two\n"
    left = beside(place)
    assert left == [f".{place.name}.octossh-old", place.name]
    seen = look(host, place)
    assert seen is not None
    assert seen.status == "unproven"
    assert put(host, place, "two\n", reload=["false"]).action == "put back"
    assert (place.read_text(), beside(place)) == ("one\n", [place.name])
    put(host, place, "two\n", reload=["sh", "-c", "kill -9 $PPID; kill -9 0"])
    again = put(host, place, "two\n", reload=["true"])
    assert (again.state, again.changed) == ("succeeded", True)
    assert (place.read_text(), beside(place)) == ("two\n", [place.name])


def test_a_disk_that_is_full_leaves_the_old_file(host: Host, place: Path) -> None:
    if host.shell == "ash":
        pytest.skip("it has a sha256sum of its own, which cannot be made to tell of a short file")
    put(host, place)
    host.program(
        "sha256sum",
        f"#!/bin/sh\nread -r text; [ \"$text\" = one ] && exec /usr/bin/sha256sum '{place}'; echo short -\n",
    )
    answer = put(host, place, "two\n")
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why == "the file could not be written; see whether the disk is full"
    assert (place.read_text(), beside(place)) == ("one\n", [place.name])


def test_what_killed_runs_left_is_swept_away_and_nothing_else(host: Host, place: Path) -> None:
    put(host, place)
    (place.parent / f".{place.name}.octossh-new.abcdefgh").touch()
    (place.parent / f".other{place.name}.octossh-new.abcdefgh").touch()
    put(host, place)
    assert set(beside(place)) == {place.name, f".other{place.name}.octossh-new.abcdefgh"}


def look(host: Host, path: Path, *, secret: str = "") -> oc.Resource | None:
    script = observe(unique(), "Dev", [("file", str(path))], {str(path): secret} if secret else {})
    _, result = host.run(script, SECRETS)
    host.calls.clear()
    return read_snapshot(result, "h01").find("file", str(path))


def test_looking_at_files_tells_what_is_there(host: Host, place: Path, tmp_path: Path) -> None:
    assert look(host, place) is None
    put(host, place, mode="0604", owner=12)
    seen = look(host, place)
    assert seen is not None
    assert (seen.status, seen.inspect["Mode"], seen.inspect["Uid"]) == ("there", "0604", 12)
    assert str(seen.inspect["Sha256"]).startswith(
        "sha256:2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"
    )
    compared = look(host, place, secret="KEY")
    assert compared is not None
    assert compared.inspect["Same"] is False
    assert "Sha256" not in compared.inspect
    put(host, place, oc.secret("KEY"))
    same = look(host, place, secret="KEY")
    assert same is not None
    assert same.inspect["Same"] is True
    place.unlink()
    place.symlink_to("/")
    link = look(host, place)
    assert link is not None
    assert link.status == "link"


@settings(
    max_examples=max(4, settings().max_examples // 7),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{"), max_size=40),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/{"), min_size=1, max_size=20),
)
def test_any_text_arrives_as_it_is_under_any_name(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    if name in {".", ".."}:
        return
    answer = put(Host(folder / "host"), folder / name, text)
    assert answer.state == "succeeded", answer.why
    assert (folder / name).read_bytes() == text.encode()
