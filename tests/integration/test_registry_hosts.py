"""How hosts log in to a registry and pull from it, on the lab's real hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import shops
from integration.token_log import TokenLog
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

NOTHING = "none\n"
LOGIN = ("lab-secret", "bGFiOmxhYi1zZWNyZXQ=")  # and the same as docker writes it
PULLS, SHELLS = "[d]ocker (--config [^ ]+ )?pull", "^sh -[s]"


@pytest.fixture
def closed(lab: Lab) -> oc.Registry:
    auth = lab.registry_auth
    return oc.Registry(
        "closed", f"https://{auth.server}", auth=oc.Basic(auth.user, oc.secret("PASSWORD")), ca=str(auth.ca)
    )


@pytest.fixture
def frozen(clean_lab: Lab) -> Iterator[Lab]:
    """The registry answers when it is thawed, and not before the end of the test otherwise."""
    yield clean_lab
    clean_lab.registry_service("thaw")


def space(lab: Lab, registry: oc.Registry, folder: Path, **fields: object) -> oc.Space:
    folder.mkdir(exist_ok=True)
    step = oc.RunContainer("web", image=registry.image("acme/web"), monitor_s=0)
    secrets = {"PASSWORD": lab.registry_auth.password, "TOKEN": "worker-secret"}
    targets = shops.targets(lab, "Dev")
    return shops.space(lab, shops.project(step), targets, folder, secrets=secrets, **fields)


def forget(lab: Lab, host: str = "h01") -> None:
    """Remove all images of a host, so that it has to pull."""
    lab.sh(host, "docker rmi -f $(docker images -aq) >/dev/null 2>&1 || true")


def traces(lab: Lab, *secrets: str) -> list[str]:
    """Where on h01 one of *secrets* can be read: in files, also in memory, in command lines and environments."""
    # Not in the way in which this search itself says it.
    words = " ".join(f"-e '{secret[:-1]}[{secret[-1]}]'" for secret in secrets)
    files = f"grep -rlsa {words} /dev/shm /tmp /run /home /root /var/log /etc"
    processes = f"grep -lsa {words} /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
    return lab.sh("h01", f"{files}; {processes}; true").split()


def test_hosts_pull_from_the_registry_path_with_the_login_of_the_registry(clean_lab: Lab, tmp_path: Path) -> None:
    forget(clean_lab)
    auth = clean_lab.registry_auth
    # The controller asks by address; hosts know the same registry by its name.
    registry = oc.Registry(
        "split",
        f"https://{auth.server}",
        auth=oc.Basic(auth.user, oc.secret("PASSWORD")),
        ca=str(auth.ca),
        registry_path="registry.lab:5443",
    )
    with space(clean_lab, registry, tmp_path) as made:
        release = made.create_release(versions={"acme/web": "1.0.0"})
        assert made.deploy(release, "Dev").outcomes[0].action == "created"
        assert made.deploy(release, "Dev").outcomes[0].action == "unchanged"
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Image"].startswith("registry.lab:5443/acme/web@")


def test_hosts_pull_from_another_port_that_wants_no_login(clean_lab: Lab, tmp_path: Path) -> None:
    forget(clean_lab)
    auth = clean_lab.registry_auth
    registry = oc.Registry("split", f"http://{clean_lab.registry}", registry_path="registry.lab:5000")
    with space(clean_lab, registry, tmp_path) as made:
        assert made.deploy(made.create_release(versions={"acme/web": "1.0.0"}), "Dev").ok
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Image"].startswith("registry.lab:5000/acme/web@")
    assert auth.password not in clean_lab.sh("h01", "cat /root/.docker/config.json 2>/dev/null || true")


@pytest.fixture
def guarded(lab: Lab) -> oc.Registry:
    auth = lab.registry_token
    return oc.Registry(
        "guarded", f"https://{auth.server}", auth=oc.Basic(auth.user, oc.secret("PASSWORD")), ca=str(auth.ca)
    )


@pytest.mark.parametrize(
    ("host_login", "askers"),
    [("auto", {"controller"}), ("token", {"controller"}), ("password", {"controller", "host"})],
)
def test_a_host_pulls_with_a_token_for_this_image_and_never_sees_the_password(
    host_login: str, askers: set[str], clean_lab: Lab, guarded: oc.Registry, tmp_path: Path
) -> None:
    forget(clean_lab)
    log = TokenLog(clean_lab)
    registry = attrs.evolve(guarded, host_login=host_login)
    with space(clean_lab, registry, tmp_path) as made:
        release = made.create_release(versions={"acme/web": "1.0.0"})
        assert made.deploy(release, "Dev").outcomes[0].action == "created"
    names = {f"{clean_lab.net.removesuffix('.0.0/16')}.0.1": "controller", clean_lab.hosts["h01"]: "host"}
    assert {names[line["from"]] for line in log.lines()} == askers
    assert all(line["scope"] == ["repository:acme/web:pull"] for line in log.lines())


def test_a_host_pulls_with_the_login_that_docker_login_has_left_here(
    clean_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(clean_lab)
    auth = clean_lab.registry_token
    login = f"printf %s {auth.password} | docker login -u {auth.user} --password-stdin {auth.server} 2>&1"
    clean_lab.sh("h01", f"export DOCKER_CONFIG=/root/octossh-login; {login}")
    written = clean_lab.sh("h01", "cat /root/octossh-login/config.json; rm -rf /root/octossh-login")
    (tmp_path / "config.json").write_text(written)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    log = TokenLog(clean_lab)
    for how in ("token", "password"):
        forget(clean_lab)
        registry = oc.Registry("guarded", f"https://{auth.server}", ca=str(auth.ca), host_login=how)
        with space(clean_lab, registry, tmp_path / how) as made:
            assert made.deploy(made.create_release(versions={"acme/web": "1.0.0"}), "Dev").ok
        clean_lab.clean()
    # Docker had got a refresh token: here it was changed for a token, and there the host's docker did that.
    assert {line["grant"] for line in log.lines()} == {"refresh_token"}
    assert clean_lab.hosts["h01"] in {line["from"] for line in log.lines()}


def test_a_deployment_of_what_hosts_have_needs_no_registry(frozen: Lab, guarded: oc.Registry, tmp_path: Path) -> None:
    with space(frozen, guarded, tmp_path) as made:
        release = made.create_release(versions={"acme/web": "1.0.0"})
        assert made.deploy(release, "Dev").ok
    frozen.registry_service("freeze")
    with space(frozen, guarded, tmp_path) as made:
        assert made.deploy(release, "Dev").outcomes[0].action == "unchanged"


@pytest.mark.parametrize("killed", [SHELLS, PULLS, f"{SHELLS}|{PULLS}"], ids=["the shell", "docker", "both"])
def test_a_login_is_in_no_file_while_a_host_pulls_nor_after_whatever_is_killed(
    killed: str, frozen: Lab, closed: oc.Registry, tmp_path: Path
) -> None:
    lab = frozen
    forget(lab)
    lab.sh("h01", "printf 'lab-%s' secret >/dev/shm/planted")
    assert traces(lab, *LOGIN) == ["/dev/shm/planted"]
    lab.sh("h01", "rm /dev/shm/planted")
    pulling = threading.Event()
    ended: list[oc.Deployment] = []

    def heard(event: oc.Event) -> None:
        if "pulling" in str(event.data.get("line", "")):
            pulling.set()

    with space(lab, closed, tmp_path, on_event=heard) as made:
        release = made.create_release(versions={"acme/web": "1.0.0"})
        lab.registry_service("freeze")
        thread = threading.Thread(target=lambda: ended.append(made.deploy(release, "Dev", check=False)))
        thread.start()
        assert pulling.wait(30)
        lab.sh("h01", f"until pgrep -f '{PULLS}'; do sleep 0.01; done")
        assert traces(lab, *LOGIN) == []
        lab.sh("h01", f"pkill -9 -f '{killed}'")
        assert traces(lab, *LOGIN) == []
        lab.registry_service("thaw")
        thread.join(60)
        lab.sh("h01", f"while pgrep -f '{PULLS}'; do sleep 0.05; done")
        assert ended[0].state is not oc.State.SUCCEEDED
        assert traces(lab, *LOGIN) == []
        # What a killed shell leaves is an empty shell itself, and goes with the next run.
        left = lab.sh("h01", "find /dev/shm -name '*login*' ! -type d -printf '%f %l\\n'")
        assert left in {"", "config.json /proc/self/fd/0\n"}
        assert made.deploy(release, "Dev").ok
    assert (
        lab.sh("h01", "ls -d /dev/shm/*login* /home/deploy/.docker /root/.docker 2>/dev/null || echo none") == NOTHING
    )
    assert traces(lab, *LOGIN) == []
