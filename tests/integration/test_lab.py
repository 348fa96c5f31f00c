"""The lab itself: it comes up, works, stands beside others, and goes without a trace."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clocks import slack
from lab.lab import LAB_SH, Lab, LabError, lab_sh

pytestmark = pytest.mark.lab

BASE = Path("/var/lib/octossh-lab")
PROC = Path("/proc")


def own_name(letter: str) -> str:
    """A name that no other test run has (12 characters at most)."""
    return f"t{os.getpid()}{letter}"


def soon(what: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until it is so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < timeout_s * slack(), f"not within {timeout_s} s, or what that is here"
        time.sleep(0.005)


def text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def processes() -> list[Path]:
    return [p for p in PROC.iterdir() if p.name.isdigit()]


def processes_of(name: str) -> set[str]:
    """Those that say so themselves: in their arguments, environment or cgroup."""
    word = re.compile(rf"\b{name}\b")
    return {
        f"{p.name} {text(p / 'cmdline')}"
        for p in processes()
        if any(word.search(text(p / f)) for f in ("cmdline", "environ", "cgroup"))
    }


def traces(name: str) -> set[str]:
    """All on this machine that has the lab's name."""
    word = re.compile(rf"\b{name}\b")
    listed = subprocess.run(
        ["sh", "-c", "ip netns list; ip -o link; ip -4 -o addr"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    listed += text(PROC / "mounts").splitlines()
    listed += [str(d) for d in Path("/sys/fs/cgroup").glob(f"**/octossh-lab.{name}")]
    listed += [str(f) for f in BASE.glob("*")] + [str(f) for f in BASE.glob(".*")]
    return {line for line in listed if word.search(line)} | processes_of(name)


def namespaces(name: str) -> set[str]:
    """The namespaces that only the lab's processes and containers have."""
    mine = {link(PROC / "self/ns" / kind) for kind in ("net", "pid", "mnt")}
    seen = {link(PROC / p.split()[0] / "ns" / kind) for p in processes_of(name) for kind in ("net", "pid", "mnt")}
    return seen - mine - {""}


def inhabited(spaces: set[str]) -> set[str]:
    return {
        f"{p.name} {text(p / 'comm').strip()}"
        for p in processes()
        for kind in ("net", "pid", "mnt")
        if link(p / "ns" / kind) in spaces
    }


def ssh(lab: Lab, who: str, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", str(lab.ssh_config), who, command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def going_down(*names: str) -> Iterator[None]:
    """Whatever happens, these labs are gone afterwards."""
    try:
        yield
    finally:
        for name in names:
            lab_sh("down", name=name)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(1, name=own_name("m")) as it:
        yield it


def test_deploy_runs_docker_over_ssh(lab: Lab) -> None:
    before = lab.ssh_sessions("h01"), lab.ssh_connections("h01")
    done = ssh(lab, "deploy@h01", "docker version --format '{{.Server.Version}}'")
    assert re.fullmatch(r"\d+\.\d+\.\S+\n", done.stdout), done.stderr
    assert (lab.ssh_sessions("h01"), lab.ssh_connections("h01")) == (before[0] + 1, before[1] + 1)


def test_guest_is_refused_by_docker(lab: Lab) -> None:
    done = ssh(lab, "guest@h01", "docker ps")
    assert done.returncode == 1
    assert "permission denied" in done.stderr


def test_run_lock_is_open_to_all_as_on_a_real_debian(lab: Lab) -> None:
    assert lab.sh("h01", "stat -c %a /run/lock") == "1777\n"


def test_a_host_does_not_see_the_sources_or_the_labs(lab: Lab) -> None:
    sources = LAB_SH.parents[2]
    assert lab.sh("h01", f"ls -A {sources} {BASE} 2>/dev/null | grep -v : || true").strip() == ""


def test_debians_own_docker_command_is_enough(lab: Lab) -> None:
    lab.sh("h01", "rm -f /usr/local/bin/docker; test $(command -v docker) = /usr/bin/docker")
    lab.pull("acme/worker:1.0.0")
    lab.sh("h01", f"docker run -d --name worker -v some:/data {lab.registry}/acme/worker:1.0.0")
    lab.clean()
    assert lab.sh("h01", "docker ps -aq; docker volume ls -q") == ""


def test_the_second_registry_wants_tls_and_a_password(lab: Lab) -> None:
    auth = lab.registry_auth
    context = ssl.create_default_context(cafile=auth.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    url = f"https://{auth.server}/v2/acme/web/tags/list"
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(url, timeout=10)
    refused.value.close()
    assert refused.value.code == 401
    word = b64encode(f"{auth.user}:{auth.password}".encode()).decode()
    with opener.open(urllib.request.Request(url, headers={"Authorization": f"Basic {word}"}), timeout=10) as ok:
        assert b'"1.10.0"' in ok.read()
    login = f"echo {auth.password} | docker login -u {auth.user} --password-stdin {auth.server}"
    assert "Login Succeeded" in ssh(lab, "deploy@h01", login).stdout


def test_the_pinger_pings_its_target_and_stays(lab: Lab) -> None:
    image = f"{lab.registry}/acme/pinger:1.0.0"
    lab.sh("h01", f"docker run -d --name pinger -e TARGET={lab.registry.split(':')[0]} -e PING_COUNT=2 {image}")
    wanted = f"pinged {lab.registry.split(':')[0]} 2 times"
    soon(lambda: wanted in lab.sh("h01", "docker logs pinger"))
    assert lab.sh("h01", "docker inspect -f '{{.State.Running}}' pinger") == "true\n"
    began = time.monotonic()
    lab.sh("h01", "docker stop pinger")
    assert time.monotonic() - began < 5 * slack()
    assert lab.sh("h01", "docker inspect -f '{{.State.ExitCode}}' pinger") == "0\n"


def test_one_more_tag_can_be_pushed_while_it_runs(lab: Lab) -> None:
    digest = lab.push("acme/web", "3.0.0", "exit")
    assert lab.push("acme/web", "3.0.1", "exit") != digest
    assert lab.push("acme/web", "3.0.0", "exit") == digest
    lab.sh("h01", f"docker run --name broken {lab.registry}/acme/web@{digest} || true")
    assert lab.sh("h01", "docker inspect -f '{{.State.ExitCode}}' broken") == "1\n"


def test_services_stop_and_start(lab: Lab) -> None:
    lab.service("h01", "dockerd", "stop")
    assert "Cannot connect" in ssh(lab, "deploy@h01", "docker ps").stderr
    lab.service("h01", "dockerd", "start")
    assert ssh(lab, "deploy@h01", "docker ps").returncode == 0
    lab.service("h01", "sshd", "stop")
    assert "Connection refused" in ssh(lab, "deploy@h01", "true").stderr
    lab.service("h01", "sshd", "start")
    assert ssh(lab, "deploy@h01", "true").returncode == 0
    lab.registry_service("stop")
    with pytest.raises(urllib.error.URLError):
        lab.push("acme/web", "3.0.2")
    lab.registry_service("start")
    lab.push("acme/web", "3.0.2")


def test_a_host_that_boots_again_has_its_containers_and_its_host_key_but_no_temporary_files(lab: Lab) -> None:
    lab.clean()
    lab.sh("h01", f"docker run -d --restart unless-stopped --name web {lab.registry}/acme/worker:1.0.0")
    lab.sh("h01", "mkdir /tmp/some && touch /tmp/some/file /tmp/.hidden")
    lab.reboot("h01")
    assert lab.sh("h01", "ls -A /tmp") == ""
    assert ssh(lab, "deploy@h01", "true").returncode == 0
    soon(lambda: lab.sh("h01", "docker inspect -f '{{.State.Running}}' web") == "true\n")


def test_a_cut_cable_is_a_dead_host_until_it_is_mended(lab: Lab) -> None:
    def answers() -> bool:
        ping = ["busybox", "ping", "-c1", "-W1", lab.hosts["h01"]]
        return subprocess.run(ping, capture_output=True, check=False).returncode == 0

    lab.cut("h01")
    assert not answers()
    lab.mend("h01")
    soon(answers)


def test_the_delay_line_gives_the_wished_round_trip_time(lab: Lab) -> None:
    def least_ms() -> float:
        ping = ["busybox", "ping", lab.hosts["h01"], "-W2", "-i0.3"]
        subprocess.run([*ping, "-c1"], capture_output=True, check=False)  # this one pays for ARP
        out = subprocess.run([*ping, "-c3"], capture_output=True, text=True, check=True).stdout
        return float(out.rsplit("=", 1)[1].split("/")[0])

    lab.rtt(60)
    assert 60 * 0.8 <= least_ms() <= 60 * 1.2
    lab.rtt(0)
    assert least_ms() < 12


def test_status_says_what_runs(lab: Lab) -> None:
    facts = lab.status()
    assert (facts["name"], facts["status"], facts["net"]) == (lab.name, "up", lab.net)
    assert facts["owner"] == {"pid": os.getpid(), "alive": True}
    assert facts["hosts"]["h01"]["address"] == lab.hosts["h01"]
    assert facts["hosts"]["h01"]["processes"] > 3


def test_a_bad_name_is_refused() -> None:
    for name in ("", "../x", "A", "a.b", "much-too-long"):
        with pytest.raises(LabError, match="not a name"):
            lab_sh("--name", name, "down")


def test_two_labs_stand_side_by_side_and_one_goes_without_the_other_noticing() -> None:
    names = own_name("a"), own_name("b")
    with going_down(*names):
        ups = [  # both at once
            subprocess.Popen([LAB_SH, "--name", name, "up", "1"], stderr=subprocess.PIPE) for name in names
        ]
        assert [(up.communicate(timeout=60), up.returncode)[1] for up in ups] == [0, 0]
        a, b = (Lab.named(name) for name in names)
        assert a.net != b.net
        for it in (a, b):
            done = ssh(it, "deploy@h01", f"docker run -d --name web {it.registry}/acme/worker:1.0.0")
            assert done.returncode == 0, done.stderr
        before = processes_of(a.name)
        assert before
        b.down()
        assert traces(b.name) == set()
        assert processes_of(a.name) == before
        assert ssh(a, "deploy@h01", "docker inspect -f '{{.State.Running}}' web").stdout == "true\n"
        a.push("acme/web", "4.0.0")


def test_down_leaves_nothing() -> None:
    name = own_name("d")
    assert traces(name) == set()
    with going_down(name):
        it = Lab.up(2, rtt_ms=10, name=name, thin=1)
        it.sh("h01", f"docker run -d -p 80:8080 -v v:/v --name web {it.registry}/acme/web:1.0.0")
        spaces = namespaces(name)
        assert len(spaces) > 6
        assert inhabited(spaces)
        it.down()
        assert traces(name) == set()
        soon(lambda: inhabited(spaces) == set(), timeout_s=2)  # init may still have to reap the last


MOMENTS = {
    "when the net is chosen": "net",
    "when the images are pushed": "registry/open.log",
    "when the first host boots": "hosts/h01/pid",
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_down_clears_an_up_that_was_killed(moment: str) -> None:
    name = own_name("k")
    with going_down(name):
        up = subprocess.Popen([LAB_SH, "--name", name, "up", "2", "--rtt", "5"], stderr=subprocess.DEVNULL)
        soon((BASE / name / moment).exists)
        up.kill()
        assert up.wait() == -signal.SIGKILL
        lab_sh("down", name=name)
        assert traces(name) == set()
        assert ssh(Lab.up(1, name=name), "deploy@h01", "docker ps").returncode == 0


def test_the_next_up_makes_good_what_a_killed_one_left() -> None:
    name = own_name("n")
    with going_down(name):
        up = subprocess.Popen([LAB_SH, "--name", name, "up", "2"], stderr=subprocess.DEVNULL)
        soon((BASE / name / "hosts/h01/pid").exists)
        up.kill()
        up.wait()
        it = Lab.up(1, name=name)
        assert list(it.hosts) == ["h01"]
        assert ssh(it, "deploy@h01", "docker ps").returncode == 0


def test_down_ends_an_up_that_is_under_way() -> None:
    name = own_name("u")
    with going_down(name):
        up = subprocess.Popen([LAB_SH, "--name", name, "up", "2"], stderr=subprocess.DEVNULL)
        soon((BASE / name / "registry/open.log").exists)
        lab_sh("down", name=name)
        assert up.wait(timeout=30) != 0
        assert traces(name) == set()


@pytest.mark.parametrize("moment", ["hosts.json", "hosts/h01/pid"], ids=["when it is up", "when it comes up"])
def test_a_lab_goes_when_its_owner_is_killed(moment: str) -> None:
    name = own_name("o")
    with going_down(name), subprocess.Popen(["sleep", "600"]) as owner:
        up = subprocess.Popen([LAB_SH, "--name", name, "up", "1", "--owner", str(owner.pid)], stderr=subprocess.DEVNULL)
        soon((BASE / name / moment).exists)
        if moment == "hosts.json":
            assert up.wait() == 0
        owner.kill()  # nobody has waited for it: it is a zombie now, and that is dead, too
        soon(lambda: not (BASE / name).exists(), timeout_s=5)
        up.wait(timeout=30)
        soon(lambda: traces(name) == set(), timeout_s=2)


def test_another_process_with_the_owners_pid_is_not_the_owner() -> None:
    name = own_name("p")
    with going_down(name):
        it = Lab.up(1, name=name)
        lab_sh("sweep", name)
        assert it.status()["status"] == "up"
        (it.state / "owner").write_text(f"{os.getpid()} 1\n")  # a start time that is not ours
        lab_sh("sweep", name)
        assert traces(name) == set()
