"""What ssh's configuration says of a host, and whose word counts. No connection is made."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octossh as oc
from octossh.errors import ConnectError, HostKeyError, ModelError
from octossh.transport import SSH, OpenSSH
from octossh.transport.masters import Master
from octossh.transport.routes import Hop, Route, hops

Way = Callable[..., Route]
Says = Callable[[str], None]


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Way:
    """The route to a target, with a text as the configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()

    def make(text: str, target: oc.Target | str = "web", **options: object) -> Route:
        (tmp_path / ".ssh/config").write_text(text)
        made = oc.Target(target, target) if isinstance(target, str) else target
        return SSH(**options)._routing.route(made)  # type: ignore[arg-type]

    return make


ALL = "Host web\n HostName 192.0.2.1\n User ann\n Port 2222\n IdentityFile ~/.ssh/web-%r\n"


def test_the_file_of_the_home_folder_is_read_as_ssh_does(way: Way) -> None:
    where = way(ALL).where
    assert (where.address, where.user, where.port) == ("192.0.2.1", "ann", 2222)
    assert way(ALL, "other").where.address == "other"


def test_a_target_and_then_the_transport_come_before_it(way: Way) -> None:
    where = way(ALL, oc.Target("w", "web", user="bob", port=22), user="eve").where
    assert (where.address, where.user, where.port) == ("192.0.2.1", "bob", 22)
    assert way(ALL, user="eve").where.user == "eve"
    assert way(ALL, identity="mine").identity.files == ("mine",)


def test_hosts_are_asked_about_beside_each_other_and_each_once(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"one": "two", "two": "one"}
    fake = tmp_path / "ssh"
    fake.write_text(f"""#!/bin/sh
for host do :; done
echo "$host" >>{tmp_path}/asked
: >{tmp_path}/$host
case $host in one) other=two ;; two) other=one ;; *) other=$host ;; esac
tries=0
until [ -e {tmp_path}/$other ]; do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.1; done
echo "hostname $host.example"
""")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    transport = SSH(config=True)
    transport._routing.route(oc.Target("zero", "zero"))  # it tells whether one answer is good for all
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: transport._routing.route(oc.Target(name, name)), [*other, *other]))
    assert [route.where.address for route in found] == ["one.example", "two.example"] * 2
    assert sorted((tmp_path / "asked").read_text().split()) == ["one", "two", "zero"]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", 2),  # of capital letters ssh makes small ones
        ("Host *\n User ann\n ControlPath ~/%C\n IdentityFile ~/.ssh/mine\nMatch all\n Port 2200\n", 2),
        ("ProxyCommand nc gate 22\n", 2),
        (
            "Host .host machine/.host\n Port 9\nHost unix/* vsock%*\n User root\n ProxyCommand x %h\nHost *\n User ann\n",
            2,
        ),
        ('Host unix/*\n User root\n"Host" b\n User eve\n', 4),
        ("Host unix/* b\n User eve\n", 4),
        ("Host unix/*\n User root\nHost *\n ProxyCommand nc %h 22\n", 4),
        ("ProxyCommand nc %h 22\n", 4),
        ("Include more\n", 4),
        ("Host b\n User eve\n", 4),
        ("host=b\n User eve\n", 4),
        ('"Host" b\n User eve\n', 4),
        ("Host * !b\n User eve\n", 4),
        ("Match host b\n User eve\n", 4),
        ("IdentityFile ~/keys/%h\n", 4),
        ("HostName %h.example\n", 4),
        ("HostName 192.0.2.1\n", 4),
        ("CanonicalizeHostname yes\nCanonicalDomains example\n", 4),
    ],
)
def test_one_answer_is_for_all_hosts_where_nothing_tells_them_apart(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, asked: int
) -> None:
    (tmp_path / ".ssh/more").write_text("Host b\n User eve\n")
    counting = tmp_path / "ssh"
    counting.write_text(f'#!/bin/sh\necho >>{tmp_path}/asked\nexec {shutil.which("ssh")} "$@"\n')
    counting.chmod(0o755)
    alone = [way(text, name) for name in ("a", "b", "10.0.0.1", "C")]
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    transport = SSH()
    assert [transport._routing.route(oc.Target(name, name)) for name in ("a", "b", "10.0.0.1", "C")] == alone
    assert len((tmp_path / "asked").read_text().splitlines()) == asked


@pytest.mark.parametrize("address", ["10.0.0.001", "010.1", "0x7f.1", "1.2.3", "2001:0db8::1", "2001:db8::1", "web.0x"])
def test_an_address_is_read_as_ssh_does_however_it_is_spelled(way: Way, address: str) -> None:
    alone = way("", address)
    transport = SSH()
    transport._routing.route(oc.Target("web", "web"))
    assert transport._routing.route(oc.Target(address, address)) == alone


@pytest.fixture
def ssh_that_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Put an ssh in front of which each remark goes through a command, and which counts how often it was asked."""

    def make(filtered: str) -> None:
        file = tmp_path / "ssh"
        file.write_text(
            f'#!/bin/sh\necho >>{tmp_path}/asked\n{{ {shutil.which("ssh")} "$@" 2>&1 >&3 | {filtered} >&2; }} 3>&1\n'
        )
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return make


def test_how_a_newer_ssh_tells_its_version_is_known(way: Way, tmp_path: Path, ssh_that_says: Says) -> None:
    way("User ann\n")
    ssh_that_says("sed 's/^OpenSSH_/debug1: OpenSSH_/'")
    transport = SSH()
    assert {transport._routing.route(oc.Target(name, name)).where.user for name in ("a", "b", "c")} == {"ann"}
    assert len((tmp_path / "asked").read_text().splitlines()) == 1


def test_what_is_said_of_an_address_with_a_zone_is_not_said_of_a_name(way: Way) -> None:
    way("Host *%eth0\n User eve\n")
    transport = SSH()
    users = [transport._routing.route(oc.Target("x", address)).where.user for address in ("fe80::1%eth0", "b")]
    assert users[0] == "eve" != users[1]


def test_an_ssh_that_does_not_say_which_files_it_reads_is_asked_about_each_host(way: Way, ssh_that_says: Says) -> None:
    way("Host b\n User eve\n")
    ssh_that_says("cat >/dev/null")
    transport = SSH()
    users = [transport._routing.route(oc.Target(name, name)).where.user for name in ("a", "b")]
    assert users[1] == "eve" != users[0]


def test_a_given_user_is_what_the_configuration_matches(way: Way) -> None:
    text = "Match user bob\n HostName 192.0.2.2\nHost web\n HostName 192.0.2.1\n"
    assert way(text, oc.Target("w", "web", user="bob")).where.address == "192.0.2.2"
    assert way(text, user="ann").where.address == "192.0.2.1"


def test_without_it_nothing_of_it_counts(way: Way) -> None:
    assert way(ALL, config=False).where.address == "web"


def test_tokens_and_variables_are_filled_in(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/keys")
    found = way(f"{ALL} CertificateFile ${{KEYS}}/%n\n UserKnownHostsFile /known/%n\n ProxyCommand nc -x 100%% %h %p\n")
    assert found.identity.files == ("~/.ssh/web-ann",)
    assert found.identity.certificates == ("/keys/web",)
    assert found.known_hosts.files[0] == "/known/web"
    assert found.command == "nc -x 100% 192.0.2.1 2222"


def test_where_no_file_of_known_hosts_counts_the_usual_ones_do_not(way: Way) -> None:
    assert way(f"{ALL} UserKnownHostsFile none\n GlobalKnownHostsFile none\n").known_hosts.files == ("/dev/null",)
    assert way(f"{ALL} UserKnownHostsFile none\n").known_hosts.files[0] == "/etc/ssh/ssh_known_hosts"


@pytest.mark.parametrize(
    ("agent", "sock"), [("none", ""), ("/a/%r", "/a/ann"), ("$MINE", "/mine"), ("SSH_AUTH_SOCK", "/std")]
)
def test_the_agent_is_the_one_that_it_names(way: Way, monkeypatch: pytest.MonkeyPatch, agent: str, sock: str) -> None:
    monkeypatch.setenv("MINE", "/mine")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/std")
    assert way(f"{ALL} IdentityAgent {agent}\n").identity.agent == sock


def test_a_jump_is_a_route_of_its_own(way: Way) -> None:
    text = f"Host gate\n HostName 192.0.2.9\n User eve\nHost web\n ProxyJump gate:2200,inner\n{ALL}"
    inner = way(text).via
    assert inner is not None
    assert inner.where.address == "inner"
    assert inner.via is not None
    assert (inner.via.where.address, inner.via.where.user, inner.via.where.port) == ("192.0.2.9", "eve", 2200)
    assert way(text, oc.Target("w", "web", jump="none")).via is None
    assert way(text, oc.Target("w", "web", jump="a@b:5")).via.where.login == ("a", "b", 5)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Host web\n Prot 22\n", "line 2"),
        ("Host web\n ProxyCommand nc %Z\n", "%Z"),
        ("Host web\n IdentityFile ${NO_SUCH}\n", "NO_SUCH"),
        ("Host web\n RevokedHostKeys /x\n", "revokedhostkeys"),
        ("Host web\n ProxyJump gate\nHost gate\n ProxyJump web\n", "web -> gate -> web"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_it_is(way: Way, text: str, words: str) -> None:
    with pytest.raises(ConnectError, match=words):
        way(text)


def test_a_file_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none"):
        SSH(config=tmp_path / "none")


class TestWithoutTheCommandSSH:
    @pytest.fixture(autouse=True)
    def _no_ssh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr("octossh.transport.configs._SYSTEM", os.devnull)

    def test_paramiko_reads_the_file(self, way: Way) -> None:
        found = way(ALL)
        assert (found.where.address, found.where.user, found.where.port) == ("192.0.2.1", "ann", 2222)
        assert way(ALL, oc.Target("w", "web", user="bob")).where.user == "bob"

    @pytest.mark.parametrize("line", ["Include more", "match final all", "  Match user x"])
    def test_what_it_would_read_wrongly_is_refused(self, way: Way, line: str) -> None:
        with pytest.raises(ConnectError, match="line 1"):
            way(f"{line}\n{ALL}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("none", ()),
        ("gate", (Hop("gate"),)),
        ("ann@gate:22", (Hop("gate", "ann", 22),)),
        ("ssh://ann@gate:22", (Hop("gate", "ann", 22),)),
        ("a@b.c@gate,[fe80::1]:5", (Hop("gate", "a@b.c"), Hop("fe80::1", None, 5))),
    ],
)
def test_a_jump_is_read_as_ssh_does(text: str, found: tuple[Hop, ...]) -> None:
    assert hops(text) == found


@given(st.text("ab@:,[]/ 0", max_size=12))
def test_a_jump_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert all(hop.host for hop in hops(text))


@pytest.mark.parametrize("bad", ["gate:0x", "a b", ",", "-o"])
def test_a_jump_of_a_target_is_checked(bad: str) -> None:
    with pytest.raises(ModelError, match="jump"):
        oc.Target("h", "h", jump=bad)


@pytest.mark.parametrize("bad", ["SHA256:short", "MD5:aa", "ssh-ed25519", ""])
def test_a_pin_of_a_target_is_checked(bad: str) -> None:
    with pytest.raises(ModelError, match="SHA256"):
        oc.Target("h", "h", host_key=bad)


WEAK = """Host *
  StrictHostKeyChecking no
  NoHostAuthenticationForLocalhost yes
  VerifyHostKeyDNS yes
  KnownHostsCommand /bin/echo %H %t %K
  ForwardAgent yes
  UpdateHostKeys yes
"""
PIN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tL"


@pytest.mark.parametrize("given", [{"known_hosts": "known"}, {}])
def test_no_configuration_vouches_for_a_host_in_the_place_of_what_was_given(
    tmp_path: Path, given: dict[str, str]
) -> None:
    (tmp_path / "config").write_text(WEAK)
    target = oc.Target("h", "127.0.0.1", host_key=() if given else PIN)
    with OpenSSH(config=tmp_path / "config", **given) as ssh:  # type: ignore[arg-type]
        words = ssh._options.command(ssh._routing.route(target), "/none", None)
    said = subprocess.run([words[0], "-G", *words[1:]], capture_output=True, text=True, check=True).stdout
    found = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    assert found["stricthostkeychecking"] == "true"
    assert found["nohostauthenticationforlocalhost"] == "no"
    assert found["verifyhostkeydns"] == "false"
    assert found["forwardagent"] == "no"
    assert "/bin/echo" not in found.get("knownhostscommand", "")


def test_a_key_that_is_revoked_is_not_taken_for_being_the_targets_own(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"@revoked * {PIN}\n")
    with OpenSSH(config=False, known_hosts=tmp_path / "known") as ssh:
        route = ssh._routing.route(oc.Target("h", "127.0.0.1", port=1, host_key=PIN))
        fault = Master.open(route, ssh._options, str(tmp_path / "sock"))
    assert not isinstance(fault, Master)
    assert isinstance(fault.error, HostKeyError)
    assert "revoked" in str(fault.error)
