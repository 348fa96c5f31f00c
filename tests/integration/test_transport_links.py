"""Links that die, hosts that are off, servers that are busy: on real hosts."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clocks import slack
from logins import script, wait_for

from octossh.errors import ConnectError, ConnectionLost, Hosts
from octossh.model.targets import Target
from octossh.shell import Script
from octossh.transport import SSH
from octossh.transport.runners import connected

pytestmark = pytest.mark.lab


class TestALinkThatDies:
    """``$PPID`` of the shell is the sshd process of this one connection."""

    def test_is_lost_when_its_sshd_is_killed(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make()
        lines: list[str] = []
        killed_at = 0.0

        def kill(line: str) -> None:
            nonlocal killed_at
            lines.append(line)
            lab.sh(host, f"kill -9 {line}")
            killed_at = time.monotonic()

        with pytest.raises(ConnectionLost, match="a test") as caught:
            ssh.run(target, script("echo $PPID; sleep 60"), on_line=kill)
        assert time.monotonic() - killed_at < 2 * slack()
        assert caught.value.hosts is Hosts.UNKNOWN
        assert len(lines) == 1

    def test_is_opened_anew_by_the_next_run(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make()
        before = lab.ssh_connections(host)
        with pytest.raises(ConnectionLost):
            ssh.run(target, script("kill -9 $PPID; sleep 60"))
        assert ssh.run(target, script("echo back")).log == "back\n"
        assert lab.ssh_connections(host) == before + 2

    def test_while_nobody_looked_is_replaced_without_an_error(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make()
        pid = ssh.run(target, script("echo $PPID")).log.strip()
        lab.sh(host, f"kill -9 {pid}")
        assert ssh.run(target, script("echo back")).log == "back\n"

    def test_is_never_opened_anew_behind_our_back(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make()
        pid = ssh.run(target, script("echo $PPID")).log.strip()
        (slot,) = ssh._slots.values()
        link = slot.link
        assert link is not None
        lab.sh(host, f"kill -9 {pid}")
        wait_for(lambda: not link.alive)
        with pytest.raises(EOFError, match="dropped"):
            connected(link._transport).create_session()

    def test_while_its_sshd_hangs_is_replaced_by_the_next_run(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make(keepalive_s=1)
        pid = ssh.run(target, script("echo $PPID")).log.strip()
        lab.sh(host, f"kill -STOP {pid}")
        began = time.monotonic()
        assert ssh.run(target, script("echo back")).log == "back\n"
        assert time.monotonic() - began < 3.5 * slack()
        lab.sh(host, f"kill -9 {pid}")

    def test_is_lost_when_its_sshd_hangs_within_three_keepalives(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make(keepalive_s=1)
        pid = ""
        hung_at = 0.0

        def hang(line: str) -> None:
            nonlocal pid, hung_at
            pid = line
            lab.sh(host, f"kill -STOP {pid}")
            hung_at = time.monotonic()

        with pytest.raises(ConnectionLost, match="silent"):
            ssh.run(target, script("echo $PPID; sleep 60"), on_line=hang)
        assert time.monotonic() - hung_at < 3.5 * slack()
        lab.sh(host, f"kill -9 {pid}")

    def test_is_lost_when_the_cable_is_cut(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make(keepalive_s=1)
        cut_at = 0.0

        def cut(_line: str) -> None:
            nonlocal cut_at
            lab.cut(host)
            cut_at = time.monotonic()

        try:
            with pytest.raises(ConnectionLost):
                ssh.run(target, script("echo ready; sleep 60"), on_line=cut)
            assert time.monotonic() - cut_at < 3.5 * slack()
            with pytest.raises(ConnectError) as caught:
                make(connect_timeout_s=1).connect(target)
            assert caught.value.kind in ("timeout", "unreachable")
        finally:
            lab.mend(host)
        wait_for(lambda: ssh.run(target, script("echo back")).log == "back\n")

    def test_lives_through_a_short_cut(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make(keepalive_s=5)

        def blink(line: str) -> None:
            if line == "ready":
                lab.cut(host)
                threading.Event().wait(1)
                lab.mend(host)

        result = ssh.run(target, script("echo ready; sleep 2; echo done"), on_line=blink)
        assert result.log == "ready\ndone\n"

    def test_is_not_what_a_busy_link_looks_like(self, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make(keepalive_s=0.2)
        assert ssh.run(target, script("sleep 2; seq 1 400000 | tail -n 1")).log == "400000\n"

    def test_is_lost_when_the_transport_is_closed_meanwhile(self, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make()
        with pytest.raises(ConnectionLost, match="closed"):
            ssh.run(
                target, script("echo ready; sleep 60"), on_line=lambda _: threading.Thread(target=ssh.close).start()
            )
        with pytest.raises(ConnectError, match="closed"):
            ssh.run(target, script("echo"))

    def test_while_a_slow_callback_holds_it_is_noticed_all_the_same(
        self, target: Target, make: Callable[..., SSH]
    ) -> None:
        over = threading.Event()
        began = time.monotonic()
        with pytest.raises(ConnectionLost):
            make().run(target, script("echo ready; kill -9 $PPID; sleep 60"), on_line=lambda _: over.wait(30))
        assert time.monotonic() - began < 15 * slack()
        over.set()


class TestAHostThatIsOff:
    def test_has_no_sshd(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        lab.service(host, "sshd", "stop")
        try:
            with pytest.raises(ConnectError) as caught:
                make().connect(target)
        finally:
            lab.service(host, "sshd", "start")
        assert caught.value.kind == "refused"

    def test_has_an_sshd_that_hangs(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        lab.service(host, "sshd", "freeze")
        try:
            began = time.monotonic()
            with pytest.raises(ConnectError) as caught:
                make(connect_timeout_s=1).connect(target)
        finally:
            lab.service(host, "sshd", "thaw")
        assert caught.value.kind == "timeout"
        assert time.monotonic() - began < 2.5 * slack()

    def test_does_not_hold_up_the_others(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        other = list(lab.hosts)[1]
        ssh = make(connect_timeout_s=5, parallel=2)

        def connect() -> None:
            with contextlib.suppress(ConnectError):
                ssh.connect(target)

        lab.service(host, "sshd", "freeze")
        try:
            hung = threading.Thread(target=connect)
            hung.start()
            began = time.monotonic()
            ssh.run(Target(other, lab.hosts[other], user="root"), script("echo"))
            assert time.monotonic() - began < 4 * slack()
            assert hung.is_alive()
        finally:
            lab.service(host, "sshd", "thaw")
        hung.join()


class Proxy:
    """Stands before a host, and closes a connection after a number of bytes to it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.drops = 0
        self.limit: int | None = None
        self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.drops:
                self.drops -= 1
                near.close()
                continue
            far = socket.create_connection((self._address, 22))
            for a, b, counted in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=(a, b, counted), daemon=True).start()

    def _pump(self, a: socket.socket, b: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(1024):
                if counted:
                    self.passed += len(data)
                    if self.limit is not None and self.passed > self.limit:
                        break
                b.sendall(data)
        for sock in (a, b):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def proxy(lab: Any, host: str, tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy(lab.hosts[host])
    lines = [line.split(maxsplit=1)[1] for line in lab.known_hosts.read_text().splitlines() if lab.hosts[host] in line]
    (tmp_path / "known").write_text("".join(f"[127.0.0.1]:{made.port} {line}\n" for line in lines))
    yield made
    made.close()


def test_a_busy_sshd_is_tried_until_it_lets_us_in(proxy: Proxy, make: Callable[..., SSH], tmp_path: Path) -> None:
    proxy.drops = 3
    ssh = make(known_hosts=tmp_path / "known")
    assert ssh.run(Target("h", "127.0.0.1", port=proxy.port, user="root"), script("echo in")).log == "in\n"
    assert proxy.drops == 0


@pytest.mark.slow
def test_sixty_targets_on_one_sshd_all_get_in(lab: Any, host: str, make: Callable[..., SSH], tmp_path: Path) -> None:
    proxies = [Proxy(lab.hosts[host]) for _ in range(60)]
    keys = [line.split(maxsplit=1)[1] for line in lab.known_hosts.read_text().splitlines() if lab.hosts[host] in line]
    (tmp_path / "known").write_text("".join(f"127.0.0.1 {key}\n" for key in keys))
    ssh = make(known_hosts=tmp_path / "known")
    logs: list[str] = []
    targets = [Target(f"h{p.port}", "127.0.0.1", port=p.port, user="root") for p in proxies]
    threads = [threading.Thread(target=lambda t=t: logs.append(ssh.run(t, script("echo in")).log)) for t in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for proxy in proxies:
        proxy.close()
    assert logs == ["in\n"] * 60
    began = time.monotonic()
    ssh.close()
    assert time.monotonic() - began < 3 * slack()


@pytest.mark.parametrize("cut", [0, 1_000, 40_000, 150_000, 299_000, 300_000, 301_000])
def test_a_script_that_is_cut_on_its_way_does_nothing(
    proxy: Proxy, make: Callable[..., SSH], tmp_path: Path, lab: Any, host: str, cut: int
) -> None:
    mark = f"/tmp/cut-{os.getpid()}-{cut}"
    ssh = make(known_hosts=tmp_path / "known")
    # Nothing else runs as guest, so its last shell is gone when it has no process.
    target = Target("h", "127.0.0.1", port=proxy.port, user="guest")
    ssh.connect(target)
    proxy.limit = proxy.passed + 300 + cut
    filling = base64.encodebytes(random.Random(cut).randbytes(330_000)).decode().replace("\n", "\n# ")
    with pytest.raises((ConnectionLost, ConnectError)):
        ssh.run(target, Script("cut", f"main() {{\ntouch {mark}\n# {filling}\n}}\nmain </dev/null\n"))
    wait_for(lambda: lab.sh(host, "pgrep -u guest || true") == "")
    assert lab.sh(host, f"ls {mark} 2>/dev/null || true") == ""


@pytest.mark.parametrize("compress", [True, False])
def test_a_script_takes_a_fraction_of_its_length_on_the_wire_unless_one_says_no(
    proxy: Proxy, make: Callable[..., SSH], tmp_path: Path, compress: bool
) -> None:
    ssh = make(known_hosts=tmp_path / "known", compress=compress)
    target = Target("h", "127.0.0.1", port=proxy.port, user="root")
    ssh.connect(target)
    before = proxy.passed
    assert ssh.run(target, script("# filling\n" * 10_000 + "echo in")).log == "in\n"
    assert (proxy.passed - before < 10_000) == compress


def test_files_and_variables_of_fabric_and_ssh_have_no_say(lab: Any, target: Target, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text(
        "Host *\n  HostName 192.0.2.1\n  Port 1\n  User nobody\n  ProxyCommand false\n"
    )
    (tmp_path / ".fabric.yaml").write_text(
        "user: nobody\nport: 1\nrun: {echo: true, pty: true, warn: false, dry: true}\n"
    )
    (tmp_path / ".invoke.yaml").write_text("run: {echo: true, dry: true, hide: false}\n")
    code = (
        "import octossh.transport as t\nfrom octossh.model.targets import Target\nfrom octossh.shell import Script\n"
        f"with t.SSH(known_hosts={str(lab.known_hosts)!r}, identity={str(lab.key)!r}, config=False) as ssh:\n"
        f"    r = ssh.run(Target('h', {target.address!r}, user='root'), Script('s', 'echo hi; exit 3'))\n"
        "    print(r.exit_code, r.log)\n"
    )
    env = {**os.environ, "HOME": str(tmp_path), "INVOKE_RUN_ECHO": "1", "FABRIC_USER": "nobody", "LANG": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr) == ("3 hi\n\n", "")
