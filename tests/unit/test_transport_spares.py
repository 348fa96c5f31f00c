"""The session that is begun ahead: when it is used, and when it makes room. The channels are made up."""

from __future__ import annotations

import threading
from typing import Any, cast

import paramiko
import pytest

from octossh.transport.spares import Spares

COMMAND = "exec sh -s"


class Channel:
    """One that lives until somebody ends it."""

    closed = eof_received = False

    def __init__(self) -> None:
        self.status_event = threading.Event()

    def exit_status_ready(self) -> bool:
        return self.status_event.is_set()

    def shutdown_write(self) -> None:
        self.status_event.set()

    def close(self) -> None:
        self.closed = True


class Host:
    """What is asked of it, and whether it is there."""

    def __init__(self) -> None:
        self.begun: list[Channel] = []
        self.asked, self.there = 0, True
        self.spares = Spares(self._begin, self._ask, "h01")

    def _begin(self, _command: str) -> paramiko.Channel:
        self.begun.append(Channel())
        return cast("paramiko.Channel", self.begun[-1])

    def _ask(self) -> bool:
        self.asked += 1
        return self.there

    def take(self, *, sure: bool, command: str = COMMAND) -> Any:
        return self.spares.take(command, sure=sure)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Where each session was granted long ago."""
    monkeypatch.setattr("octossh.transport.spares.FRESH_S", -1)
    made = Host()
    made.spares.now(COMMAND)
    assert made.spares._made is not None
    made.spares._made[1].result(10)
    return made


def test_what_must_be_sure_of_the_host_asks_it_and_goes_into_what_was_begun_long_ago(host: Host) -> None:
    assert host.take(sure=True) is host.begun[0]
    assert host.asked == 1
    assert host.take(sure=True) is None


def test_what_may_be_sent_twice_asks_nobody(host: Host) -> None:
    assert host.take(sure=False) is host.begun[0]
    assert host.asked == 0


def test_a_host_that_does_not_answer_gets_nothing(host: Host) -> None:
    host.there = False
    assert host.take(sure=True) is None
    assert host.begun[0].closed


def test_where_the_question_fails_what_was_begun_keeps_no_place(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise EOFError

    monkeypatch.setattr(host.spares, "_ask", fail)
    with pytest.raises(EOFError):
        host.take(sure=True)
    assert host.begun[0].closed


def test_a_shell_of_which_the_host_says_meanwhile_that_it_is_gone_gets_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> bool:
        host.begun[0].status_event.set()
        return True

    monkeypatch.setattr(host.spares, "_ask", gone)
    assert host.take(sure=True) is None
    assert host.begun[0].closed


def test_one_for_another_command_makes_room_and_no_more_are_begun(host: Host) -> None:
    assert host.take(sure=True, command="exec sudo sh -s") is None
    assert not host.begun[0].closed
    assert host.spares.make_room()
    assert host.begun[0].closed
    assert host.asked == 1
    host.spares.now(COMMAND)
    host.spares.started()
    host.spares.want(COMMAND)
    assert host.take(sure=False) is None
    assert len(host.begun) == 1


def test_where_the_host_is_gone_no_room_is_made(host: Host) -> None:
    host.there = False
    assert not host.spares.make_room()
