"""Docker as hosts have it: behind a sudo for docker alone, and at a socket of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import shops
from lab.lab import Lab
from terminals import typed

import octossh as oc
from octossh.model import Grade

pytestmark = pytest.mark.lab

PASSWORD = "let it in, 7 times"
OCTOFILE = """
import octossh as oc

web = oc.RunContainer("web", image=oc.Registry("hub", "http://{lab.registry}").image("acme/web"), monitor_s=0)
space = oc.Space(
    projects=[oc.Project("shop", process=[web])],
    targets=[oc.Target("h01", "{address}", user="guest", sudo=True, environments=["Dev"])],
    transport=oc.{transport}(known_hosts="{lab.known_hosts}", identity="{lab.key}", sudo_password=oc.secret("SUDO")),
)
"""
SOCKET = "/run/user/1501/docker.sock"


@pytest.fixture
def guest(clean_lab: Lab) -> Iterator[oc.Target]:
    """The user guest, who may call docker by sudo and nothing else."""
    clean_lab.sh("h01", "echo 'guest ALL=(root) NOPASSWD: /usr/bin/docker' >/etc/sudoers.d/guest")
    yield attrs.evolve(shops.targets(clean_lab, "Dev")[0], user="guest", docker=["sudo", "-n", "/usr/bin/docker"])
    clean_lab.sh("h01", "rm /etc/sudoers.d/guest")


@pytest.fixture
def asking(clean_lab: Lab) -> Iterator[oc.Target]:
    """The user guest, who may become root with a password, and may not call docker."""
    clean_lab.sh("h01", f"echo 'guest:{PASSWORD}' | chpasswd; echo 'guest ALL=(ALL) ALL' >/etc/sudoers.d/guest")
    yield attrs.evolve(shops.targets(clean_lab, "Dev")[0], user="guest", sudo=True)
    clean_lab.sh("h01", "rm /etc/sudoers.d/guest; usermod -p '*' guest")


@pytest.fixture
def rootless(clean_lab: Lab) -> Iterator[oc.Target]:
    """A daemon whose one socket is guest's, in the place where a rootless one has it."""
    clean_lab.service("h01", "dockerd", "stop")
    clean_lab.sh(
        "h01",
        f"rm -f /var/run/docker.sock; mkdir -p /run/user/1501; chmod 755 /run/user; setsid dockerd -H unix://{SOCKET} "
        "</dev/null >>/var/log/dockerd.log 2>&1 & "
        f"until docker -H unix://{SOCKET} version >/dev/null 2>&1; do sleep 0.05; done; "
        f"chown guest:guest /run/user/1501 {SOCKET}; chmod 700 /run/user/1501; chmod 600 {SOCKET}",
    )
    yield attrs.evolve(shops.targets(clean_lab, "Dev")[0], user="guest", docker_host=f"unix://{SOCKET}")
    clean_lab.service("h01", "dockerd", "stop")
    clean_lab.service("h01", "dockerd", "start")


def deploy_twice(lab: Lab, target: oc.Target, folder: Path) -> oc.Checkup:
    """A step of each common kind, with secrets and a login, on a host that has no image yet; gives the check."""
    auth = lab.registry_auth
    hub = oc.Registry(
        "closed", f"https://{auth.server}", auth=oc.Basic(auth.user, oc.secret("PASSWORD")), ca=str(auth.ca)
    )
    web = oc.RunContainer(
        "web",
        image=hub.image("acme/web"),
        env={"TOKEN": oc.secret("TOKEN"), "http_proxy": "none", "PYTHONPATH": "/srv"},
        networks=["{{ steps.net.inspect.Name }}"],
        health=oc.Command(["true"], timeout_s=10),
        monitor_s=0,
    )
    steps = [oc.CreateNetwork("net"), oc.CreateVolume("data"), oc.PullImage("ahead", image=web.image), web]
    secrets = {"PASSWORD": auth.password, "TOKEN": "s3cr3t 'with' $(quotes)"}
    with shops.space(lab, shops.project(*steps), [target], folder, secrets=secrets) as space:
        checkup = space.check()
        release = space.create_release(versions={"acme/web": "1.0.0"})
        made = space.deploy(release, "Dev")
        assert [outcome.action for outcome in made.outcomes] == ["created", "created", "pulled", "created"]
        again = space.deploy(release, "Dev")
        assert {outcome.action for outcome in again.outcomes} == {"unchanged"}
        assert {task.action for task in space.plan(release, "Dev").tasks} == {oc.Action.KEEP}
    return checkup


def test_a_user_who_may_call_docker_by_sudo_alone_can_deploy(guest: oc.Target, clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.sh("h01", "docker rmi -f $(docker images -aq) >/dev/null 2>&1 || true")
    checkup = deploy_twice(clean_lab, guest, tmp_path)
    assert checkup.ok, str(checkup)
    env = shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Env"]
    assert {"TOKEN=s3cr3t 'with' $(quotes)", "http_proxy=none", "PYTHONPATH=/srv"} <= set(env)
    assert shops.files_with(clean_lab, "h01", "s3cr3t") == []
    clean_lab.sh("h01", "echo s3cr3t >/dev/shm/planted")
    assert shops.files_with(clean_lab, "h01", "s3cr3t") == ["/dev/shm/planted"]
    clean_lab.sh("h01", "rm /dev/shm/planted")


def test_without_the_rule_the_check_says_which_one_it_takes(clean_lab: Lab, tmp_path: Path) -> None:
    target = attrs.evolve(shops.targets(clean_lab, "Dev")[0], user="guest", docker=["sudo", "-n", "/usr/bin/docker"])
    with shops.space(clean_lab, shops.project(shops.web(clean_lab)), [target], tmp_path) as space:
        (found,) = [f for f in space.check() if f.subject == "docker"]
    assert found.grade is Grade.FAULT
    assert found.advice.endswith("guest ALL=(root) NOPASSWD: /usr/bin/docker")


def test_what_sudo_would_lose_is_refused_before_any_host_is_touched(
    guest: oc.Target, clean_lab: Lab, tmp_path: Path
) -> None:
    step = shops.web(clean_lab, env={"KEY": oc.secret("KEY")})
    with shops.space(clean_lab, shops.project(step), [guest], tmp_path, secrets={"KEY": "one\ntwo"}) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        with pytest.raises(oc.PlanError, match="KEY travels in a file of lines and must be one"):
            space.deploy(release, "Dev")
    assert shops.containers(clean_lab, "h01") == {}


def test_an_engine_at_the_socket_of_a_user_is_reached_without_a_session(
    rootless: oc.Target, clean_lab: Lab, tmp_path: Path
) -> None:
    clean_lab.sh(
        "h01", f"docker -H unix://{SOCKET} rmi -f $(docker -H unix://{SOCKET} images -aq) >/dev/null 2>&1 || true"
    )
    checkup = deploy_twice(clean_lab, rootless, tmp_path)
    assert checkup.ok, str(checkup)
    names = clean_lab.sh("h01", f"docker -H unix://{SOCKET} ps --format '{{{{.Names}}}}'")
    assert names == "shop-dev-web\n"
    clean_lab.sh("h01", f"docker -H unix://{SOCKET} rm -f shop-dev-web >/dev/null")


@pytest.fixture
def cut_off(clean_lab: Lab) -> Iterator[oc.Target]:
    """A host that has no image and does not reach the registry."""
    forget = "docker rmi -f $(docker images -aq) >/dev/null 2>&1 || true"
    address = clean_lab.registry.partition(":")[0]
    clean_lab.sh("h01", f"{forget}; ip route add blackhole {address}")
    yield attrs.evolve(shops.targets(clean_lab, "Dev")[0], images="push")
    clean_lab.sh("h01", f"ip route del blackhole {address}; {forget}")


def test_a_host_that_reaches_no_registry_gets_images_and_only_the_layers_that_it_lacks(
    cut_off: oc.Target, clean_lab: Lab, tmp_path: Path
) -> None:
    events: list[oc.Event] = []
    web = shops.web(clean_lab, publish=["8080:8080"])
    steps = [oc.PullImage("ahead", image=web.image), web, oc.RunScript("inside", script="echo here", image=web.image)]
    with shops.space(clean_lab, shops.project(*steps), [cut_off], tmp_path, on_event=events.append) as space:
        assert space.check().ok
        one, two = (space.create_release(versions={"acme/web": version}) for version in ("1.0.0", "1.0.1"))
        first = space.deploy(one, "Dev")
        assert [outcome.action for outcome in first.outcomes] == ["pulled", "created", "ran"]
        assert shops.version(clean_lab, "h01") == "1.0.0"
        assert [outcome.action for outcome in space.deploy(one, "Dev").outcomes] == ["unchanged", "unchanged", "ran"]
        assert [task.action.value for task in space.plan(one, "Dev").tasks] == ["unchanged", "unchanged", "run"]
        assert [task.action.value for task in space.plan(two, "Dev").tasks] == ["pull", "replace", "run"]
        assert [outcome.action for outcome in space.deploy(two, "Dev").outcomes] == ["pulled", "replaced", "ran"]
        assert shops.version(clean_lab, "h01") == "1.0.1"
    said = [event.data["line"] for event in events if "sending" in str(event.data.get("line"))]
    assert [line.rpartition(",")[0] for line in said] == [
        "octossh: sending acme/web:1.0.0: 2 of its 2 layers",
        "octossh: sending acme/web:1.0.1: 1 of its 2 layers",
    ]


def test_what_is_sent_wants_the_same_container_as_what_is_pulled(
    cut_off: oc.Target, clean_lab: Lab, tmp_path: Path
) -> None:
    web = shops.web(clean_lab)
    with shops.space(clean_lab, shops.project(web), [cut_off], tmp_path) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        space.deploy(release, "Dev")
    pulling = attrs.evolve(cut_off, images="pull")
    with shops.space(clean_lab, shops.project(web), [pulling], tmp_path) as space:
        assert space.deploy(space.release(None, release.number), "Dev").outcomes[0].action == "unchanged"


@pytest.mark.parametrize("transport", ["SSH", "OpenSSH"])
def test_a_shell_by_a_sudo_that_wants_a_password_asks_for_it_at_the_terminal_and_is_let_in(
    transport: str, asking: oc.Target, clean_lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "octofile.py").write_text(OCTOFILE.format(lab=clean_lab, address=asking.address, transport=transport))
    octossh = str(Path(sys.executable).parent / "octossh")
    env = {**os.environ, "SUDO": PASSWORD, "TERM": "xterm"}
    for words in (["release", "create", "--set", "acme/web=1.0.0"], ["deploy", "--to", "Dev", "-q"]):
        subprocess.run([octossh, *words], cwd=tmp_path, env=env, check=True, stdin=subprocess.DEVNULL)
    opened = [octossh, "shell", "shop", "--in", "Dev"]
    prompts = ("[sudo] password for guest:", "#", "\x1b[6n")  # busybox asks where the cursor is
    typing = ["not that\n", f"{PASSWORD}\n", "hostname; exit 7\n"]
    code, screen = typed(opened, tmp_path, env, prompts, typing)
    assert "Sorry, try again." in screen
    inside = shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Hostname"]
    assert f"\n{inside}" in screen.replace("\r", "")
    assert code == 7, screen
    assert PASSWORD not in screen
    with oc.Space(
        f"sqlite:///{tmp_path}/octossh.db", projects=[oc.Project("shop", process=[oc.CreateNetwork("n")])]
    ) as space:
        finished, started = space.audit(types=["shell_started", "shell_finished"])
    assert (started.data["containers"], finished.data["exit_codes"]) == ({"h01": "shop-dev-web"}, {"h01": 7})
