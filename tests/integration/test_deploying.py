"""The road on real hosts: release, plan, deploy, promote, roll back."""

from __future__ import annotations

from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

NETWORK = oc.CreateNetwork("backend", subnet="172.28.6.0/24")
JOINED = ["{{ steps.backend.inspect.Name }}"]


def three_hosts(lab: Lab) -> list[oc.Target]:
    return shops.targets(lab, "Dev", "Dev", "Dev", roles={"h01": ["web"], "h02": ["web", "worker"], "h03": ["worker"]})


def two_roles(lab: Lab) -> oc.Project:
    worker = oc.RunContainer(
        "worker",
        image=shops.registry(lab).image("acme/worker"),
        roles={"worker"},
        networks=JOINED,
        env={"SUBNET": "{{ steps.backend.inspect.IPAM.Config[0].Subnet }}", "HERE": "{{ target.name }}"},
        monitor_s=0,
    )
    web = shops.web(lab, roles={"web"}, networks=JOINED, publish=["8080:8080"], restart="unless-stopped")
    return shops.project(NETWORK, web, worker, channels=[oc.Channel("old", "[1.0,1.1)")])


def test_a_network_and_containers_come_up_on_three_hosts_by_role(clean_lab: Lab, tmp_path: Path) -> None:
    with shops.space(clean_lab, two_roles(clean_lab), three_hosts(clean_lab), tmp_path) as space:
        release = space.create_release()
        assert [str(pin) for pin in release.pins] == ["acme/web:1.0.1", "acme/worker:1.0.0"]
        deployment = space.deploy(release, "Dev")
    done = {(outcome.target, outcome.step): outcome.action for outcome in deployment.outcomes}
    assert done == {
        ("h01", "backend"): "created",
        ("h02", "backend"): "created",
        ("h03", "backend"): "created",
        ("h01", "web"): "created",
        ("h02", "web"): "created",
        ("h02", "worker"): "created",
        ("h03", "worker"): "created",
    }
    assert shops.version(clean_lab, "h01") == shops.version(clean_lab, "h02") == "1.0.1"
    assert set(shops.containers(clean_lab, "h03")) == {"shop-dev-worker"}
    env = shops.inspect(clean_lab, "h03", "shop-dev-worker")["Config"]["Env"]
    assert {"SUBNET=172.28.6.0/24", "HERE=h03"} <= set(env)
    labels = shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Labels"]
    assert labels["octossh.release"] == "0.0.1"
    assert labels["octossh.deployment"] == deployment.id


def test_a_second_deployment_changes_nothing_and_needs_one_exec_for_each_step_and_host(
    clean_lab: Lab, tmp_path: Path
) -> None:
    hosts = three_hosts(clean_lab)
    with shops.space(clean_lab, two_roles(clean_lab), hosts, tmp_path) as space:
        release = space.create_release()
        space.deploy(release, "Dev")
        before = [shops.containers(clean_lab, host) for host in ("h01", "h02", "h03")]
        assert not space.plan(release, "Dev").has_changes
    sessions = {host: clean_lab.ssh_sessions(host) for host in ("h01", "h02", "h03")}
    connections = {host: clean_lab.ssh_connections(host) for host in ("h01", "h02", "h03")}
    with shops.space(clean_lab, two_roles(clean_lab), hosts, tmp_path) as space:
        again = space.deploy(space.release(), "Dev")
    assert {outcome.action for outcome in again.outcomes} == {"unchanged"}
    assert again.mode is oc.Mode.REDEPLOY
    assert again.hosts is oc.Hosts.UNTOUCHED
    assert [shops.containers(clean_lab, host) for host in ("h01", "h02", "h03")] == before
    execs = {host: clean_lab.ssh_sessions(host) - count for host, count in sessions.items()}
    assert execs == {"h01": 2, "h02": 3, "h03": 2}
    assert {clean_lab.ssh_connections(host) - count for host, count in connections.items()} == {1}


def test_a_plan_says_what_differs_and_applying_it_does_just_that(clean_lab: Lab, tmp_path: Path) -> None:
    hosts = shops.targets(clean_lab, "Dev")

    def made(**env: str) -> oc.Project:
        return shops.project(shops.web(clean_lab, env=env), channels=[oc.Channel("old", "[1.0,1.1)")])

    with shops.space(clean_lab, made(A="1", B="2"), hosts, tmp_path) as space:
        first = space.create_release(versions={"acme/web": "1.0.0"})
        assert [task.action for task in space.plan(first, "Dev").tasks] == [oc.Action.CREATE]
        space.deploy(first, "Dev")
    with shops.space(clean_lab, made(A="1"), hosts, tmp_path) as space:
        plan = space.plan(space.create_release(), "Dev")
        (task,) = plan.tasks
        assert task.action is oc.Action.REPLACE
        shown = str(plan)
        assert "env B: 2 -> (none)" in shown
        assert "acme/web:1.0.0" in shown
        assert "acme/web:1.0.1" in shown
        deployment = space.deploy(plan)
        assert deployment.outcomes[0].action == "replaced"
        assert not space.plan(space.release(), "Dev").has_changes
    assert "B=2" not in shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Env"]


def test_a_release_goes_through_the_stages_in_order_and_back(clean_lab: Lab, tmp_path: Path) -> None:
    made = shops.project(
        shops.web(clean_lab, env={"LEVEL": "{{ Level }}"}, publish=["8080:8080"]),
        variables=[oc.Variable("Level", "debug"), oc.Variable("Level", "error", environment="Production")],
        lifecycle=oc.Lifecycle("Dev", "Test", "Production"),
    )
    hosts = shops.targets(clean_lab, "Dev", "Test", "Production")
    with shops.space(clean_lab, made, hosts, tmp_path) as space:
        first = space.create_release(versions={"acme/web": "1.0.0"})
        with pytest.raises(oc.Refused, match="has not succeeded in 'Dev'"):
            space.deploy(first, "Production")
        space.deploy(first, "Dev")
        with pytest.raises(oc.Refused, match="nothing has succeeded in 'Test'"):
            space.promote(to="Production")
        assert space.promote(to="Test").mode is oc.Mode.PROMOTE
        space.promote(to="Production")
        second = space.create_release(versions={"acme/web": "1.0.1"})
        space.deploy(second, "Dev")
        with pytest.raises(oc.Refused):
            space.deploy(second, "Production")
        space.promote(to="Test")
        space.promote(to="Production")
        assert shops.version(clean_lab, "h03") == "1.0.1"
        back = space.rollback(environment="Production")
        assert (back.release, back.mode) == (first.number, oc.Mode.ROLLBACK)
        stands = {standing.environment: standing.release for standing in space.status()}
        assert stands == {"Dev": "0.0.2", "Test": "0.0.2", "Production": "0.0.1"}
        assert [d.mode.value for d in space.history()][:2] == ["rollback", "promote"]
    assert shops.version(clean_lab, "h03") == "1.0.0"
    assert "LEVEL=error" in shops.inspect(clean_lab, "h03", "shop-production-web")["Config"]["Env"]
    assert "LEVEL=debug" in shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Env"]


def test_a_moved_tag_does_not_change_what_a_release_deploys(clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.push("moving/web", "1.0.0", "ok")
    made = shops.project(shops.web(clean_lab, "moving/web"))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev", "Dev"), tmp_path) as space:
        release = space.create_release()
        clean_lab.push("moving/web", "1.0.0", "exit")
        space.deploy(release, "Dev")
        assert space.create_release().pins[0].digest != release.pins[0].digest
    for host in ("h01", "h02"):
        assert "running" in shops.containers(clean_lab, host)["shop-dev-web"]


def test_what_a_script_gives_out_reaches_later_steps_of_the_same_host_and_of_others(
    clean_lab: Lab, tmp_path: Path
) -> None:
    made = shops.project(
        oc.RunScript("facts", script='octossh_output NAME "$(hostname) it\'s"\n', reads_only=True),
        oc.RunScript(
            "tell",
            script="echo {{ steps.facts.outputs.NAME }} and {{ steps.facts.on['h02'].outputs.NAME }}",
            reads_only=True,
        ),
    )
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev", "Dev"), tmp_path) as space:
        deployment = space.deploy(space.create_release(), "Dev")
        told = deployment.outcome("tell", "h01")
        assert told is not None
        assert told.log == "h01 it's and h02 it's\n"
        stored = space.store.deployment(deployment.id)
        assert stored == deployment


def test_stop_resource_says_what_it_matched_and_touches_nothing_else(clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.sh("h01", f"docker run -d --name bystander {clean_lab.registry}/acme/worker:1.0.0")
    hosts = shops.targets(clean_lab, "Dev")
    with shops.space(
        clean_lab, shops.project(NETWORK, shops.web(clean_lab, networks=JOINED)), hosts, tmp_path
    ) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
    away = shops.project(oc.StopResource("away", networks=True))
    with shops.space(clean_lab, away, hosts, tmp_path) as space:
        release = space.create_release()
        assert [task.action for task in space.plan(release, "Dev").tasks] == [oc.Action.STOP]
        assert space.deploy(release, "Dev").outcomes[0].why == "containers: shop-dev-web; networks: shop-dev-backend"
        again = space.deploy(release, "Dev")
        assert (again.outcomes[0].action, again.outcomes[0].why) == ("unchanged", "nothing matched")
    assert set(shops.containers(clean_lab, "h01")) == {"bystander"}


def test_a_container_of_the_same_name_that_is_not_ours_is_never_touched(clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.sh("h01", f"docker run -d --name shop-dev-web {clean_lab.registry}/acme/worker:1.0.0")
    before = shops.containers(clean_lab, "h01")
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        plan = space.plan(release, "Dev")
        assert [task.action for task in plan.tasks] == [oc.Action.REFUSE]
        with pytest.raises(oc.PlanError, match="is not ours"):
            space.deploy(plan)
        with pytest.raises(oc.DeployFailed, match="was not made by this step") as failed:
            space.deploy(release, "Dev")
        assert failed.value.hosts is oc.Hosts.UNTOUCHED
    assert shops.containers(clean_lab, "h01") == before


def test_a_stopped_container_is_started_again(clean_lab: Lab, tmp_path: Path) -> None:
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        space.deploy(release, "Dev")
        clean_lab.sh("h01", "docker stop shop-dev-web")
        assert [task.action for task in space.plan(release, "Dev").tasks] == [oc.Action.START]
        assert space.deploy(release, "Dev").outcomes[0].action == "started"
        assert not space.plan(release, "Dev").has_changes


def test_waves_stop_at_the_first_that_fails(clean_lab: Lab, tmp_path: Path) -> None:
    step = shops.web(clean_lab, rolling=[1, "100%"])
    with shops.space(clean_lab, shops.project(step), shops.targets(clean_lab, *["Dev"] * 3), tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        before = [shops.containers(clean_lab, host) for host in ("h02", "h03")]
        broken = space.create_release(versions={"acme/web": "1.4.0"})
        failed = space.deploy(broken, "Dev", check=False)
    assert [outcome.state.value for outcome in failed.outcomes] == ["failed", "skipped", "skipped"]
    assert [shops.containers(clean_lab, host) for host in ("h02", "h03")] == before
