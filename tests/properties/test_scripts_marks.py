"""Containers that are looked at with networks and volumes: once nothing of them can be there under another name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from golden.cases import order
from properties.docker_stand_in import Docker
from properties.senders import Sender
from properties.stand import EACH_SHELL, Host, clear_locks, forget_runs, unique
from properties.webs import NAME, ONE, THREE, TWO, image, script, short

import octossh as oc
from octossh.model import Pairs, Templates
from octossh.rendering import render
from octossh.shell import Script

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

NET, VOL = oc.CreateNetwork("net", network_name="net"), oc.CreateVolume("vol", volume_name="vol")
MORE = oc.CreateVolume("more", volume_name="more")


def web(digest: str, **fields: Any) -> Script:
    return script(digest, networks=["net"], **fields)


def ready(folder: Path, shell: str = "dash") -> Sender:
    return Sender(Host(folder, shell, registry=[image(digest) for digest in (ONE, TWO, THREE)]))


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    made = ready(tmp_path / "host")
    yield made
    assert made.host.docker.wrong == []


def mark(name: str = NAME) -> Path:
    (found,) = Path("/dev/shm").glob(f"octossh-{unique()}-*.mark.{name}")
    return found


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_one_start_of_docker_finds_all_of_what_the_last_deployment_left(tmp_path: Path, shell: str) -> None:
    sender = ready(tmp_path / "host", shell)
    other = script(ONE, step="db", container_name="db-1", networks=["net"])
    assert sender.send(NET, VOL, web(ONE), other) == ["succeeded created yes "] * 4
    assert "container inspect" in sender.calls
    for _ in range(2):
        assert sender.send(NET, VOL, web(ONE), other) == ["succeeded unchanged no "] * 4
        assert sender.calls == ["inspect"]
    assert sender.send(web(ONE), other) == ["succeeded unchanged no "] * 2
    assert sender.calls == ["inspect"]


def test_what_is_told_of_it_is_what_docker_says_of_it(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    told: list[list[str]] = []
    for marked in (True, False):
        if not marked:
            mark().unlink()
        _, result = sender.host.run(sender.script(NET, web(ONE)))
        told.append([frame.text for frame in result.frames if frame.kind == "inspect"])
        for run in sender.runs:
            forget_runs(run)
    assert told[0] == told[1]
    assert f'"Name":"/{NAME}"' in told[0][1]


def test_where_something_is_to_be_done_a_container_is_looked_for_under_all_its_names(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    sender.host.docker.images.append(image(TWO))
    assert sender.send(NET, web(TWO)) == ["succeeded unchanged no ", "succeeded replaced yes "]
    assert sender.calls[:3] == ["inspect", "container inspect", "create"]
    assert short(sender.host) == {NAME: ("running", image(TWO))}
    assert sender.send(NET, web(TWO))[1] == "succeeded unchanged no "
    assert sender.calls == ["inspect"]


@pytest.mark.parametrize("strategy", [oc.Replace(), oc.StartFirst(drain_s=0)], ids=["replace", "start first"])
def test_after_a_kill_at_any_call_nothing_is_left_under_another_name(tmp_path: Path, strategy: Any) -> None:
    for wanted in (
        ONE,
        TWO,
        THREE,
    ):  # also by the deployment that finds the container that is there to be the wanted one
        for number in range(30):
            sender = ready(tmp_path / f"{wanted[-1]}-{number}")
            sender.host.docker.together = True
            sender.send(NET, web(ONE, strategy=strategy))
            sender.host.kill_at = number
            sender.host.run(sender.script(NET, web(TWO, strategy=strategy)))
            sender.host.kill_at, killed = -1, len(sender.calls) > number
            for run in sender.runs:
                forget_runs(run)
            ends = sender.send(NET, web(wanted, strategy=strategy))
            assert [end.split()[0] for end in ends] == ["succeeded"] * 2
            assert short(sender.host) == {NAME: ("running", image(wanted))}, number
            if not killed:
                break
        assert number > 8


def test_a_container_behind_something_that_was_made_is_looked_at_again(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    sender.send(NET, web(ONE), MORE)
    assert sender.send(NET, VOL, web(ONE)) == [
        "succeeded unchanged no ", "succeeded created yes ", "succeeded unchanged no ",
    ]  # fmt: skip
    assert sender.calls == ["inspect", "volume create", "volume inspect", "container inspect"]


def test_a_volume_behind_a_container_is_looked_at_once_that_is_there(sender: Sender) -> None:
    sender.send(NET, web(ONE), MORE)
    assert sender.send(NET, web(ONE), MORE) == ["succeeded unchanged no "] * 3
    assert sender.calls == ["inspect", "volume inspect"]


@pytest.mark.parametrize("gone", ["the mark", "the lock", "the container"])
def test_what_nobody_vouches_for_is_looked_for_under_all_its_names(sender: Sender, gone: str) -> None:
    sender.send(NET, web(ONE))
    left = {**next(iter(sender.host.docker.containers.values())), "Id": "e" * 64, "Name": f"/{NAME}--next"}
    left["State"] = {**left["State"], "Status": "created"}
    if gone == "the mark":
        mark().unlink()
    elif gone == "the lock":
        for lock in Path("/dev/shm").glob(f"octossh-{unique()}-*.lock"):
            lock.unlink()
    else:
        sender.host.docker.containers.clear()
    sender.host.docker.containers["e" * 64] = left
    assert sender.send(NET, web(ONE))[1].startswith("succeeded ")
    assert short(sender.host) == {NAME: ("running", image(ONE))}


def test_a_mark_counts_for_nothing_once_somebody_else_has_had_the_lock(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    (lock,) = Path("/dev/shm").glob(f"octossh-{unique()}-*.lock")
    lock.write_text("deployment d-20260102-030405-9 by bob@desk since 2026-01-02 03:04:05 UTC\n")
    assert sender.send(NET, web(ONE))[1] == "succeeded unchanged no "
    assert sender.calls == ["network inspect", "container inspect"]


def spoil(file: Path, how: str, theirs: Path) -> None:
    """Put something of a stranger's in the place of the mark, with what would be in it."""
    said = file.read_text()
    file.unlink()
    if how == "a pipe":
        os.mkfifo(file)
        return
    theirs.write_text(said)
    if how == "a link":
        file.symlink_to(theirs)
    elif how == "a link to nothing":
        theirs.unlink()
        file.symlink_to(theirs)
    else:
        file.write_text(said)
        os.chown(file, 65534, 65534)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("how", ["a pipe", "a link", "a link to nothing", "a file of a stranger's"])
def test_a_mark_that_is_not_ours_counts_for_nothing_and_is_left_alone(sender: Sender, tmp_path: Path, how: str) -> None:
    sender.send(NET, web(ONE))
    file, theirs = mark(), tmp_path / "theirs"
    spoil(file, how, theirs)
    left = theirs.read_text() if theirs.exists() else None
    try:
        for _ in range(2):
            assert sender.send(NET, web(ONE))[1] == "succeeded unchanged no "
            assert sender.calls == ["network inspect", "container inspect"]
        assert (theirs.read_text() if theirs.exists() else None) == left
    finally:
        file.unlink()


def test_a_mark_vouches_for_the_docker_that_was_called_alone(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    sender.host.environ["DOCKER_HOST"] = "unix:///run/user/1000/docker.sock"
    assert sender.send(NET, web(ONE))[1] == "succeeded unchanged no "
    assert sender.calls == ["network inspect", "container inspect"]
    sender.send(NET, web(ONE))
    assert sender.calls == ["inspect"]


def test_a_docker_that_did_not_tell_of_all_names_gives_no_mark(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.send(NET, web(ONE))
    mark().unlink()
    call = Docker.call

    def half(docker: Docker, args: list[str], *more: Any) -> tuple[int, str, str]:
        code, out, err = call(docker, args, *more)
        return code, out, "Cannot connect to the Docker daemon\n" if args[:2] == ["container", "inspect"] else err

    monkeypatch.setattr(Docker, "call", half)
    assert sender.send(NET, web(ONE))[1] == "succeeded unchanged no "
    monkeypatch.undo()
    assert sender.send(NET, web(ONE))[1] == "succeeded unchanged no "
    assert sender.calls == ["network inspect", "container inspect"]


MINE = """{% include "_begin.sh.j2" %}
docker network create {{ name }} >/dev/null
octossh_end succeeded created yes ""
{% include "_end.sh.j2" %}
"""


def test_behind_a_step_with_a_template_of_the_users_a_container_is_looked_at_by_itself(sender: Sender) -> None:
    templates = Templates(Pairs({"create_network.sh.j2": MINE}), Pairs({"create_network": "0" * 64}))
    mine = render(attrs.evolve(order(NET, project=unique()), templates=templates))
    sender.send(VOL, mine, web(ONE))
    sender.host.docker.networks.clear()
    assert sender.send(VOL, mine, web(ONE))[1:] == ["succeeded created yes ", "succeeded unchanged no "]
    assert sender.calls == ["volume inspect", "network create", "container inspect"]


def test_an_old_container_that_could_not_be_removed_leaves_no_mark(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    sender.host.docker.fails = "rm"
    assert sender.send(NET, web(TWO))[1] == "succeeded replaced yes "
    sender.host.docker.fails = ""
    assert len(short(sender.host)) == 2
    assert sender.send(NET, web(TWO))[1].startswith("succeeded ")
    assert short(sender.host) == {NAME: ("running", image(TWO))}


def test_a_container_that_was_stopped_since_is_started_again(sender: Sender) -> None:
    sender.send(NET, web(ONE))
    for seen in sender.host.docker.containers.values():
        seen["State"]["Status"] = "exited"
    assert sender.send(NET, web(ONE))[1] == "succeeded started yes it was exited"
    assert sender.calls[:3] == ["inspect", "container inspect", "start"]


def test_a_container_that_another_step_changes_meanwhile_is_looked_at_again(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(NET, web(ONE))
    call = Docker.call

    def slow(docker: Docker, args: list[str], *more: Any) -> tuple[int, str, str]:
        said = call(docker, args, *more)
        if args[0] == "inspect":
            (lock,) = Path("/dev/shm").glob(f"octossh-{unique()}-*.lock")
            lock.write_text("deployment d-20260102-030405-2 by bob@desk\n")
            docker.containers.clear()
        return said

    monkeypatch.setattr(Docker, "call", slow)
    assert sender.send(NET, web(ONE))[1] == "succeeded created yes "
    assert sender.calls[:2] == ["inspect", "container inspect"]
