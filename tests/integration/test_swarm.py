"""Services and stacks in a swarm of real hosts: h01 manages, h02 works, h03 is in none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

HOSTS = {"h01": ["manager"], "h02": ["worker"], "h03": ["lonely"]}


@pytest.fixture(scope="module")
def swarm(lab: Lab) -> Iterator[Lab]:
    lab.clean()
    lab.sh("h01", f"docker swarm init --advertise-addr {lab.hosts['h01']}")
    token = lab.sh("h01", "docker swarm join-token -q worker").strip()
    lab.sh("h02", f"docker swarm join --token {token} {lab.hosts['h01']}:2377")
    yield lab
    for host in ("h02", "h01"):
        lab.sh(host, "docker swarm leave --force")
    lab.clean()


@pytest.fixture
def swarm_lab(swarm: Lab) -> Iterator[Lab]:
    """The same, with no service left by an earlier test."""
    _empty(swarm)
    yield swarm
    _empty(swarm)


def _empty(lab: Lab) -> None:
    lab.sh("h01", "docker service ls -q | xargs -r docker service rm")
    for host in ("h01", "h02"):
        lab.sh(host, 'until [ -z "$(docker ps -q)" ]; do sleep 0.2; done')
    for what in ("secret", "config"):
        lab.sh("h01", f"docker {what} ls -q | xargs -r docker {what} rm")
    lab.sh("h01", "docker network prune -f")


def service(lab: Lab, name: str = "api", **fields: Any) -> oc.SwarmService:
    update = oc.SwarmUpdate(monitor_s=2)
    return oc.SwarmService(
        name, image=shops.registry(lab).image("acme/web"), **{"monitor_s": 1, "update": update, **fields}
    )


def space(lab: Lab, folder: Path, *steps: oc.Step, hosts: Any = None, **options: Any) -> oc.Space:
    targets = [
        oc.Target(host, lab.hosts[host], roles=roles, environments=["Dev"])
        for host, roles in (hosts or {"h02": ["worker"], "h01": ["manager"]}).items()
    ]
    return shops.space(lab, shops.project(*steps), targets, folder, **options)


def release(made: oc.Space, web: str = "1.0.0") -> oc.Release:
    return made.create_release(versions={"acme/web": web})


def spec(lab: Lab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.sh("h01", f"docker service inspect -f '{{{{json .Spec}}}}' {name}"))
    return found


def running(lab: Lab, name: str) -> list[str]:
    """The ids of the tasks of a service that run."""
    words = "docker service ps -q --no-trunc --filter desired-state=running"
    return sorted(lab.sh("h01", f"{words} {name}").split())


def test_a_service_is_created_through_the_manager_and_left_alone_the_second_time(
    swarm_lab: Lab, tmp_path: Path
) -> None:
    step = service(swarm_lab, replicas=2, env={"A.B": "a $dollar", "PW": oc.secret("PW")}, publish=["8080:8080"],
                   publish_mode="host", labels={"team": "shop"}, container_labels={"tier": "web"},
                   memory="64m")  # fmt: skip
    with space(swarm_lab, tmp_path, step, secrets={"PW": "swordfish-4711"}) as made:
        first = release(made)
        plan = made.plan(first, "Dev")
        assert [(task.target.name, task.action.value, task.why) for task in plan.tasks] == [
            ("h02", "unchanged", "done through h01"),
            ("h01", "create", "stack shop-dev is not there"),
        ]
        done = made.deploy(first, "Dev")
        assert [(o.target, o.action, o.why) for o in done.outcomes] == [
            ("h02", "unchanged", "a worker of a swarm, not a manager"),
            ("h01", "created", ""),
        ]
        assert "running: shop-dev_api 2/2" in done.outcomes[1].log
        assert "swordfish" not in json.dumps(done.to_dict())
        there = spec(swarm_lab, "shop-dev_api")
        container = there["TaskTemplate"]["ContainerSpec"]
        assert container["Image"] == f"{swarm_lab.registry}/acme/web@{first.pins[0].digest}"
        assert sorted(container["Env"]) == ["A.B=a $dollar", "PW=swordfish-4711"]
        assert there["Labels"]["octossh.release"] == first.number
        assert there["Labels"]["team"] == "shop"
        before = running(swarm_lab, "shop-dev_api")
        assert len(before) == 2
        sessions = swarm_lab.ssh_sessions("h01")
        again = made.deploy(first, "Dev")
        assert [outcome.action for outcome in again.outcomes] == ["unchanged", "unchanged"]
        assert swarm_lab.ssh_sessions("h01") - sessions == 1
        assert not made.plan(first, "Dev").has_changes
    assert running(swarm_lab, "shop-dev_api") == before


def test_a_change_is_rolled_out_and_a_field_that_is_taken_away_is_one(swarm_lab: Lab, tmp_path: Path) -> None:
    for number, fields in enumerate(({"env": {"A": "1", "B": "2"}, "memory": "64m"}, {"env": {"A": "1"}})):
        with space(swarm_lab, tmp_path, service(swarm_lab, **fields)) as made:
            made_release = release(made)
            plan = made.plan(made_release, "Dev")
            if number:
                assert [str(change.field) for change in plan.tasks[1].changes] == ["api deploy resources", "api env B"]
            assert made.deploy(plan).outcomes[1].action == ["created", "replaced"][number]
            assert not made.plan(made_release, "Dev").has_changes
    template = spec(swarm_lab, "shop-dev_api")["TaskTemplate"]
    assert template["ContainerSpec"]["Env"] == ["A=1"]
    assert not template.get("Resources", {}).get("Limits")


@pytest.mark.parametrize("version", ["1.3.0", "1.4.0"])
def test_a_change_whose_tasks_do_not_get_well_is_rolled_back_by_swarm_and_the_step_says_so(
    swarm_lab: Lab, tmp_path: Path, version: str
) -> None:
    step = service(swarm_lab, update=oc.SwarmUpdate(monitor_s=5))
    with space(swarm_lab, tmp_path, step) as made:
        good = release(made)
        made.deploy(good, "Dev")
        with pytest.raises(oc.DeployFailed, match="swarm took back the change of shop-dev_api") as failed:
            made.deploy(release(made, version), "Dev")
        assert failed.value.hosts is oc.Hosts.CHANGED
        image = spec(swarm_lab, "shop-dev_api")["TaskTemplate"]["ContainerSpec"]["Image"]
        assert image.endswith(good.pins[0].digest)
        assert made.deploy(good, "Dev").state is oc.State.SUCCEEDED


def test_a_new_service_that_never_runs_fails_in_time_with_the_error_of_its_tasks(
    swarm_lab: Lab, tmp_path: Path
) -> None:
    with space(swarm_lab, tmp_path, service(swarm_lab, converge_timeout_s=8)) as made:
        with pytest.raises(oc.DeployFailed, match=r"not all tasks run within 8 s.*non-zero exit \(1\)") as failed:
            made.deploy(release(made, "1.3.0"), "Dev")
        assert "fatal: cannot start" in failed.value.deployment.outcomes[1].log


def test_secrets_and_configs_are_kept_by_swarm_in_versions_and_old_ones_go(swarm_lab: Lab, tmp_path: Path) -> None:
    def step(level: str) -> oc.SwarmService:
        return service(
            swarm_lab, secret_files={"db": oc.secret("DB")}, configs={"/etc/app.conf": f"price = $5\nlevel = {level}\n"},
            constraints=["node.role==manager"]
        )  # fmt: skip

    for password, level in (("swordfish-4711", "info"), ("trout-1147", "debug")):
        with space(swarm_lab, tmp_path, step(level), secrets={"DB": password}) as made:
            made.deploy(release(made), "Dev")
        container = swarm_lab.sh("h01", "docker ps -q --filter name=shop-dev_api").split()[0]
        assert swarm_lab.sh("h01", f"docker exec {container} cat /run/secrets/db") == password
        assert swarm_lab.sh("h01", f"docker exec {container} cat /etc/app.conf") == f"price = $5\nlevel = {level}\n"
        for what in ("secret", "config"):
            assert len(swarm_lab.sh("h01", f"docker {what} ls -q").split()) == 1


def test_without_a_manager_it_is_refused_with_what_each_host_is(swarm_lab: Lab, tmp_path: Path) -> None:
    hosts = {"h02": ["worker"], "h03": ["lonely"]}
    with space(swarm_lab, tmp_path, service(swarm_lab), hosts=hosts) as made:
        first = release(made)
        said = "no target of this step is a manager of a swarm: h02 is a worker.*; h03 is in no swarm"
        assert {task.action for task in made.plan(first, "Dev").tasks} == {oc.Action.REFUSE}
        with pytest.raises(oc.DeployFailed, match=said) as failed:
            made.deploy(first, "Dev")
        assert failed.value.hosts is oc.Hosts.UNTOUCHED


def test_a_service_of_the_same_name_that_is_not_ours_is_never_touched(swarm_lab: Lab, tmp_path: Path) -> None:
    swarm_lab.sh(
        "h01",
        "docker service create -q --label com.docker.stack.namespace=shop-dev --name shop-dev_api "
        f"{swarm_lab.registry}/acme/worker:1.0.0",
    )
    before = spec(swarm_lab, "shop-dev_api")
    with space(swarm_lab, tmp_path, service(swarm_lab)) as made:
        first = release(made)
        assert made.plan(first, "Dev").refusals
        with pytest.raises(oc.DeployFailed, match="the service shop-dev_api was not made by this step") as failed:
            made.deploy(first, "Dev")
        assert failed.value.hosts is oc.Hosts.UNTOUCHED
    assert spec(swarm_lab, "shop-dev_api") == before


def test_a_manager_that_is_lost_in_the_middle_is_told_and_the_next_deployment_sets_it_right(
    swarm_lab: Lab, tmp_path: Path
) -> None:
    stopped = []

    def lose(event: oc.Event) -> None:
        if not stopped and "docker stack deploy" in str(event.data.get("line", "")):
            stopped.append(True)
            swarm_lab.service("h01", "dockerd", "stop")

    with space(swarm_lab, tmp_path, service(swarm_lab, replicas=2), on_event=lose) as made:
        first = release(made, "1.2.0")
        try:
            failed = made.deploy(first, "Dev", check=False)
            assert failed.state is oc.State.FAILED
            assert "docker" in failed.outcomes[1].why
        finally:
            swarm_lab.service("h01", "dockerd", "start")
        swarm_lab.sh("h01", "until docker node ls >/dev/null 2>&1; do sleep 0.2; done")
        assert made.deploy(first, "Dev").state is oc.State.SUCCEEDED
        assert not made.plan(first, "Dev").has_changes


def test_swarm_nodes_get_the_login_for_a_private_registry(swarm_lab: Lab, tmp_path: Path) -> None:
    auth = swarm_lab.registry_auth
    hub = oc.Registry(
        "private", f"https://{auth.server}", ca=str(auth.ca), auth=oc.Basic(auth.user, oc.secret("REGISTRY"))
    )
    step = oc.SwarmService("api", image=hub.image("acme/worker"), mode="global", monitor_s=1)
    with space(swarm_lab, tmp_path, step, secrets={"REGISTRY": auth.password}) as made:
        first = made.create_release(versions={"acme/worker": "1.1.0"})
        assert made.deploy(first, "Dev").state is oc.State.SUCCEEDED
    assert len(running(swarm_lab, "shop-dev_api")) == 2


STACK = """
services:
  web:
    image: {registry}/acme/web
    environment: {{LEVEL: "${{LEVEL}}"}}
    secrets: [db]
    deploy: {{replicas: 2, update_config: {{failure_action: rollback, monitor: 3s}}}}
  worker:
    image: {registry}/acme/worker
secrets:
  db: {{external: true}}
"""


def stack(lab: Lab, file: str = STACK, **fields: Any) -> oc.SwarmStack:
    hub = shops.registry(lab)
    text = file.format(registry=lab.registry)
    images = [hub.image(name) for name in ("acme/web", "acme/worker") if name in text]
    given = {"env": {"LEVEL": "info"}, "secret_files": {"db": oc.secret("DB")}, "monitor_s": 1, **fields}
    return oc.SwarmStack("shop", file=text, images=images, **given)


def test_a_stack_is_deployed_with_digests_left_alone_changed_by_service_and_pruned(
    swarm_lab: Lab, tmp_path: Path
) -> None:
    with space(swarm_lab, tmp_path, stack(swarm_lab), secrets={"DB": "swordfish"}) as made:
        first = made.create_release(versions={"acme/web": "1.0.0", "acme/worker": "1.0.0"})
        done = made.deploy(first, "Dev").outcomes[1]
        assert done.action == "created"
        image = done.inspect["Services"]["web"][0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        assert image.endswith(first.pins[0].digest)
        assert not made.plan(first, "Dev").has_changes
        workers = running(swarm_lab, "shop-dev-shop_worker")
        assert made.deploy(first, "Dev").outcomes[1].action == "unchanged"
        second = made.create_release(versions={"acme/web": "1.0.1", "acme/worker": "1.0.0"})
        plan = made.plan(second, "Dev")
        assert [change.field for change in plan.tasks[1].changes] == ["web image"]
        assert made.deploy(plan).outcomes[1].action == "replaced"
        assert running(swarm_lab, "shop-dev-shop_worker") == workers
        broken = made.create_release(versions={"acme/web": "1.3.0", "acme/worker": "1.0.0"})
        with pytest.raises(oc.DeployFailed, match="swarm took back the change of shop-dev-shop_web"):
            made.deploy(broken, "Dev")
    alone = stack(swarm_lab, STACK.partition("  worker:")[0] + "secrets:\n  db: {{external: true}}\n")
    with space(swarm_lab, tmp_path, alone, secrets={"DB": "swordfish"}) as made:
        plan = made.plan(release(made), "Dev")
        assert "service worker" in {change.field for change in plan.tasks[1].changes}
        made.deploy(plan)
        assert not made.plan(plan.release, "Dev").has_changes
    assert swarm_lab.sh("h01", "docker service ls --format '{{.Name}}'").split() == ["shop-dev-shop_web"]


def test_stop_resource_removes_services_secrets_and_networks_of_ours(swarm_lab: Lab, tmp_path: Path) -> None:
    swarm_lab.sh("h01", "docker service create -q --detach --name theirs --no-resolve-image --replicas 0 none:1")
    step = service(swarm_lab, secret_files={"pw": oc.secret("PW")}, replicas=2)
    with space(swarm_lab, tmp_path, step, secrets={"PW": "swordfish-4711"}) as made:
        made.deploy(release(made), "Dev")
    assert swarm_lab.sh("h01", "docker secret ls -q").strip()
    away = oc.StopResource("away", networks=True)
    with space(swarm_lab, tmp_path, away) as made:
        gone = made.create_release()
        plan = made.plan(gone, "Dev")
        assert [task.why for task in plan.tasks] == ["nothing matches", "remove shop-dev_default, shop-dev_api"]
        assert [o.why for o in made.deploy(plan).outcomes] == [
            "nothing matched",
            "services: shop-dev_api; networks: shop-dev_default",
        ]
        assert not made.plan(gone, "Dev").has_changes
    assert swarm_lab.sh("h01", "docker service ls --format '{{.Name}}'").split() == ["theirs"]
    assert swarm_lab.sh("h01", "docker secret ls -q").strip() == ""
    assert swarm_lab.sh("h01", "docker network ls -q --filter name=shop-dev").strip() == ""
