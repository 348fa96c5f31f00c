"""A login and the start of a script in few round trips, with a server of paramiko's as the host."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import paramiko
import pytest
from paramiko.auth_handler import AuthHandler
from paramiko.common import MSG_NAMES

from octossh.transport.handshakes import Handshake

HOST_KEY, USER_KEY = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
PATIENCE_S = 10


class Client(Handshake):
    """Notes what it has sent."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.our_keys = ("ecdsa-sha2-nistp256",)
        self.sent: list[str] = []
        self.came = threading.Condition()

    def _send_message(self, data: Any) -> None:
        super()._send_message(data)  # type: ignore[misc]
        with self.came:
            self.sent.append(str(MSG_NAMES.get(data.asbytes()[0])))
            self.came.notify_all()

    def has_sent(self, *names: str) -> bool:
        """Whether it sends all of these without an answer to the first."""
        with self.came:
            return self.came.wait_for(lambda: set(names) <= set(self.sent), PATIENCE_S)


class Host(paramiko.ServerInterface):
    """Takes the key of the user, and runs nothing; it answers late."""

    def __init__(self, client: Client) -> None:
        self.client, self.late, self.hasty = client, True, False
        self.answered = threading.Event()
        self.together: list[bool] = []
        self.commands: list[bytes] = []

    def check_auth_publickey(self, username: str, key: Any) -> int:
        return paramiko.AUTH_SUCCESSFUL if key == USER_KEY else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self.late:
            self.together.append(self.client.has_sent("channel-open", "channel-request"))
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        self.commands.append(command)
        if self.hasty:
            threading.Thread(target=self._end, args=(channel,)).start()
        return True

    def _end(self, channel: Any) -> None:
        assert self.answered.wait(PATIENCE_S)
        channel.send_exit_status(3)
        channel.close()


class Server(paramiko.Transport):
    """The other end of a `Client`."""

    numbers = 0

    def _send_message(self, data: Any) -> None:
        super()._send_message(data)  # type: ignore[misc]
        if MSG_NAMES.get(data.asbytes()[0]) == "channel-success":
            self.server_object.answered.set()

    def _next_channel(self) -> int:
        return self.numbers + super()._next_channel()  # type: ignore[misc,no-any-return]


@contextlib.contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, version: str, numbers: int = 0) -> Iterator[tuple[Client, Host]]:
    ours, theirs = socket.socketpair()
    client = Client(ours)
    host = Host(client)
    server = Server(theirs)
    server.local_version, server.numbers = version, numbers
    server.add_server_key(HOST_KEY)
    answered = AuthHandler._parse_service_request  # type: ignore[attr-defined]

    def late(self: Any, m: Any) -> None:
        host.together.append(client.has_sent("service-request", "userauth-request"))
        answered(self, m)

    monkeypatch.setattr(AuthHandler, "_parse_service_request", late)
    server.start_server(event=threading.Event(), server=host)
    try:
        client.start_client(timeout=PATIENCE_S)
        yield client, host
    finally:
        client.close()
        server.close()


def test_whoever_logs_in_does_not_wait_to_be_asked_in(monkeypatch):
    with connected(monkeypatch, "SSH-2.0-OpenSSH_9.2p1") as (client, host):
        with pytest.raises(paramiko.AuthenticationException):
            client.auth_publickey("me", paramiko.ECDSAKey.generate())
        assert client.auth_publickey("me", USER_KEY) == []
        assert client.is_authenticated()
        assert host.together == [True, True]


def test_the_command_goes_with_the_request_for_the_first_session_of_an_openssh(monkeypatch):
    with connected(monkeypatch, "SSH-2.0-OpenSSH_9.2p1") as (client, host):
        client.auth_publickey("me", USER_KEY)
        host.together.clear()
        first = client.open_running("exec sh -s")
        host.late = False
        second = client.open_running("exec sh -s")
        assert (host.together, host.commands) == ([True], [b"exec sh -s"] * 2)
        assert (first.remote_chanid, second.remote_chanid) == (0, 1)


def test_only_the_first_session_is_guessed(monkeypatch):
    with connected(monkeypatch, "SSH-2.0-OpenSSH_9.2p1") as (client, host):
        client.auth_publickey("me", USER_KEY)
        host.late = False
        client.open_session()
        client.open_running("exec sh -s")
        assert host.commands == [b"exec sh -s"]


def test_another_server_is_asked_one_thing_after_the_other(monkeypatch):
    with connected(monkeypatch, "SSH-2.0-other", numbers=42) as (client, host):
        client.auth_publickey("me", USER_KEY)
        host.late = False
        assert client.open_running("exec sh -s").remote_chanid == 42
        assert host.commands == [b"exec sh -s"]


def test_an_openssh_that_numbers_its_channels_otherwise_gets_no_script(monkeypatch):
    with connected(monkeypatch, "SSH-2.0-OpenSSH_99", numbers=7) as (client, host):
        client.auth_publickey("me", USER_KEY)
        with pytest.raises((paramiko.SSHException, EOFError)):
            client.open_running("exec sh -s")
        assert not client.is_active()
        assert host.commands == []


class Late(dict[int, threading.Event]):
    """Whoever waits for a channel learns that it is open when it is closed again."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client

    def __setitem__(self, number: int, event: threading.Event) -> None:
        told = event.set
        event.set = lambda: threading.Thread(target=self.tell, args=(number, told)).start()  # type: ignore[method-assign]
        super().__setitem__(number, event)

    def tell(self, number: int, told: Any) -> None:
        while self.client._channels.get(number) is not None:  # type: ignore[attr-defined]
            threading.Event().wait(0.001)
        told()


def test_a_command_that_has_ended_before_anybody_looks_has_its_exit_code(monkeypatch):
    with connected(monkeypatch, "SSH-2.0-OpenSSH_9.2p1") as (client, host):
        client.auth_publickey("me", USER_KEY)
        host.hasty = True
        client.channel_events = Late(client)
        channel = client.open_running("exit 3")
        assert channel.recv_exit_status() == 3
