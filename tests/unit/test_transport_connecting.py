"""Opening connections to what is no good SSH server, and to what is none at all. No lab is needed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from octossh.errors import AuthError, ConnectError, ModelError
from octossh.model.targets import Target
from octossh.shell import Script, Secret
from octossh.transport import SSH, OpenSSH
from octossh.transport.faults import Where
from octossh.transport.routes import Identity

Served = Callable[[Callable[[socket.socket], None]], Target]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octossh.transport.pools._BACKOFF_S", (0.01, 0.01, 0.01))


@pytest.fixture
def serve() -> Iterator[Served]:
    """A TCP server that does with each connection what a function says, and then closes it."""
    listeners: list[socket.socket] = []
    over = threading.Event()

    def start(handle: Callable[[socket.socket], None]) -> Target:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                handle(connection)

        def loop() -> None:
            while not over.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        return Target("h01", "127.0.0.1", port=listener.getsockname()[1])

    yield start
    over.set()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def refused(target: Target, tmp_path: Path, *, timeout_s: float = 1.0) -> ConnectError:
    with SSH(known_hosts=tmp_path / "none", identity=[], connect_timeout_s=timeout_s) as ssh:
        with pytest.raises(ConnectError) as caught:
            ssh.connect(target)
        return caught.value


def silence(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def saying(text: bytes, then: Callable[[socket.socket], None] = lambda _: None) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.sendall(text)
        then(connection)

    return handle


@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        pytest.param(silence, "timeout", id="says nothing"),
        pytest.param(saying(b"SSH-2.", silence), "timeout", id="says half a greeting", marks=pytest.mark.slow),
        pytest.param(
            saying(b"SSH-2.0-x\r\n", silence), "timeout", id="says no more than the greeting", marks=pytest.mark.slow
        ),
        pytest.param(saying(b"SSH-2.0-x\r\n"), "kex", id="closes after the greeting", marks=pytest.mark.slow),
        pytest.param(saying(b"SSH-1.5-old\r\n", silence), "not_ssh", id="speaks SSH 1"),
        pytest.param(
            saying(b"SSH-2.0-x\r\n" + b"\0" * 64, silence),
            "kex",
            id="speaks nonsense after the greeting",
            marks=pytest.mark.slow,
        ),
        pytest.param(saying(b"220 mail ESMTP\r\n", silence), "not_ssh", id="is a mail server", marks=pytest.mark.slow),
        pytest.param(saying(b"220 mail ESMTP\r\n"), "not_ssh", id="is a mail server that closes"),
        pytest.param(saying(b"\xff\xfe\x00" * 300), "not_ssh", id="speaks no text"),
        pytest.param(lambda _connection: None, "refused", id="closes at once"),
        pytest.param(saying(b"Exceeded MaxStartups\r\n"), "refused", id="is too busy"),
        pytest.param(saying(b"Not allowed at this time\r\n"), "refused", id="has banned us"),
    ],
)
def test_a_bad_server_is_named_for_what_it_is_and_in_time(
    serve: Served, tmp_path: Path, handle: Callable[[socket.socket], None], kind: str
) -> None:
    before = threading.active_count()
    began = time.monotonic()
    error = refused(serve(handle), tmp_path)
    assert error.kind == kind, str(error)
    assert time.monotonic() - began < 3
    assert str(error).startswith("h01 (")
    # The server's own threads end with the connections.
    deadline = time.monotonic() + 5
    while threading.active_count() > before + 1 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert threading.active_count() <= before + 1, threading.enumerate()


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refused(Target("h01", "127.0.0.1", port=port), tmp_path).kind == "refused"


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    error = refused(Target("h01", "no-such-host.invalid"), tmp_path)
    assert error.kind == "dns"
    assert "no-such-host.invalid" in str(error)


def test_a_name_server_that_is_silent_costs_no_more_than_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def ask(*_: object, flags: int = 0, **__: object) -> None:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "it is no address in numbers")
        over.wait(30)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    began = time.monotonic()
    assert refused(Target("h01", "slow.example.com"), tmp_path, timeout_s=0.3).kind == "dns"
    assert time.monotonic() - began < 2
    over.set()


def test_the_second_address_of_a_name_is_tried(serve: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = serve(saying(b"220 mail\r\n"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (closed, target.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
    assert refused(target, tmp_path).kind == "not_ssh"


def test_a_drop_before_the_greeting_is_tried_again_three_times(serve: Served, tmp_path: Path) -> None:
    tries: list[int] = []
    error = refused(serve(lambda _connection: tries.append(1)), tmp_path)
    assert len(tries) == 4
    assert "MaxStartups" in str(error)


def test_anything_else_is_not_tried_again(serve: Served, tmp_path: Path) -> None:
    tries: list[int] = []

    def handle(connection: socket.socket) -> None:
        tries.append(1)
        connection.sendall(b"220 mail ESMTP\r\n")

    refused(serve(handle), tmp_path)
    assert len(tries) == 1


def test_not_more_connections_than_asked_for_are_opened_at_once(serve: Served, tmp_path: Path) -> None:
    pair, crowd = threading.Barrier(2), threading.Barrier(3)
    too_many: list[int] = []
    came: list[int] = []

    def handle(connection: socket.socket) -> None:
        came.append(1)
        pair.wait(5)
        with contextlib.suppress(threading.BrokenBarrierError):
            crowd.wait(0.3)
            too_many.append(1)
        connection.sendall(b"220 no\r\n")

    targets = [serve(handle) for _ in range(6)]
    with SSH(known_hosts=tmp_path / "none", identity=[], connect_timeout_s=5, parallel=2) as ssh:

        def connect(target: Target) -> None:
            with contextlib.suppress(ConnectError):
                ssh.connect(target)

        threads = [threading.Thread(target=connect, args=(target,)) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(came) == 6
    assert not too_many


def test_paramiko_says_nothing(serve: Served, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused(serve(saying(b"SSH-2.0-x\r\n")), tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_importing_the_package_imports_none_of_the_libraries() -> None:
    code = (
        "import sys, octossh.transport as t; t.SSH(); t.Local();"
        "print([n for n in ('fabric', 'paramiko', 'invoke', 'cryptography') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("bad", [{"connect_timeout_s": 0}, {"keepalive_s": -1}, {"parallel": 0}])
def test_numbers_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ModelError, match=next(iter(bad))):
        SSH(**bad)  # type: ignore[arg-type]


def test_a_closed_transport_connects_no_more(tmp_path: Path) -> None:
    ssh = SSH(known_hosts=tmp_path / "none")
    ssh.close()
    ssh.close()
    for call in (lambda: ssh.connect(Target("h", "127.0.0.1")), lambda: ssh.run(Target("h", "::1"), Script("s", ""))):
        with pytest.raises(ConnectError, match="closed"):
            call()


def test_the_user_is_that_of_the_target_or_of_the_transport_or_of_this_machine() -> None:
    import pwd

    me = pwd.getpwuid(os.getuid()).pw_name
    assert SSH()._routing.route(Target("h", "h")).where.user == me
    assert SSH(user="deploy")._routing.route(Target("h", "h")).where.user == "deploy"
    assert SSH(user="deploy")._routing.route(Target("h", "h", user="root")).where.user == "root"


# Keys. No server: what would be offered.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def keygen(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-a", "1", "-N", passphrase, "-f", path], check=True)
    return path


def offered(
    identity: list[str] | None, passphrase: Callable[[str], Secret | None] = lambda _: None
) -> tuple[list[str], list[str]]:
    from octossh.transport.logins import Keys

    given = Identity(None if identity is None else tuple(identity), must=identity is not None, only=identity is not None,
                     agent=os.environ.get("SSH_AUTH_SOCK", ""))  # fmt: skip
    with Keys(passphrase).offers(given, Where("h01", "root", "h", 22)) as (offers, remarks):
        return [offer.name for offer in offers], remarks


def test_without_an_identity_the_default_keys_are_offered_in_the_order_of_ssh(home: Path) -> None:
    keygen(home / ".ssh/id_ed25519")
    keygen(home / ".ssh/id_ecdsa", kind="ecdsa")
    assert offered(None) == (["~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"], [])


def test_default_keys_that_cannot_be_used_are_remarked_on(home: Path) -> None:
    keygen(home / ".ssh/id_ed25519", passphrase="hush-hush")
    (home / ".ssh/id_rsa").write_text("garbage")
    names, remarks = offered(None)
    assert names == []
    assert remarks == [
        "~/.ssh/id_rsa: it is no private key that can be read",
        "~/.ssh/id_ed25519: it is behind a passphrase",
    ]


@pytest.mark.parametrize("what", ["missing", "garbage", "locked", "folder"])
def test_an_identity_that_cannot_be_used_is_a_login_error_that_names_it(home: Path, what: str) -> None:
    path = home / "key"
    match what:
        case "garbage":
            path.write_text("-----BEGIN nothing\n")
        case "locked":
            keygen(path, passphrase="hush-hush")
        case "folder":
            path.mkdir()
    with pytest.raises(AuthError, match=str(path)):
        offered([str(path)])


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None, "ssh-agent has ended; a path of more than 107 letters is too long for it"
        threading.Event().wait(0.01)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield path
    process.terminate()
    process.wait()


@pytest.mark.usefixtures("agent")
def test_keys_of_the_agent_come_first(home: Path) -> None:
    subprocess.run(["ssh-add", "-q", keygen(home / "other")], check=True)
    keygen(home / ".ssh/id_ed25519")
    assert offered(None)[0] == ["ssh-ed25519 of the agent", "~/.ssh/id_ed25519"]


@pytest.mark.usefixtures("agent")
def test_with_an_identity_no_other_key_of_the_agent_is_offered(home: Path) -> None:
    subprocess.run(["ssh-add", "-q", keygen(home / "other")], check=True)
    key = keygen(home / "key")
    assert offered([str(key)])[0] == [str(key)]


@pytest.mark.usefixtures("agent")
def test_an_identity_behind_a_passphrase_is_taken_from_the_agent(home: Path) -> None:
    subprocess.run(["ssh-add", "-q", keygen(home / "other")], check=True)
    locked = keygen(home / "locked")
    subprocess.run(["ssh-add", "-q", locked], check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "hush-hush", "-f", locked], check=True)
    assert offered([str(locked)])[0] == [f"{locked} of the agent"]
    assert offered([f"{locked}.pub"])[0] == [f"{locked}.pub of the agent"]


@pytest.mark.slow
def test_an_agent_that_hangs_costs_two_seconds_and_is_remarked_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(home / "hung")
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        began = time.monotonic()
        assert offered(None) == ([], [f"the SSH agent at {path} did not answer within 2 s"])
        assert time.monotonic() - began < 3


def test_an_agent_that_is_gone_is_remarked_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "gone"))
    names, remarks = offered(None)
    assert names == []
    assert "cannot be reached" in remarks[0]


def test_a_passphrase_is_asked_for_once_and_opens_the_key(home: Path) -> None:
    from octossh.transport.logins import Keys

    path = str(keygen(home / "key", passphrase="hush-hush"))
    asked: list[str] = []

    def tell(what: str) -> Secret:
        asked.append(what)
        return Secret("hush-hush")

    keys = Keys(tell)
    for _ in range(2):
        with keys.offers(Identity((path,), must=True, only=True), Where("h01", "root", "h", 22)) as (offers, _remarks):
            assert [offer.name for offer in offers] == [path]
    assert asked == [path]


def test_a_passphrase_that_is_wrong_is_told_without_it(home: Path) -> None:
    path = str(keygen(home / "key", passphrase="hush-hush"))
    with pytest.raises(AuthError, match="does not open it") as caught:
        offered([path], lambda _: Secret("wrong-one"))
    assert "wrong-one" not in str(caught.value)


def test_a_certificate_beside_a_key_is_offered_before_it(home: Path) -> None:
    path, authority = keygen(home / "key"), keygen(home / "ca")
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", "root", f"{path}.pub"], check=True)
    assert offered([str(path)])[0] == [f"{path}-cert.pub with {path}", str(path)]


def test_a_broken_certificate_beside_a_key_is_named(home: Path) -> None:
    path = keygen(home / "key")
    (home / "key-cert.pub").write_text("garbage\n")
    with pytest.raises(AuthError, match=r"key-cert\.pub, cannot be read"):
        offered([str(path)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        pytest.param(silence, "timeout", id="says nothing"),
        pytest.param(saying(b"SSH-2.0-x\r\n", silence), "timeout", id="says no more than the greeting"),
        pytest.param(saying(b"220 mail ESMTP\r\n", silence), "timeout", id="is a mail server"),
        pytest.param(saying(b"SSH-1.5-old\r\n", silence), "not_ssh", id="speaks SSH 1"),
        pytest.param(lambda _connection: None, "refused", id="closes at once"),
        pytest.param(saying(b"Exceeded MaxStartups\r\n"), "refused", id="is too busy"),
    ],
)
def test_the_ssh_of_the_system_names_a_bad_server_in_the_same_words(
    serve: Served, tmp_path: Path, handle: Callable[[socket.socket], None], kind: str
) -> None:
    with OpenSSH(known_hosts=tmp_path / "none", identity=[], connect_timeout_s=1, config=False) as ssh:
        with pytest.raises(ConnectError) as caught:
            ssh.connect(serve(handle))
        assert caught.value.kind == kind, str(caught.value)
        assert str(caught.value).startswith("h01 (")
        (folder,) = [Path(ssh._folder.name)] if ssh._folder else [tmp_path]
        assert list(folder.iterdir()) == []
    assert not folder.exists()


@pytest.mark.parametrize(
    ("address", "port", "kind"), [("127.0.0.1", 1, "refused"), ("no-such-host.invalid", 22, "dns")]
)
def test_the_ssh_of_the_system_says_where_nobody_is(tmp_path: Path, address: str, port: int, kind: str) -> None:
    with OpenSSH(known_hosts=tmp_path / "none", identity=[], connect_timeout_s=1, config=False) as ssh:
        with pytest.raises(ConnectError) as caught:
            ssh.connect(Target("h01", address, port=port))
        assert caught.value.kind == kind, str(caught.value)


def test_without_an_ssh_there_is_no_transport_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ModelError, match="install it"):
        OpenSSH()


@pytest.mark.parametrize("bad", [{"options": "A=b"}, {"options": ["A=b\nC=d"]}, {"keepalive_s": 0}, {"per_jump": 0}])
def test_arguments_that_make_no_sense_are_refused_by_it(bad: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=next(iter(bad))):
        OpenSSH(**bad)  # type: ignore[arg-type]
