"""The board: which files there are, what stands in them, and which folder is written into."""

from __future__ import annotations

import http.client
import json
import os
import queue
import threading
import urllib.parse

import pytest

import octossh as oc


@pytest.fixture
def space(tmp_path):
    with oc.Space(
        f"sqlite:///{tmp_path}/octossh.db",
        projects=[oc.Project("shop", process=[oc.RunScript("hello", script="echo '<b>hi</b>'")])],
        targets=[oc.Target("h01", "h01", environments=["Dev", "../Live"])],
        transport=oc.Local(),
    ) as made:
        made.create_release("shop")
        yield made


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_empty_record_has_a_board_that_says_so(space, tmp_path):
    oc.Board(space).write(tmp_path / "board")
    assert "Nothing has been deployed yet." in (tmp_path / "board" / "index.html").read_text()
    assert "nothing has been deployed yet" in (tmp_path / "board" / "deployments.html").read_text()


def test_a_deployment_has_a_page_with_its_log_as_text(space, tmp_path):
    made = space.deploy("0.0.1", "Dev")
    oc.Board(space).write(tmp_path / "board")
    page = (tmp_path / "board" / "deployment" / f"{made.id}.html").read_text()
    assert "&lt;b&gt;hi&lt;/b&gt;" in page
    assert "<b>hi" not in page


def test_names_of_peoples_choice_are_no_paths(space, tmp_path):
    space.deploy("0.0.1", "../Live")
    folder = tmp_path / "outer" / "board"
    oc.Board(space).write(folder)
    assert files(tmp_path / "outer") == {f"board/{name}" for name in files(folder)}


def test_what_ended_is_written_once_and_what_is_gone_is_taken_away(space, tmp_path):
    folder = tmp_path / "board"
    older = space.deploy("0.0.1", "Dev")
    oc.Board(space).write(folder)
    page = folder / "deployment" / f"{older.id}.html"
    before = page.stat().st_ino
    newer = space.deploy("0.0.1", "Dev")
    again = oc.Board(space).write(folder)
    assert page.stat().st_ino == before
    assert again.kept >= 1
    assert oc.Board(space, deployments=1).write(folder).removed == 1
    assert not page.exists()
    assert (folder / "deployment" / f"{newer.id}.html").exists()


def test_a_page_that_somebody_deleted_is_written_again(space, tmp_path):
    made = space.deploy("0.0.1", "Dev")
    oc.Board(space).write(tmp_path / "board")
    page = tmp_path / "board" / "deployment" / f"{made.id}.html"
    page.unlink()
    oc.Board(space).write(tmp_path / "board")
    assert page.exists()


def test_a_folder_with_something_else_in_it_is_left_alone(space, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(oc.ModelError, match="holds something else than a board"):
        oc.Board(space).write(tmp_path / "home")
    assert files(tmp_path / "home") == {"letter.txt"}


@pytest.mark.parametrize("path", ["../letter.txt", "/letter.txt"])
def test_a_list_that_names_what_lies_elsewhere_removes_nothing(space, tmp_path, path):
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "board.json").write_text(json.dumps({"form": "", "files": {path: ["", ""]}}))
    with pytest.raises(oc.ModelError, match="is no page"):
        oc.Board(space).write(tmp_path / "board")
    assert (tmp_path / "letter.txt").exists()


def test_the_files_are_readable_by_a_server_that_runs_as_somebody_else(space, tmp_path):
    before = os.umask(0o077)
    try:
        oc.Board(space).write(tmp_path / "board")
    finally:
        os.umask(before)
    assert (tmp_path / "board" / "index.html").stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_written_is_said(space, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(oc.ModelError, match="cannot be written into"):
        oc.Board(space).write(tmp_path / "file" / "board")


def test_a_page_that_is_asked_for_is_of_now_and_others_there_are_not(space):
    board = oc.Board(space)
    assert b"Nothing has been deployed yet." in board.page("index.html")
    made = space.deploy("0.0.1", "Dev")
    assert b"Nothing has been deployed yet." not in board.page("index.html")
    assert b"hello on h01" in board.page(f"deployment/{made.id}.html")
    assert board.page("deployment/../../octossh.db") is None


def test_the_value_of_a_secret_stands_on_no_page(tmp_path):
    project = oc.Project(
        "shop",
        process=[oc.RunScript("hello", script="echo $KEY", env={"KEY": "{{ key }}"})],
        variables=[oc.Variable("key", oc.secret("KEY"))],
    )
    with oc.Space(
        f"sqlite:///{tmp_path}/octossh.db",
        projects=[project],
        targets=[oc.Target("h01", "h01", environments=["Dev"])],
        transport=oc.Local(),
        secrets={"KEY": "open-sesame"},
    ) as space:
        space.create_release("shop")
        made = space.deploy("0.0.1", "Dev")
        oc.Board(space).write(tmp_path / "board")
    assert "***" in (tmp_path / "board" / "deployment" / f"{made.id}.html").read_text()
    assert not [name for name in files(tmp_path / "board") if "open-sesame" in (tmp_path / "board" / name).read_text()]


def test_a_number_that_is_none_is_refused(space):
    with pytest.raises(oc.ModelError, match="deployments is 0"):
        oc.Board(space, deployments=0)


def test_a_port_that_is_taken_is_said(space):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(oc.ModelError, match="cannot be had"):
        oc.Board(space).serve(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("path", "host", "status"), [("/", "[", 403), ("/", "[::1", 403), ("http://[/", "localhost", 404)]
)
def test_a_request_that_is_no_address_is_answered_and_says_nothing_at_the_terminal(space, capfd, path, host, status):
    told = queue.Queue()
    board = oc.Board(space)
    threading.Thread(target=board.serve, args=(0,), kwargs={"on_ready": told.put}, daemon=True).start()
    asking = http.client.HTTPConnection("127.0.0.1", urllib.parse.urlsplit(told.get(timeout=30)).port, timeout=10)
    asking.putrequest("GET", path, skip_host=True)
    asking.putheader("Host", host)
    asking.endheaders()
    assert asking.getresponse().status == status
    asking.close()
    assert capfd.readouterr().err == ""
