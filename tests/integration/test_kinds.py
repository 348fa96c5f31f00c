"""Each kind of step on real hosts, beside containers and networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab


def deploy(lab: Lab, folder: Path, *steps: oc.Step, hosts: int = 1, **options: Any) -> oc.Deployment:
    """A release of *steps*, deployed to Dev."""
    targets = shops.targets(lab, *["Dev"] * hosts)
    with shops.space(lab, shops.project(*steps), targets, folder, **options) as space:
        return space.deploy(space.create_release(), "Dev", check=False)


def did(deployment: oc.Deployment) -> dict[str, str]:
    return {outcome.step: outcome.action or outcome.state.value for outcome in deployment.outcomes}


def volume(lab: Lab, host: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.sh(host, f"docker volume inspect {name}"))[0]
    return found


def test_a_volume_keeps_its_data_over_releases_and_is_replaced_only_when_told(clean_lab: Lab, tmp_path: Path) -> None:
    def data(**fields: Any) -> oc.CreateVolume:
        return oc.CreateVolume("data", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, **fields)

    clean_lab.sh("h01", "docker volume create shop-dev-data2 && docker volume create other")
    web = shops.web(clean_lab, volumes=["{{ steps.data.inspect.Name }}:/data"])
    targets = shops.targets(clean_lab, "Dev")
    with shops.space(clean_lab, shops.project(data(), web), targets, tmp_path) as space:
        release = space.create_release()
        assert "(known after 'data')" in str(space.plan(release, "Dev"))
        first = space.deploy(release, "Dev")
        assert first.outcomes[0].inspect["Options"]["o"] == "size=1m"
        assert not space.plan(release, "Dev").has_changes
        assert did(space.deploy(release, "Dev")) == {"data": "unchanged", "web": "unchanged"}
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["Mounts"][0]["Name"] == "shop-dev-data"
    labelled = data(labels={"team": "blue"})
    with shops.space(clean_lab, shops.project(labelled), targets, tmp_path) as space:
        plan = space.plan(space.create_release(), "Dev")
        assert plan.refusals[0].why == "the volume shop-dev-data differs; it holds data, so remove it yourself first"
        assert "labels team: (none) -> blue" in str(plan)
        failed = space.deploy(space.release(), "Dev", check=False)
        assert failed.outcomes[0].why == plan.refusals[0].why
    assert "team" not in volume(clean_lab, "h01", "shop-dev-data")["Labels"]
    told = data(labels={"team": "blue"}, replace=True)
    in_use = deploy(clean_lab, tmp_path, told)
    assert "volume is in use" in in_use.outcomes[0].why
    assert in_use.hosts is oc.Hosts.UNTOUCHED
    done = deploy(clean_lab, tmp_path, oc.StopResource("clear", steps=["web"]), told)
    assert did(done) == {"clear": "removed", "data": "replaced"}
    assert volume(clean_lab, "h01", "shop-dev-data")["Labels"]["team"] == "blue"


def test_an_image_is_pulled_ahead_and_then_found_there(clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.push("ahead/web", "1.0.0", "ok")
    ahead = oc.PullImage("ahead", image=shops.registry(clean_lab).image("ahead/web"))
    targets = shops.targets(clean_lab, "Dev", "Dev")
    with shops.space(clean_lab, shops.project(ahead), targets, tmp_path) as space:
        release = space.create_release()
        assert {task.action for task in space.plan(release, "Dev").tasks} == {oc.Action.PULL}
        first = space.deploy(release, "Dev")
        assert {outcome.action for outcome in first.outcomes} == {"pulled"}
        digest = release.pins[0].digest
        assert first.outcomes[1].inspect["RepoDigests"][0].endswith(digest)
        assert not space.plan(release, "Dev").has_changes
        assert {outcome.action for outcome in space.deploy(release, "Dev").outcomes} == {"unchanged"}
        clean_lab.sh("h02", f"docker rmi {clean_lab.registry}/ahead/web@{digest}")
        assert [task.action for task in space.plan(release, "Dev").tasks] == [oc.Action.KEEP, oc.Action.PULL]


def test_stopping_takes_what_older_releases_left_and_never_a_volume_unasked(clean_lab: Lab, tmp_path: Path) -> None:
    data, net = oc.CreateVolume("data"), oc.CreateNetwork("net")
    worker = oc.RunContainer("worker", image=shops.registry(clean_lab).image("acme/worker"), monitor_s=0)
    renamed = shops.web(clean_lab, container_name="web-1", networks=["{{ steps.net.inspect.Name }}"])
    clean_lab.sh("h01", "docker volume create theirs && docker network create theirs")
    first = deploy(clean_lab, tmp_path, data, net, worker, renamed)
    assert first.error == ""
    clear = oc.StopResource("clear", releases="older", networks=True)
    second = deploy(clean_lab, tmp_path, worker, shops.web(clean_lab), clear)
    assert did(second) == {"worker": "unchanged", "web": "created", "clear": "removed"}
    assert second.outcomes[2].why == "containers: web-1; networks: shop-dev-net"
    assert set(shops.containers(clean_lab, "h01")) == {"shop-dev-worker", "shop-dev-web"}
    again = deploy(clean_lab, tmp_path, worker, shops.web(clean_lab), clear)
    assert again.outcomes[2].why == "nothing matched"
    last = deploy(clean_lab, tmp_path, oc.StopResource("all", volumes=True))
    assert last.outcomes[0].why in {
        f"containers: {names}; volumes: shop-dev-data"
        for names in ("shop-dev-web, shop-dev-worker", "shop-dev-worker, shop-dev-web")
    }
    assert clean_lab.sh("h01", "docker volume ls -q; docker network ls -q -f name=theirs | wc -l").split() == [
        "theirs",
        "1",
    ]
