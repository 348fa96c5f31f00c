"""Going towards a host before anybody wants a connection to it, with a server of paramiko's as the host."""

from __future__ import annotations

import contextlib
import importlib.abc
import queue
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import paramiko
import pytest

import octossh as oc
from octossh.errors import ConnectError, HostKeyError, ModelError
from octossh.shell import Script
from octossh.transport import SSH
from octossh.transport import ssh as ssh_module
from octossh.transport.faults import Fault
from octossh.transport.gates import Gate
from octossh.transport.links import Link, Options
from octossh.transport.routes import Route

HOST_KEY, USER_KEY = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
PATIENCE_S = 10


class Guard(paramiko.ServerInterface):
    """Takes the key of the user, and notes who wanted to log in."""

    def __init__(self) -> None:
        self.logins: list[str] = []
        self.commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.sessions: queue.SimpleQueue[paramiko.Channel] = queue.SimpleQueue()

    def check_auth_publickey(self, username: str, key: Any) -> int:
        self.logins.append(username)
        return paramiko.AUTH_SUCCESSFUL if key == USER_KEY else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.commands.put(command)
        self.sessions.put(channel)
        return True


class Host:
    """A server, and what has come to it."""

    def __init__(self) -> None:
        self.guard, self.listener = Guard(), socket.create_server(("127.0.0.1", 0))
        self.connections: list[paramiko.Transport] = []
        self.greeted, self.left = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = paramiko.Transport(self.listener.accept()[0])
                connection.add_server_key(HOST_KEY)
                self.connections.append(connection)
                try:
                    connection.start_server(server=self.guard)
                    self.greeted.set()
                except (paramiko.SSHException, EOFError):
                    self.left.set()

    def target(self, name: str = "h01", *, key: paramiko.PKey = HOST_KEY) -> oc.Target:
        port = self.listener.getsockname()[1]
        pin = f"{key.get_name()} {key.get_base64()}"
        return oc.Target(name, "127.0.0.1", port=port, user="ann", host_key=pin, environments=["Dev"], roles=["web"])

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SSH]:
    USER_KEY.write_private_key_file(str(tmp_path / "key"))
    with SSH(config=False, identity=tmp_path / "key") as made:
        yield made


def test_nobody_is_logged_in_before_the_connection_is_wanted(host: Host, ssh: SSH) -> None:
    ssh.approach([host.target()])
    assert host.greeted.wait(PATIENCE_S)
    assert host.guard.logins == []
    ssh.connect(host.target())
    assert "ann" in host.guard.logins
    assert len(host.connections) == 1


def test_the_cipher_that_is_wanted_first_is_one_of_a_single_pass_which_some_hosts_want_alone(
    host: Host, ssh: SSH
) -> None:
    ssh.connect(host.target())
    (connection,) = host.connections
    assert {connection.local_cipher, connection.remote_cipher} <= {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}


def test_what_nobody_wants_ends_with_its_transport(host: Host, ssh: SSH) -> None:
    ssh.approach([host.target()])
    assert host.greeted.wait(PATIENCE_S)
    ssh.close()
    host.connections[0].join(PATIENCE_S)
    assert not host.connections[0].is_active()
    assert host.guard.logins == []


def test_what_nobody_has_wanted_for_long_is_given_up_and_opened_anew(
    host: Host, ssh: SSH, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octossh.transport.gates._PATIENCE_S", 0)
    ssh.approach([host.target()])
    assert host.greeted.wait(PATIENCE_S)
    host.connections[0].join(PATIENCE_S)
    ssh.connect(host.target())
    assert len(host.connections) == 2


def test_a_host_that_was_gone_when_it_was_wanted_is_given_up_and_opened_anew() -> None:
    gate = Gate(is_open=False)

    def alive() -> bool:
        gone = gate.is_open
        gate.open()
        return not gone

    assert not gate.passed(alive)
    assert gate.gave_up


def test_what_was_wanted_from_the_beginning_goes_on_to_the_login_which_tells_what_happened() -> None:
    gate = Gate(is_open=True)
    assert gate.passed(lambda: False)
    assert not gate.gave_up


def test_what_goes_wrong_on_the_way_is_told_by_whoever_connects(host: Host, ssh: SSH) -> None:
    stranger = host.target(key=paramiko.ECDSAKey.generate())
    ssh.approach([stranger])
    with pytest.raises(HostKeyError):
        ssh.connect(stranger)
    assert host.guard.logins == []


def test_who_waits_for_a_host_that_cannot_be_reached_is_told_once(host: Host, ssh: SSH) -> None:
    target = host.target()
    host.close()
    ssh.approach([target])
    for _ in range(2):
        with pytest.raises(ConnectError):
            ssh.connect(target)


def test_several_targets_at_one_address_take_one_place_there(host: Host, ssh: SSH) -> None:
    ssh.approach([host.target(f"h{number:02}") for number in range(20)])
    assert host.greeted.wait(PATIENCE_S)
    ssh.connect(host.target())
    assert len(host.connections) == 1


def test_no_session_is_begun_ahead_that_would_wait_for_a_password(host: Host, tmp_path: Path) -> None:
    USER_KEY.write_private_key_file(str(tmp_path / "key"))
    plain = host.target()
    with SSH(config=False, identity=tmp_path / "key", sudo_password="geheim") as ssh:
        ssh.connect(plain)
        ssh.ahead(attrs.evolve(plain, sudo=True), now=True)
        ssh.ahead(plain, now=True)
        assert host.guard.commands.get(timeout=PATIENCE_S) == b"exec sh -s"


@pytest.fixture
def no_fabric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fabric", None)
    for name in ("links", "runners"):
        monkeypatch.delitem(sys.modules, f"octossh.transport.{name}", raising=False)


@pytest.mark.usefixtures("no_fabric")
def test_a_fabric_that_cannot_be_loaded_is_told_as_that_and_nothing_is_sent(host: Host, ssh: SSH) -> None:
    with pytest.raises(ImportError, match="fabric") as told:
        ssh.run(host.target(), Script("say", "echo hi\n"))
    assert host.left.wait(PATIENCE_S), told  # which holds what is not closed
    assert host.guard.commands.empty()


@pytest.mark.usefixtures("no_fabric")
def test_a_fabric_that_cannot_be_loaded_is_told_once(host: Host, ssh: SSH, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with pytest.raises(ImportError, match="fabric"):
        ssh.approach([host.target()])
    for thread in threading.enumerate():
        if thread.name == f"octossh {host.target()}":
            thread.join(PATIENCE_S)
    assert died == []


class NoFabric(importlib.abc.MetaPathFinder):
    """Tells that there is no fabric once it may."""

    def __init__(self) -> None:
        self.asked, self.may_tell = threading.Event(), threading.Event()

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "fabric":
            self.asked.set()
            assert self.may_tell.wait(PATIENCE_S)
            raise ImportError("there is no fabric")


@pytest.mark.usefixtures("no_fabric")
def test_all_who_want_a_fabric_at_one_time_are_told_that_it_cannot_be_loaded(
    ssh: SSH, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder, told = NoFabric(), list[str]()
    monkeypatch.delitem(sys.modules, "fabric")
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])

    def wants() -> None:
        try:
            ssh.approach([])
        except ImportError as error:
            told.append(str(error))

    def waits(thread: threading.Thread) -> bool:
        stack = traceback.extract_stack(sys._current_frames()[thread.ident or 0])
        return any(frame.name == "_lock_unlock_module" or "with _LOADING" in (frame.line or "") for frame in stack)

    threads = [threading.Thread(target=wants) for _ in range(2)]
    threads[0].start()
    assert finder.asked.wait(PATIENCE_S)
    threads[1].start()
    deadline = time.monotonic() + PATIENCE_S
    while not waits(threads[1]):
        assert time.monotonic() < deadline
    finder.may_tell.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert told == ["there is no fabric"] * 2


def test_a_slow_machine_takes_no_time_from_a_host_to_answer_in(
    host: Host, ssh: SSH, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_s, made_options, opened = [0.0], ssh._made_options, Link.open
    left_s: list[float] = []

    def slow() -> Options:
        late_s[0] += 60
        return made_options()

    def noting(route: Route, options: Options, deadline: float, *given: Any) -> Link | Fault:
        left_s.append(deadline - late_s[0] - time.monotonic())
        return opened(route, options, deadline, *given)

    monkeypatch.setattr(ssh_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + late_s[0]))
    monkeypatch.setattr(ssh, "_made_options", slow)
    monkeypatch.setattr(Link, "open", noting)
    ssh.connect(host.target())
    assert 0 < left_s[0] <= 10


def test_where_no_thread_is_to_be_had_nothing_is_sent_and_no_session_stays(
    host: Host, ssh: SSH, few: dict[str, int]
) -> None:
    ssh.connect(host.target())
    few["octossh-feed"] = 0
    with pytest.raises(ConnectError, match="no SSH session could be opened"):
        ssh.run(host.target(), Script("say", "echo hi\n"))
    session = host.guard.sessions.get(timeout=PATIENCE_S)
    session.settimeout(PATIENCE_S)
    assert session.recv(1) == b""


def test_where_no_thread_is_to_be_had_a_connection_that_dies_meanwhile_changes_nothing_of_what_is_told(
    host: Host, ssh: SSH, few: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh.connect(host.target())

    def dead(_channel: paramiko.Channel) -> None:
        if few.refused.is_set():  # type: ignore[attr-defined]
            raise EOFError

    few["octossh-feed"] = 0
    monkeypatch.setattr(paramiko.Channel, "close", dead)
    with pytest.raises(ConnectError, match="no SSH session could be opened"):
        ssh.run(host.target(), Script("say", "echo hi\n"))


@pytest.mark.slow
def test_what_others_import_is_as_it_would_be_without_us() -> None:
    code = """
        import sys; from octossh.transport.ssh import SSH; SSH()._made_options()
        from invoke.program import Program
        import fabric, invoke
        assert Program is invoke.Program
        assert type(invoke) is type(sys)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


VERBS: dict[str, Callable[[oc.Space], object]] = {
    "deploy": lambda space: space.deploy("9.9.9", "Dev"),
    "promote": lambda space: space.promote(to="Dev"),
    "rollback": lambda space: space.rollback(environment="Dev"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_deployment_that_is_not_to_be_logs_nobody_in(host: Host, ssh: SSH, verb: str) -> None:
    project = oc.Project("shop", process=[oc.RunScript("say", script="true")], lifecycle=oc.Lifecycle("Dev", "Test"))
    with oc.Space("sqlite://", projects=[project], targets=[host.target()], transport=ssh) as space:
        with pytest.raises(oc.OctosshError):
            VERBS[verb](space)
        assert host.greeted.wait(PATIENCE_S)
    assert host.guard.logins == []


@pytest.mark.parametrize("left_out", [{"exclude": ["h01"]}, {"only": ["h02"]}])
def test_no_way_is_made_to_hosts_that_the_deployment_leaves_out(
    host: Host, ssh: SSH, monkeypatch: pytest.MonkeyPatch, left_out: dict[str, list[str]]
) -> None:
    approached: list[str] = []
    monkeypatch.setattr(ssh, "approach", lambda targets: approached.extend(target.name for target in targets))
    project = oc.Project("shop", process=[oc.RunScript("say", script="true", roles=["web"])])
    targets = [host.target(), oc.Target("h02", "192.0.2.1", environments=["Dev"]), oc.Target("h03", "192.0.2.2")]
    with oc.Space("sqlite://", projects=[project], targets=targets, transport=ssh) as space:
        with pytest.raises(ModelError, match="release"):
            space.deploy("9.9.9", "Dev", **left_out)  # type: ignore[arg-type]
    assert approached == []
