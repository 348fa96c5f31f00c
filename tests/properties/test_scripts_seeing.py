"""Networks and volumes whose steps go to a host together: one start of docker looks for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from properties.docker_stand_in import Docker
from properties.senders import Sender
from properties.stand import EACH_SHELL, Host, clear_locks, forget_runs, unique

import octossh as oc

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

NET, VOL, MORE = (
    oc.CreateNetwork("net", network_name="net"),
    oc.CreateVolume("vol", volume_name="vol"),
    oc.CreateVolume("more", volume_name="more"),
)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    made = Sender(Host(tmp_path / "host"))
    yield made
    assert made.host.docker.wrong == []


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_one_start_of_docker_finds_all_or_that_nothing_is_there(tmp_path: Path, shell: str) -> None:
    sender = Sender(Host(tmp_path / "host", shell))
    assert sender.send(NET, VOL, MORE) == ["succeeded created yes "] * 3
    made = ["network create", "network inspect", *(["volume create", "volume inspect"] * 2)]
    assert sender.calls == ["inspect", *made]
    before = dict(sender.host.docker.volumes)
    assert sender.send(NET, VOL, MORE) == ["succeeded unchanged no "] * 3
    assert sender.calls == ["inspect"]
    assert sender.host.docker.volumes == before


def test_what_is_told_of_each_is_what_docker_says_of_it(sender: Sender) -> None:
    sender.send(NET, VOL)
    _, result = sender.host.run(sender.script(NET, VOL))
    told = [frame for frame in result.frames if frame.kind == "inspect"]
    assert ['"Name":"net"' in frame.text for frame in told] == [True, False]
    assert '"Mountpoint":"/var/lib/docker/volumes/vol/_data"' in told[1].text


def test_only_what_is_not_there_is_made(sender: Sender) -> None:
    sender.send(VOL)
    assert sender.send(NET, VOL, MORE) == [
        "succeeded created yes ", "succeeded unchanged no ", "succeeded created yes ",
    ]  # fmt: skip
    assert sender.calls == ["inspect", "network create", "network inspect", "volume create", "volume inspect"]


def test_what_differs_or_is_of_others_is_looked_at_by_itself_and_refused_as_ever(sender: Sender) -> None:
    sender.send(NET, VOL)
    (end, why) = sender.send(NET, oc.CreateVolume("vol", volume_name="vol", labels={"team": "blue"}))
    assert end == "succeeded unchanged no "
    assert "the volume vol differs" in why
    assert sender.calls == ["inspect", "volume inspect"]
    (_, why) = sender.send(NET, oc.CreateVolume("other", volume_name="vol"))
    assert "was not made by this step" in why


@pytest.mark.parametrize("kind", ["container", "network"])
def test_what_is_of_another_kind_and_has_the_name_is_not_taken_for_it(sender: Sender, kind: str) -> None:
    sender.send(NET, VOL)
    (volume,) = sender.host.docker.volumes.values()
    if kind == "network":  # with the very labels, by a step that was of another kind before
        sender.host.docker.networks["e" * 64] = {"Id": "e" * 64, "Name": "vol", "Labels": volume["Labels"]}
    else:
        labels = {"Config": {"Labels": volume["Labels"]}}
        sender.host.docker.containers["e" * 64] = {
            "Id": "e" * 64,
            "Name": "/vol",
            "State": {"Status": "created"},
            **labels,
        }
    sender.host.docker.volumes.clear()
    assert sender.send(NET, VOL) == ["succeeded unchanged no ", "succeeded created yes "]
    assert sender.calls == ["inspect", "volume inspect", "volume create", "volume inspect"]


def test_a_network_and_a_volume_of_one_name_are_looked_at_one_by_one(sender: Sender) -> None:
    for _ in range(2):
        ends = sender.send(NET, oc.CreateVolume("vol", volume_name="net"))
    assert ends == ["succeeded unchanged no "] * 2
    assert sender.calls == ["network inspect", "volume inspect"]


def test_where_somebody_else_had_the_lock_meanwhile_each_is_looked_at_again(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(NET, VOL)
    call = Docker.call

    def slow(docker: Docker, args: list[str], *more: Any) -> tuple[int, str, str]:
        said = call(docker, args, *more)
        if args[0] == "inspect":
            docker.volumes.clear()
            (lock,) = Path("/dev/shm").glob(f"octossh-{unique()}-*.lock")
            lock.write_text("deployment d-20260102-030405-2 by bob@desk\n")
        return said

    monkeypatch.setattr(Docker, "call", slow)
    assert sender.send(NET, VOL) == ["succeeded unchanged no ", "succeeded created yes "]
    assert sender.calls == ["inspect", "volume inspect", "volume create", "volume inspect"]


@pytest.mark.parametrize(
    ("others", "end"),
    [
        (oc.CreateNetwork("other", network_name="net"), "was not made by this step"),
        (oc.CreateNetwork("net", network_name="net", labels={"team": "blue"}), "the network net is there and differs"),
        (NET, "succeeded unchanged no "),
    ],
)
def test_a_network_that_others_make_after_the_look_is_judged_as_one_that_was_there(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, others: oc.CreateNetwork, end: str
) -> None:
    sender.send(others)
    theirs = dict(sender.host.docker.networks)
    sender.host.docker.networks.clear()
    call = Docker.call

    def slow(docker: Docker, args: list[str], *more: Any) -> tuple[int, str, str]:
        said = call(docker, args, *more)
        if args[0] == "inspect":
            docker.networks.update(theirs)
        return said

    monkeypatch.setattr(Docker, "call", slow)
    assert end in sender.send(VOL, NET)[-1]
    assert sender.calls[-2:] == ["network create", "network inspect"]
    assert sender.host.docker.networks == theirs


def test_who_had_the_lock_is_not_mistaken_for_one_whose_name_begins_alike(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(NET, VOL)
    call = Docker.call

    def slow(docker: Docker, args: list[str], *more: Any) -> tuple[int, str, str]:
        said = call(docker, args, *more)
        if args[0] == "inspect":
            (lock,) = Path("/dev/shm").glob(f"octossh-{unique()}-*.lock")
            holder, since, at = lock.read_text().partition(" since ")
            lock.write_text(f"{holder.rstrip()}abel{since or ' since '}{at or 'then'}\n")
        return said

    monkeypatch.setattr(Docker, "call", slow)
    assert sender.send(NET, VOL) == ["succeeded unchanged no "] * 2
    assert sender.calls == ["inspect", "volume inspect"]


def test_without_a_place_in_memory_each_is_looked_at_by_itself(sender: Sender) -> None:
    sender.send(NET, VOL)
    script = sender.script(NET, VOL)
    for run in sender.runs:
        Path(f"/dev/shm/octossh-run-{run}.01").mkdir()
    try:
        sender.host.run(script)
    finally:
        for run in sender.runs:
            forget_runs(run)
    assert sender.calls == ["network inspect", "volume inspect"]


def test_a_docker_that_does_not_answer_makes_nothing(sender: Sender) -> None:
    sender.host.docker.down = True
    (end,) = sender.send(NET, VOL)
    assert "docker does not answer: Cannot connect to the Docker daemon" in end


def test_after_a_kill_at_any_call_the_next_deployment_ends_with_all_of_them(tmp_path: Path) -> None:
    for number in range(20):
        sender = Sender(Host(tmp_path / str(number)))
        sender.host.kill_at = number
        sender.host.run(sender.script(NET, VOL, MORE))
        sender.host.kill_at, killed = -1, len(sender.calls) > number
        for run in sender.runs:
            forget_runs(run)
        assert [end.split()[0] for end in sender.send(NET, VOL, MORE)] == ["succeeded"] * 3
        assert set(sender.host.docker.volumes) == {"vol", "more"}
        if not killed:
            break
    assert number == 7
