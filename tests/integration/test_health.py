"""A new container that is not well: the step fails with the reason, and the old one runs again."""

from __future__ import annotations

from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

BROKEN = {
    "exits at once": ("1.3.0", {"monitor_s": 1}, "does not stay up (it is exited, exit code 1", "fatal: cannot start"),
    "never gets healthy": ("1.4.0", {}, "its health check says unhealthy", "database: connection refused"),
    "dies after five seconds": ("1.5.0", {"monitor_s": 8}, "does not stay up (it is exited", "fatal: out of luck"),
    "misses a variable": ("1.7.0", {"monitor_s": 1}, "exit code 78", "fatal: DATABASE_URL is not set"),
    "answers nothing": (
        "1.0.1",
        {"health": oc.Http(9), "healthy_timeout_s": 1},
        "did not become healthy within 1 s",
        "",
    ),
    "is restarted again and again": (
        "1.3.0",
        {"monitor_s": 3, "restart": "always"},
        "does not stay up",
        "fatal: cannot start",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_old_container_is_put_back_when_the_new_one(how: str, clean_lab: Lab, tmp_path: Path) -> None:
    tag, fields, why, evidence = BROKEN[how]
    hosts = shops.targets(clean_lab, "Dev")
    good = shops.project(shops.web(clean_lab, publish=["8080:8080"], restart="always"))
    with shops.space(clean_lab, good, hosts, tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
    before = shops.containers(clean_lab, "h01")
    worse = shops.project(shops.web(clean_lab, **{"publish": ["8080:8080"], "restart": "no"} | fields))
    with shops.space(clean_lab, worse, hosts, tmp_path) as space:
        with pytest.raises(oc.DeployFailed) as failed:
            space.deploy(space.create_release(versions={"acme/web": tag}), "Dev")
    (outcome,) = failed.value.deployment.outcomes
    assert outcome.state is oc.State.FAILED
    assert outcome.action == "put back"
    assert why in outcome.why
    assert evidence in outcome.log
    assert failed.value.hosts is oc.Hosts.CHANGED
    assert shops.containers(clean_lab, "h01") == before
    assert shops.version(clean_lab, "h01") == "1.0.0"
    policy = shops.inspect(clean_lab, "h01", "shop-dev-web")["HostConfig"]["RestartPolicy"]["Name"]
    assert policy == "always"


@pytest.mark.parametrize("tag", ["1.3.0", "1.4.0"])
def test_a_first_container_that_is_not_well_is_removed(tag: str, clean_lab: Lab, tmp_path: Path) -> None:
    made = shops.project(shops.web(clean_lab, monitor_s=1))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        failed = space.deploy(space.create_release(versions={"acme/web": tag}), "Dev", check=False)
    assert failed.outcomes[0].action == "removed"
    assert shops.containers(clean_lab, "h01") == {}


def test_a_container_that_is_slow_to_get_healthy_is_waited_for(clean_lab: Lab, tmp_path: Path) -> None:
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.2.0"}), "Dev")
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["State"]["Health"]["Status"] == "healthy"


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(clean_lab: Lab, tmp_path: Path) -> None:
    step = shops.web(clean_lab, stop_grace_s=1)
    with shops.space(clean_lab, shops.project(step), shops.targets(clean_lab, "Dev"), tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.6.0"}), "Dev")
        replaced = space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
    assert replaced.outcomes[0].action == "replaced"
    assert list(shops.containers(clean_lab, "h01")) == ["shop-dev-web"]


def test_a_replaced_container_has_its_restart_policy_again(clean_lab: Lab, tmp_path: Path) -> None:
    step = shops.web(clean_lab, restart="unless-stopped")
    with shops.space(clean_lab, shops.project(step), shops.targets(clean_lab, "Dev"), tmp_path) as space:
        for tag in ("1.0.0", "1.0.1"):
            space.deploy(space.create_release(versions={"acme/web": tag}), "Dev")
    found = shops.inspect(clean_lab, "h01", "shop-dev-web")
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["Config"]["Image"].startswith(f"{clean_lab.registry}/acme/web@sha256:")


def test_what_docker_refuses_shows_before_the_old_container_stops(clean_lab: Lab, tmp_path: Path) -> None:
    hosts = shops.targets(clean_lab, "Dev")
    with shops.space(clean_lab, shops.project(shops.web(clean_lab)), hosts, tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
    before = shops.inspect(clean_lab, "h01", "shop-dev-web")["State"]["StartedAt"]
    wrong = shops.project(shops.web(clean_lab, extra_args=["--no-such-option"]))
    with shops.space(clean_lab, wrong, hosts, tmp_path) as space:
        failed = space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev", check=False)
    assert "unknown flag: --no-such-option" in failed.outcomes[0].why
    assert failed.hosts is oc.Hosts.UNTOUCHED
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["State"]["StartedAt"] == before
    assert list(shops.containers(clean_lab, "h01")) == ["shop-dev-web"]


PROBES = {
    "by http": oc.Http(8080, "/health", status="200"),
    "by tcp": oc.Tcp(8080),
    "by a command": oc.Command(["test", "-f", "/www/health"]),
    "by a line of its log": oc.LogLine("acme/web 1.0."),
}


@pytest.mark.parametrize("how", PROBES)
def test_a_container_is_asked(how: str, clean_lab: Lab, tmp_path: Path) -> None:
    step = shops.web(clean_lab, health=PROBES[how], healthy_timeout_s=10)
    with shops.space(clean_lab, shops.project(step), shops.targets(clean_lab, "Dev"), tmp_path) as space:
        made = [space.create_release(versions={"acme/web": tag}) for tag in ("1.0.0", "1.0.1")]
        assert [space.deploy(release, "Dev").outcomes[0].action for release in made] == ["created", "replaced"]


def test_nothing_happens_between_the_stop_of_the_old_container_and_the_start_of_the_new_one(
    clean_lab: Lab, tmp_path: Path
) -> None:
    step = shops.web(clean_lab, restart="always")
    with shops.space(clean_lab, shops.project(step), shops.targets(clean_lab, "Dev"), tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        since = clean_lab.sh("h01", "date +%s.%N").strip()
        space.deploy(space.create_release(versions={"acme/web": "1.0.1"}), "Dev")
    told = clean_lab.sh(
        "h01",
        f"docker events --since {since} --until $(date +%s.%N) --filter type=container --format '{{{{.Action}}}}'",
    ).split()
    assert told[told.index("die") : told.index("start") + 1] == ["die", "stop", "start"]
