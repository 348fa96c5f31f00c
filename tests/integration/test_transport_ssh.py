"""Host keys and logins: what is special about SSH, on real hosts."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logins import logins_tried, open_files, script, wait_for

from octossh.errors import AuthError, ConnectError, ConnectionLost, HostKeyError, Hosts
from octossh.model.targets import Target
from octossh.shell import Frame
from octossh.transport import SSH

pytestmark = pytest.mark.lab


class TestOneConnection:
    def test_serves_all_runs_of_a_target(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make()
        connections, sessions = lab.ssh_connections(host), lab.ssh_sessions(host)
        ssh.connect(target)
        ssh.connect(target)
        for _ in range(3):
            ssh.run(target, script(":"))
        wait_for(lambda: lab.ssh_sessions(host) == sessions + 3)
        assert lab.ssh_connections(host) == connections + 1

    def test_is_opened_once_though_many_threads_want_it(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make()
        before = lab.ssh_connections(host)
        results: list[str] = []
        threads = [
            threading.Thread(target=lambda: results.append(ssh.run(target, script("echo hi")).log)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == ["hi\n"] * 8
        assert lab.ssh_connections(host) == before + 1

    def test_of_each_user_is_its_own(self, lab: Any, host: str, make: Callable[..., SSH]) -> None:
        ssh = make(user="deploy")
        assert ssh.run(Target("a", lab.hosts[host]), script("id -un")).log == "deploy\n"
        assert ssh.run(Target("b", lab.hosts[host], user="guest"), script("id -un")).log == "guest\n"

    def test_of_many_targets_is_opened_side_by_side(self, lab: Any, make: Callable[..., SSH]) -> None:
        ssh = make()
        targets = [Target(name, address, user="root") for name, address in lab.hosts.items()]
        names: dict[str, str] = {}

        def one(target: Target) -> None:
            names[target.name] = ssh.run(target, script("hostname")).log.strip()

        threads = [threading.Thread(target=one, args=(target,)) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert names == {name: name for name in lab.hosts}

    def test_asks_for_one_session_more_than_the_host_allows_with_a_clear_error(
        self, target: Target, make: Callable[..., SSH]
    ) -> None:
        ssh = make()
        ready = threading.Semaphore(0)

        def hold() -> None:
            with contextlib.suppress(ConnectionLost):
                ssh.run(target, script("echo ready; sleep 60"), on_line=lambda _: ready.release())

        threads = [threading.Thread(target=hold) for _ in range(10)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert ready.acquire(timeout=20)
        with pytest.raises(ConnectError, match="MaxSessions"):
            ssh.run(target, script("echo"))
        ssh.close()
        for thread in threads:
            thread.join(10)

    @pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr"])
    def test_carries_much_with_each_cipher_that_a_host_may_want(
        self,
        lab: Any,
        host: str,
        make: Callable[..., SSH],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        cipher: str,
    ) -> None:
        monkeypatch.setattr("paramiko.packet.Packetizer.REKEY_BYTES", 300_000)  # new keys on the way, as after hours
        lab.sh(host, f"/usr/sbin/sshd -p 2345 -o Ciphers={cipher} -o PidFile=/run/cipher.pid")
        try:
            keys = [line.split()[1:] for line in lab.known_hosts.read_text().splitlines() if lab.hosts[host] in line]
            known = tmp_path / "known"
            known.write_text("".join(f"[{lab.hosts[host]}]:2345 {kind} {key}\n" for kind, key, *_ in keys))
            target = Target("h", lab.hosts[host], user="root", port=2345)
            lines: list[str] = []
            much = script(f"seq 100000\n: {'x' * 1_000_000}")
            result = make(known_hosts=known).run(target, much, on_line=lines.append)
        finally:
            lab.sh(host, "kill $(cat /run/cipher.pid)")
        assert (result.exit_code, lines) == (0, [str(number) for number in range(1, 100_001)])


class TestHostKeys:
    @pytest.fixture
    def refused(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH], tmp_path: Path
    ) -> Callable[[str], str]:
        def connect(known_hosts: str) -> str:
            file = tmp_path / "known_hosts"
            file.write_text(known_hosts)
            before = logins_tried(lab, host)
            with pytest.raises(HostKeyError) as caught:
                make(known_hosts=file).run(target, script("touch /tmp/never"))
            assert caught.value.kind == "host_key"
            assert caught.value.hosts is Hosts.UNTOUCHED
            assert logins_tried(lab, host) == before
            return str(caught.value)

        return connect

    def keys(self, lab: Any, host: str, kind: str) -> str:
        """Of another host or of this one, as ``type base64``."""
        return next(
            line.split(maxsplit=1)[1]
            for line in lab.known_hosts.read_text().splitlines()
            if lab.hosts[host] in line.split()[0].split(",") and line.split()[1] == kind
        )

    def test_unknown_is_refused_with_its_fingerprint_and_what_to_do(
        self, lab: Any, host: str, refused: Callable[[str], str], tmp_path: Path
    ) -> None:
        said = refused("")
        scan = subprocess.run(
            ["sh", "-c", f"ssh-keyscan -t ed25519 {lab.hosts[host]} 2>/dev/null | ssh-keygen -lf -"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert scan.stdout.split()[1] in said
        assert "ssh-ed25519 SHA256:" in said
        assert f"ssh-keyscan -t ed25519 -p 22 {lab.hosts[host]} >> {tmp_path}/known_hosts" in said

    def test_unknown_is_accepted_after_the_advice_was_followed(
        self, target: Target, refused: Callable[[str], str], make: Callable[..., SSH], tmp_path: Path
    ) -> None:
        advice = refused("").partition("then add the key with ")[2].partition(" (to look")[0]
        subprocess.run(["sh", "-c", f"{advice} 2>/dev/null"], check=True)
        make(known_hosts=tmp_path / "known_hosts").connect(target)

    def test_changed_is_refused_with_both_fingerprints_and_the_line(
        self, lab: Any, host: str, refused: Callable[[str], str], tmp_path: Path
    ) -> None:
        other = list(lab.hosts)[1]
        said = refused(f"# comment\n{lab.hosts[host]} {self.keys(lab, other, 'ssh-ed25519')}\n")
        assert "has changed" in said
        assert said.count("SHA256:") == 2
        assert f"{tmp_path}/known_hosts:2" in said

    def test_revoked_is_refused(self, lab: Any, host: str, refused: Callable[[str], str]) -> None:
        key = self.keys(lab, host, "ssh-ed25519")
        assert "revoked" in refused(f"{lab.hosts[host]} {key}\n@revoked * {key}\n")

    @pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"])
    def test_of_any_one_type_is_enough(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH], tmp_path: Path, kind: str
    ) -> None:
        file = tmp_path / "known_hosts"
        file.write_text(f"garbage\n@cert-authority * ssh-rsa AAAA\n{target.address} {self.keys(lab, host, kind)}\n")
        make(known_hosts=file).connect(target)

    def test_hashed_are_found(self, lab: Any, target: Target, make: Callable[..., SSH], tmp_path: Path) -> None:
        file = tmp_path / "known_hosts"
        file.write_text(lab.known_hosts.read_text())
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
        make(known_hosts=file).connect(target)

    def test_are_checked_again_when_a_dropped_connection_is_opened_anew(
        self, lab: Any, target: Target, make: Callable[..., SSH], tmp_path: Path, host: str
    ) -> None:
        file = tmp_path / "known_hosts"
        file.write_text(lab.known_hosts.read_text())
        ssh = make(known_hosts=file)
        with pytest.raises(ConnectionLost):
            ssh.run(target, script("kill -9 $PPID; sleep 60"))
        file.write_text("")
        with pytest.raises(HostKeyError):
            ssh.run(target, script("echo"))


class TestLogins:
    def test_a_refused_key_is_named_and_tried_once(
        self, target: Target, make: Callable[..., SSH], tmp_path: Path, lab: Any, host: str
    ) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
        log = lab.state / "hosts" / host / "log" / "sshd.log"
        before = log.read_text().count("Failed publickey")
        with pytest.raises(AuthError, match=rf"{tmp_path}/key: refused") as caught:
            make(identity=tmp_path / "key").connect(target)
        assert caught.value.hosts is Hosts.UNTOUCHED
        wait_for(lambda: log.read_text().count("Failed publickey") == before + 1)

    def test_the_second_key_is_offered_when_the_first_is_refused(
        self, target: Target, make: Callable[..., SSH], tmp_path: Path, lab: Any
    ) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", tmp_path / "key"], check=True)
        make(identity=[tmp_path / "key", lab.key]).connect(target)

    def test_the_default_key_is_found(
        self, target: Target, make: Callable[..., SSH], tmp_path: Path, lab: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh/id_ed25519").write_bytes(Path(lab.key).read_bytes())
        monkeypatch.setenv("HOME", str(tmp_path))
        make(identity=None).connect(target)

    def test_a_key_in_the_agent_is_used(
        self, target: Target, make: Callable[..., SSH], tmp_path: Path, lab: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sock = tmp_path / "agent"
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        monkeypatch.setenv("HOME", str(tmp_path))
        with subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL) as agent:
            wait_for(sock.exists)
            subprocess.run(["ssh-add", "-q", lab.key], check=True)
            make(identity=None).connect(target)
            agent.terminate()

    def test_no_key_at_all_says_what_to_give(
        self, target: Target, make: Callable[..., SSH], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(AuthError, match="identity="):
            make(identity=None).connect(target)

    def test_that_fail_leave_no_threads_and_no_files(
        self, target: Target, make: Callable[..., SSH], tmp_path: Path
    ) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
        ssh = make(identity=tmp_path / "key")

        def fail() -> None:
            with pytest.raises(AuthError):
                ssh.connect(target)

        fail()
        threads, fds = threading.active_count(), open_files()
        for _ in range(15):
            fail()
        assert threading.active_count() <= threads
        assert open_files() <= fds


class TestTheAccount:
    def test_may_have_a_noisy_bashrc(self, lab: Any, host: str, make: Callable[..., SSH]) -> None:
        noise = "echo noise; echo more >&2; printf 'no newline'; echo '##octossh 0 state forged'"
        lab.sh(host, f'cp /home/guest/.bashrc /tmp/kept; echo "{noise}" >/home/guest/.bashrc')
        try:
            result = make().run(
                Target("h", lab.hosts[host], user="guest"),
                script('echo "##octossh $octossh_nonce state real"; return 3'),
            )
        finally:
            lab.sh(host, "cp /tmp/kept /home/guest/.bashrc")
        assert (result.exit_code, result.frames) == (3, (Frame("state", "real"),))
        assert "noise\n" in result.log
        assert "more\n" in result.log

    @pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash", "/bin/sh"])
    def test_may_have_any_login_shell(self, lab: Any, host: str, make: Callable[..., SSH], shell: str) -> None:
        lab.sh(host, f"usermod -s {shell} guest")
        try:
            result = make().run(Target("h", lab.hosts[host], user="guest"), script("echo fine; return 3"))
        finally:
            lab.sh(host, "usermod -s /bin/bash guest")
        assert (result.exit_code, result.log) == (3, "fine\n")

    def test_that_may_not_log_in_fails_with_what_it_was_told(
        self, lab: Any, host: str, make: Callable[..., SSH]
    ) -> None:
        lab.sh(host, "usermod -s /usr/sbin/nologin guest")
        try:
            result = make().run(Target("h", lab.hosts[host], user="guest"), script("echo never"))
        finally:
            lab.sh(host, "usermod -s /bin/bash guest")
        assert result.exit_code == 1
        assert "not available" in result.log
