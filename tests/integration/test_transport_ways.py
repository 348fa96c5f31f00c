"""The ways to a host that ssh's configuration knows, and who vouches for whom: on real hosts."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from clocks import slack
from logins import logins_tried, script, wait_for

import octossh as oc
from octossh.errors import AuthError, ConnectError, ConnectionLost, HostKeyError
from octossh.model.targets import Target
from octossh.transport import SSH, OpenSSH

pytestmark = pytest.mark.lab

PORT = 2022
WHO = "echo $SSH_CONNECTION | cut -d' ' -f1; id -un"
Make = Callable[..., Any]


def keygen(path: Path, *options: str, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path, *options], check=True)
    return path


def sign(authority: Path, public: Path, *options: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "a test", *options, public], check=True)
    return public.with_name(public.stem + "-cert.pub")


@frozen
class Second:
    """A second sshd on the second host: certificates of an authority, and passwords."""

    target: Target
    authority: Path
    folder: Path

    def known(self, tmp_path: Path, line: str) -> Path:
        public = " ".join(self.authority.with_suffix(".pub").read_text().split()[:2])
        (tmp_path / "known").write_text(line.format(public=public, name=self.target.address) + "\n")
        return tmp_path / "known"


@pytest.fixture(scope="module")
def second(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    folder = tmp_path_factory.mktemp("authority")
    name, address = list(lab.hosts.items())[1]
    authority = keygen(folder / "ca")
    keygen(folder / "host")
    sign(authority, folder / "host.pub", "-h", "-n", address)
    for file in ("host", "host-cert.pub", "ca.pub"):
        lab.sh(name, f"cat >/etc/ssh/second-{file} <<'END'\n{(folder / file).read_text()}END\n")
    config = (
        f"Port {PORT}\nPidFile /run/second.pid\nHostKey /etc/ssh/second-host\nLogLevel VERBOSE\n"
        "HostCertificate /etc/ssh/second-host-cert.pub\nTrustedUserCAKeys /etc/ssh/second-ca.pub\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication yes\nUsePAM no\n"
        "Match User deploy\n  AuthenticationMethods publickey,password\n"
    )
    lab.sh(
        name,
        f"chmod 600 /etc/ssh/second-host; cat >/etc/ssh/second <<'END'\n{config}END\n"
        "echo 'guest:let-me-in' | chpasswd; echo 'deploy:let-me-in' | chpasswd\n"
        "/usr/sbin/sshd -f /etc/ssh/second -E /var/log/second.log",
    )
    yield Second(Target("second", address, user="root", port=PORT), authority, folder)
    lab.sh(name, "kill $(cat /run/second.pid)")


@pytest.fixture(params=[SSH, OpenSSH])
def build(request: pytest.FixtureRequest, lab: Any) -> Iterator[Make]:
    made: list[Any] = []

    def new(**options: Any) -> Any:
        made.append(request.param(**{"known_hosts": lab.known_hosts, "identity": lab.key, **options}))
        return made[-1]

    yield new
    for transport in made:
        transport.close()


@pytest.fixture
def addresses(lab: Any) -> list[str]:
    return list(lab.hosts.values())


@pytest.fixture
def bastion(lab: Any) -> str:
    return next(iter(lab.hosts))


def configured(tmp_path: Path, text: str) -> Path:
    (tmp_path / "ssh_config").write_text(text)
    return tmp_path / "ssh_config"


class TestAConfigurationOfSSH:
    def test_names_address_user_and_keys(self, lab: Any, build: Make, tmp_path: Path) -> None:
        (tmp_path / "more").write_text(
            f"Host web*\n HostName {lab.hosts['h02']}\n User guest\n IdentityFile {lab.key}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {lab.known_hosts}\n"
        )
        config = configured(tmp_path, f"Include {tmp_path}/more\nMatch exec true\n User nobody\n")
        transport = build(config=config, known_hosts=None, identity=None)
        assert transport.run(Target("a", "web1"), script("hostname; id -un")).log == "h02\nguest\n"
        assert transport.run(Target("b", "web1", user="deploy"), script("id -un")).log == "deploy\n"
        assert build(config=config, user="root").run(Target("a", "web1"), script("id -un")).log == "root\n"

    def test_may_have_an_alias_for_the_key(self, lab: Any, build: Make, tmp_path: Path) -> None:
        keys = [line.split(maxsplit=1)[1] for line in lab.known_hosts.read_text().splitlines() if "h02," in line]
        (tmp_path / "known").write_text("".join(f"the-web {key}\n" for key in keys))
        target = Target("h02", lab.hosts["h02"], user="root")
        config = configured(tmp_path, "Host *\n HostKeyAlias the-web\n")
        build(config=config, known_hosts=tmp_path / "known").connect(target)
        with pytest.raises(HostKeyError):
            build(config=False, known_hosts=tmp_path / "known").connect(target)

    def test_is_not_asked_to_trust_blindly(self, lab: Any, build: Make, tmp_path: Path) -> None:
        config = configured(tmp_path, "Host *\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n")
        with pytest.raises(HostKeyError):
            build(config=config, known_hosts=None).connect(Target("h02", lab.hosts["h02"], user="root"))

    def test_with_a_mistake_is_told_with_its_line(self, build: Make, tmp_path: Path) -> None:
        config = configured(tmp_path, "Host *\n Prot 22\n")
        with pytest.raises(ConnectError, match=r"line 2.*prot"):
            build(config=config).connect(Target("h", "127.0.0.1"))

    def test_may_name_a_command_to_come_there(
        self, lab: Any, build: Make, tmp_path: Path, addresses: list[str]
    ) -> None:
        command = f"ssh -F {lab.ssh_config} -W %h:%p {addresses[0]}"
        config = configured(tmp_path, f"Host {addresses[1]}\n ProxyCommand {command}\n")
        transport = build(config=config)
        target = Target("h02", addresses[1], user="root")
        assert transport.run(target, script(WHO)).log == f"{addresses[0]}\nroot\n"

    def test_with_a_command_that_fails_is_told_what_it_said(self, build: Make, tmp_path: Path) -> None:
        # In a shell of its own: ssh ends a command whose output is redirected away, and may do so before it has spoken.
        config = configured(tmp_path, "Host *\n ProxyCommand sh -c 'echo no way to %h >&2; exit 1'\n")
        with pytest.raises(ConnectError, match=r"no way to 127\.0\.0\.1") as caught:
            build(config=config).connect(Target("h", "127.0.0.1"))
        assert caught.value.kind == "unreachable"


class TestHostsBehindAnother:
    def test_share_one_connection_to_it(
        self, lab: Any, build: Make, tmp_path: Path, addresses: list[str], bastion: str
    ) -> None:
        transport = build(config=configured(tmp_path, f"Host 10.*,!{addresses[0]}\n ProxyJump root@{addresses[0]}\n"))
        targets = [Target(a, a, user="root", jump=f"root@{addresses[0]}") for a in addresses[1:]]
        before = lab.ssh_connections(bastion)
        logs: list[str] = []
        threads = [
            threading.Thread(target=lambda one=one: logs.append(transport.run(one, script(WHO)).log)) for one in targets
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert logs == [f"{addresses[0]}\nroot\n"] * 3
        assert lab.ssh_connections(bastion) == before + 1

    def test_are_configured_by_patterns(
        self, lab: Any, build: Make, tmp_path: Path, addresses: list[str], bastion: str
    ) -> None:
        config = configured(
            tmp_path,
            f"Host gate\n HostName {addresses[0]}\n User guest\nHost inner\n HostName {addresses[1]}\n"
            f"Host innermost\n HostName {addresses[2]}\n ProxyJump inner\nHost inner\n ProxyJump gate\nHost *\n User root\n",
        )
        transport = build(config=config)
        assert transport.run(Target("two", "innermost"), script(WHO)).log == f"{addresses[1]}\nroot\n"
        before = lab.ssh_connections(bastion)
        assert transport.run(Target("one", "inner"), script(WHO)).log == f"{addresses[0]}\nroot\n"
        assert lab.ssh_connections(bastion) == before, "the way there was open already"
        assert transport.run(Target("none", "inner", jump="none"), script(WHO)).log != f"{addresses[0]}\nroot\n"

    def test_that_lead_back_to_themselves_are_refused(self, build: Make, tmp_path: Path) -> None:
        config = configured(tmp_path, "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")
        with pytest.raises(ConnectError, match="a -> b -> a"):
            build(config=config).connect(Target("x", "a"))

    def test_take_turns_when_there_is_room_for_one(self, build: Make, addresses: list[str]) -> None:
        transport = build(config=False, per_jump=1)
        jump = f"root@{addresses[0]}"
        first, other = (Target(a, a, user="root", jump=jump) for a in addresses[1:3])
        order: list[str] = []
        started = threading.Event()

        def slow() -> None:
            transport.run(first, script("echo on; sleep 1"), on_line=lambda _: started.set())
            order.append("first")

        thread = threading.Thread(target=slow)
        thread.start()
        assert started.wait(20)
        transport.run(other, script("echo"))
        order.append("other")
        thread.join()
        assert order == ["first", "other"]
        assert transport.run(first, script("echo back")).log == "back\n"

    def test_that_it_cannot_reach_are_told_as_such(self, build: Make, addresses: list[str]) -> None:
        with pytest.raises(ConnectError, match=addresses[0]) as caught:
            build(config=False).connect(Target("x", addresses[1], port=9, user="root", jump=f"root@{addresses[0]}"))
        assert caught.value.kind == "unreachable"

    def test_are_not_asked_for_when_its_key_is_not_known(
        self, lab: Any, build: Make, tmp_path: Path, addresses: list[str], bastion: str
    ) -> None:
        lines = [x for x in lab.known_hosts.read_text().splitlines() if addresses[0] not in x]
        (tmp_path / "known").write_text("\n".join(lines) + "\n")
        before = logins_tried(lab, bastion)
        with pytest.raises(HostKeyError, match=addresses[0]):
            build(config=False, known_hosts=tmp_path / "known").connect(
                Target("x", addresses[1], user="root", jump=f"root@{addresses[0]}")
            )
        assert logins_tried(lab, bastion) == before

    @pytest.mark.parametrize("signal", ["KILL", "STOP"])
    def test_are_lost_when_it_dies_or_hangs(self, lab: Any, build: Make, addresses: list[str], signal: str) -> None:
        transport = build(config=False, keepalive_s=1)
        jump = f"guest@{addresses[0]}"
        target = Target("x", addresses[1], user="root", jump=jump)
        pids = ""

        def hit(line: str) -> None:
            nonlocal pids
            if line == "ready":
                pids = lab.sh("h01", "pgrep -u guest sshd").replace("\n", " ")
                lab.sh("h01", f"kill -{signal} {pids}")

        began = time.monotonic()
        with pytest.raises(ConnectionLost):
            transport.run(target, script("echo ready; sleep 60"), on_line=hit)
        assert time.monotonic() - began < 15 * slack()
        with contextlib.suppress(Exception):
            lab.sh("h01", f"kill -KILL {pids}")
        assert transport.run(target, script("echo back")).log == "back\n"


class TestWhoVouchesForAHost:
    def test_an_authority_does(self, second: Second, build: Make, tmp_path: Path) -> None:
        build(known_hosts=second.known(tmp_path, "@cert-authority 10.* {public}")).connect(second.target)

    @pytest.mark.parametrize(
        "line", ["{name} {public}", "@cert-authority other.example.com {public}", "@cert-authority 10.* {public}\n@revoked * {public}"]
    )  # fmt: skip
    def test_an_authority_that_is_not_known_or_revoked_does_not(
        self, second: Second, build: Make, tmp_path: Path, line: str
    ) -> None:
        with pytest.raises(HostKeyError) as caught:
            build(known_hosts=second.known(tmp_path, line)).run(second.target, script("touch /tmp/never"))
        assert caught.value.kind == "host_key"
        assert ("revoked" in str(caught.value)) == ("revoked" in line)

    def test_a_fingerprint_of_the_target_alone_does(self, lab: Any, build: Make, tmp_path: Path) -> None:
        address = lab.hosts["h02"]
        said = subprocess.run(["ssh-keygen", "-lf", lab.known_hosts], capture_output=True, text=True, check=True).stdout
        prints = [line.split()[1] for line in said.splitlines() if address in line and "ED25519" in line]
        key = next(
            x.split(maxsplit=1)[1] for x in lab.known_hosts.read_text().splitlines() if "h02," in x and "rsa" in x
        )
        none = tmp_path / "none"
        for pin in (prints[0], key):
            build(known_hosts=none).connect(Target("h02", address, user="root", host_key=pin))
        with pytest.raises(HostKeyError, match=r"host_key SHA256:A+"):
            build().connect(Target("h02", address, user="root", host_key="SHA256:" + "A" * 43))


class TestWhoLogsIn:
    @pytest.fixture
    def known(self, second: Second, tmp_path: Path) -> Path:
        return second.known(tmp_path, "@cert-authority 10.* {public}")

    @pytest.fixture
    def stranger(self, second: Second, tmp_path: Path) -> Path:
        """A key that no host knows, with a certificate beside it."""
        key = keygen(tmp_path / "id")
        sign(second.authority, tmp_path / "id.pub", "-n", "root")
        return key

    def test_a_certificate_beside_the_key_is_offered(
        self, second: Second, build: Make, known: Path, stranger: Path
    ) -> None:
        build(known_hosts=known, identity=stranger).connect(second.target)

    def test_a_certificate_of_the_configuration_is_offered(
        self, second: Second, build: Make, known: Path, stranger: Path, tmp_path: Path
    ) -> None:
        stranger.with_name("id-cert.pub").rename(tmp_path / "elsewhere")
        text = f"Host *\n IdentityFile {stranger}\n IdentitiesOnly yes\n"
        with pytest.raises(AuthError):
            build(known_hosts=known, identity=None, config=configured(tmp_path, text)).connect(second.target)
        config = configured(tmp_path, f"{text} CertificateFile {tmp_path}/elsewhere\n")
        build(known_hosts=known, identity=None, config=config).connect(second.target)

    def test_a_certificate_of_the_agent_is_offered(
        self, second: Second, build: Make, known: Path, stranger: Path, tmp_path: Path
    ) -> None:
        sock = tmp_path / "agent"
        with subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL) as agent:
            wait_for(sock.exists)
            env = {"SSH_AUTH_SOCK": str(sock), "PATH": "/usr/bin:/bin"}
            subprocess.run(["ssh-add", "-q", stranger], check=True, env=env)
            subprocess.run(["ssh-add", "-q", "-d", stranger.with_suffix(".pub")], check=False, env=env)
            config = configured(tmp_path, f"Host *\n IdentityAgent {sock}\n IdentityFile none\n")
            try:
                build(known_hosts=known, identity=None, config=config).connect(second.target)
            finally:
                agent.terminate()

    def test_a_key_with_a_passphrase_asks_for_it_once(self, lab: Any, make: Make, tmp_path: Path) -> None:
        (tmp_path / "id").write_bytes(Path(lab.key).read_bytes())
        (tmp_path / "id").chmod(0o600)
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "hush-hush", "-f", tmp_path / "id"], check=True)
        asked: list[str] = []

        def tell(what: str) -> str:
            asked.append(what)
            return "hush-hush"

        transport = make(identity=tmp_path / "id", passphrase=tell)
        for name in ("h01", "h02"):
            transport.connect(Target(name, lab.hosts[name], user="root"))
        assert asked == [str(tmp_path / "id")]
        with pytest.raises(AuthError, match="passphrase") as caught:
            make(identity=tmp_path / "id", passphrase="wrong-one").connect(Target("h", lab.hosts["h01"], user="root"))
        assert "wrong-one" not in str(caught.value)

    def test_a_password_is_enough_where_it_is(self, second: Second, make: Make, known: Path, tmp_path: Path) -> None:
        target = Target("second", second.target.address, port=PORT, user="guest")
        transport = make(known_hosts=known, identity=[], password=oc.Secret("let-me-in"))
        assert transport.run(target, script("id -un")).log == "guest\n"
        with pytest.raises(AuthError, match="password") as caught:
            make(known_hosts=known, identity=[], password="let-me-out").connect(target)
        assert "let-me-out" not in str(caught.value)

    def test_a_password_comes_after_the_key_where_both_are_wanted(
        self, second: Second, make: Make, known: Path, lab: Any
    ) -> None:
        target = Target("second", second.target.address, port=PORT, user="deploy")
        assert make(known_hosts=known, password="let-me-in").run(target, script("id -un")).log == "deploy\n"
        with pytest.raises(AuthError):
            make(known_hosts=known).connect(target)

    def test_a_password_comes_from_the_secrets_of_the_space(
        self, second: Second, make: Make, known: Path, tmp_path: Path
    ) -> None:
        transport = make(known_hosts=known, identity=[], password=oc.secret("LOGIN"))
        target = Target("second", second.target.address, port=PORT, user="guest", environments=["Test"])
        project = oc.Project("shop", process=[oc.RunScript("hello", script="id -un")])
        with oc.Space("sqlite://", projects=[project], targets=[target], transport=transport,
                      secrets={"LOGIN": "let-me-in"}) as space:  # fmt: skip
            (found,) = [f for f in space.check("Test").findings if f.subject == "connection"]
        assert str(found.grade) == "ok" or found.grade.value == "ok"


class TestALinkOfTheSSHOfTheSystem:
    """What is tried of the other one in test_transport_links.py."""

    @pytest.fixture
    def transport(self, lab: Any) -> Iterator[OpenSSH]:
        with OpenSSH(known_hosts=lab.known_hosts, identity=lab.key, keepalive_s=1, config=False) as made:
            yield made

    @pytest.mark.parametrize("how", ["KILL", "STOP", "cut"])
    def test_is_lost_when_the_host_is(self, lab: Any, host: str, target: Target, transport: OpenSSH, how: str) -> None:
        hit_at = 0.0

        def hit(line: str) -> None:
            nonlocal hit_at
            if how == "cut":
                lab.cut(host)
            else:
                lab.sh(host, f"kill -{how} {line}")
            hit_at = time.monotonic()

        try:
            with pytest.raises(ConnectionLost, match="a test"):
                transport.run(target, script("echo $PPID; sleep 60"), on_line=hit)
            assert time.monotonic() - hit_at < 8 * slack()
        finally:
            if how == "cut":
                lab.mend(host)
        wait_for(lambda: transport.run(target, script("echo back")).log == "back\n")

    def test_that_dies_while_nobody_looks_is_replaced(
        self, lab: Any, host: str, target: Target, transport: OpenSSH
    ) -> None:
        pid = transport.run(target, script("echo $PPID")).log.strip()
        lab.sh(host, f"kill -9 {pid}")
        assert transport.run(target, script("echo back")).log == "back\n"

    def test_has_no_more_sessions_than_the_host_allows(self, target: Target, transport: OpenSSH) -> None:
        ready = threading.Semaphore(0)

        def hold() -> None:
            with contextlib.suppress(ConnectionLost):
                transport.run(target, script("echo ready; sleep 60"), on_line=lambda _: ready.release())

        threads = [threading.Thread(target=hold) for _ in range(10)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert ready.acquire(timeout=20)
        with pytest.raises(ConnectError, match="MaxSessions") as full:
            transport.run(target, script("echo"))
        assert full.value.kind == "sessions"
        transport.close()
        for thread in threads:
            thread.join(10)

    def test_ends_with_the_program_that_is_killed(self, lab: Any, target: Target) -> None:
        code = (
            "import octossh as oc\n"
            f"ssh = oc.OpenSSH(known_hosts={str(lab.known_hosts)!r}, identity={str(lab.key)!r}, config=False)\n"
            f"ssh.connect(oc.Target('h', {target.address!r}, user='root'))\n"
            "print(ssh._folder.name, flush=True)\ninput()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout is not None
            folder = program.stdout.readline().strip()
            ours = ["pgrep", "-f", f"ControlPath={folder}"]
            assert subprocess.run(ours, check=False, capture_output=True).stdout
            program.kill()
        wait_for(lambda: not subprocess.run(ours, check=False, capture_output=True).stdout)
        shutil.rmtree(folder)


class TestSudo:
    """A user who may become root with a password."""

    PASSWORD = "let it's-in"

    @pytest.fixture
    def asking(self, lab: Any) -> Iterator[Target]:
        name, address = list(lab.hosts.items())[1]
        lab.sh(
            name,
            f"""echo "guest:{self.PASSWORD}" | chpasswd
            echo 'guest ALL=(ALL) ALL' >/etc/sudoers.d/guest; chmod 440 /etc/sudoers.d/guest""",
        )
        yield Target(name, address, user="guest", sudo=True, environments=["Dev"])
        lab.sh(name, "rm /etc/sudoers.d/guest; usermod -p '*' guest")

    def test_makes_root_of_whoever_has_the_password(self, build: Make, asking: Target) -> None:
        asked: list[str] = []
        transport = build(sudo_password=lambda account: asked.append(account) or self.PASSWORD)
        transport.connect(asking)
        for _ in range(2):
            assert transport.run(asking, script("id -un")).log == "root\n"
        assert asked == [f"guest@{asking.address}"]

    def test_says_no_before_anything_is_touched(self, build: Make, asking: Target) -> None:
        with pytest.raises(AuthError, match="sudo does not let guest start sh as root there: sudo: "):
            build(sudo_password="not that").connect(asking)
        with pytest.raises(AuthError, match="a password is required"):
            build().connect(asking)

    def test_is_enough_for_a_deployment_and_its_claim(self, lab: Any, build: Make, asking: Target) -> None:
        lines: list[str] = []
        look = "for claim in /dev/shm/octossh-*.claim.*; do read -r pid _ <$claim; cat /proc/$pid/comm; id -un; done"
        with oc.Space(
            "sqlite://",
            projects=[oc.Project("shop", process=[oc.CreateNetwork("net"), oc.RunScript("look", script=look)])],
            targets=[asking],
            transport=build(sudo_password=oc.secret("SUDO")),
            secrets={"SUDO": self.PASSWORD},
            on_event=lambda event: lines.append(event.data.get("line", "")),
        ) as space:
            assert space.deploy(space.create_release(), "Dev").ok
        assert {"sshd", "root"} <= set(lines)
        assert (
            lab.sh(asking.name, "cat /dev/shm/octossh-*.claim.* 2>/dev/null; docker network rm shop-dev-net >/dev/null")
            == ""
        )
