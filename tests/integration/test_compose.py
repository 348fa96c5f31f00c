"""Compose files on real hosts, by both generations of compose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

COMPOSE2 = Path("/usr/local/lib/octossh-lab/docker-compose")
PLUGINS = "/usr/local/lib/docker/cli-plugins"

FILE = """
services:
  web:
    image: {registry}/acme/web:any
    ports: ["8080:8080"]
    environment:
      LEVEL: ${{LEVEL}}
      PASSWORD: ${{PASSWORD}}
  worker:
    image: {registry}/acme/worker
    volumes: ["data:/data"]
volumes:
  data:
"""


@pytest.fixture
def compose_lab(clean_lab: Lab) -> Any:
    """The first host has the second generation only."""
    if not COMPOSE2.exists():
        pytest.skip("compose 2 cannot be had here; see tests/lab/compose.sh")
    clean_lab.sh("h01", f"mkdir -p {PLUGINS} && ln -s {COMPOSE2} {PLUGINS}/docker-compose")
    # Not even there, so that nothing else can have done it.
    clean_lab.sh("h01", "mount --bind /bin/false /usr/bin/docker-compose")
    yield clean_lab
    clean_lab.sh("h01", f"umount /usr/bin/docker-compose; rm {PLUGINS}/docker-compose")


@pytest.fixture(params=["1", "2"])
def either_lab(request: pytest.FixtureRequest) -> Any:
    """The first host has one of the two generations only."""
    return request.getfixturevalue({"1": "clean_lab", "2": "compose_lab"}[request.param])


def stack(lab: Lab, **fields: Any) -> oc.ComposeUp:
    hub = shops.registry(lab)
    given: dict[str, Any] = {
        "file": FILE.format(registry=lab.registry),
        "images": [hub.image("acme/web"), hub.image("acme/worker")],
        "env": {"LEVEL": "info", "PASSWORD": oc.secret("PASSWORD")},
        "monitor_s": 0,
    } | fields
    read = {name for name in given["env"] if f"{{{name}" in given["file"]}
    given["env"] = {name: value for name, value in given["env"].items() if name in read}
    return oc.ComposeUp("stack", **given)


def space(lab: Lab, folder: Path, *steps: oc.Step, **options: Any) -> oc.Space:
    options.setdefault("secrets", {"PASSWORD": "swordfish-4711"})
    return shops.space(lab, shops.project(*steps), shops.targets(lab, "Dev"), folder, **options)


def release(made: oc.Space, web: str = "1.0.0", worker: str = "1.0.0") -> oc.Release:
    wanted = {"acme/web": web, "acme/worker": worker}
    known = {image.repository for image in made.project().process.images}
    return made.create_release(versions={name: tag for name, tag in wanted.items() if name in known})


def ids(lab: Lab) -> dict[str, str]:
    """The id of each container on the host, by its service."""
    words = '{{.Label "com.docker.compose.service"}} {{.ID}}'
    lines = lab.sh("h01", f"docker ps -a --no-trunc --format '{words}'").splitlines()
    return dict(line.split() for line in lines)


def labels(lab: Lab, container: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(lab.sh("h01", f"docker inspect -f '{{{{json .Config.Labels}}}}' {container}"))
    return found


def test_a_file_is_brought_up_with_the_digests_and_left_alone_the_second_time(either_lab: Lab, tmp_path: Path) -> None:
    with space(either_lab, tmp_path, stack(either_lab)) as made:
        first = release(made)
        assert [task.action for task in made.plan(first, "Dev").tasks] == [oc.Action.CREATE]
        done = made.deploy(first, "Dev").outcomes[0]
        assert (done.action, done.changed) == ("created", True)
        web = done.inspect["Services"]["web"][0]
        digest = next(pin.digest for pin in first.pins if pin.image.repository == "acme/web")
        assert web["Config"]["Image"] == f"{either_lab.registry}/acme/web@{digest}"
        assert "PASSWORD=***" in web["Config"]["Env"]
        assert shops.version(either_lab, "h01") == "1.0.0"
        assert "PASSWORD=swordfish-4711" in either_lab.sh("h01", "curl -fsS http://127.0.0.1:8080/env")
        before = ids(either_lab)
        sessions = either_lab.ssh_sessions("h01")
        again = made.deploy(first, "Dev").outcomes[0]
        assert (again.action, again.changed) == ("unchanged", False)
        assert either_lab.ssh_sessions("h01") - sessions == 1
        assert not made.plan(first, "Dev").has_changes
    assert ids(either_lab) == before


def test_only_the_service_that_differs_is_replaced_and_the_plan_says_in_what(either_lab: Lab, tmp_path: Path) -> None:
    with space(either_lab, tmp_path, stack(either_lab)) as made:
        first = release(made)
        made.deploy(first, "Dev")
        before = ids(either_lab)
        second = release(made, web="1.0.1")
        plan = made.plan(second, "Dev")
        assert [(task.action, [c.field for c in task.changes]) for task in plan.tasks] == [
            (oc.Action.REPLACE, ["web image"])
        ]
        assert made.deploy(plan).outcomes[0].action == "replaced"
        assert not made.plan(second, "Dev").has_changes
    after = ids(either_lab)
    assert shops.version(either_lab, "h01") == "1.0.1"
    assert after["worker"] == before["worker"]
    assert labels(either_lab, after["worker"])["octossh.release"] == first.number
    assert labels(either_lab, after["web"])["octossh.release"] == second.number


def test_another_value_of_a_variable_or_a_secret_and_a_service_that_is_gone_are_changes(
    compose_lab: Lab, tmp_path: Path
) -> None:
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        made.deploy(release(made), "Dev")
    with space(compose_lab, tmp_path, stack(compose_lab), secrets={"PASSWORD": "trout-1147"}) as made:
        plan = made.plan(release(made), "Dev")
        assert {change.field for change in plan.tasks[0].changes} == {"web env PASSWORD", "web variables PASSWORD"}
        assert "trout" not in str(plan)
        made.deploy(plan)
        assert "PASSWORD=trout-1147" in compose_lab.sh("h01", "curl -fsS http://127.0.0.1:8080/env")
    alone = stack(
        compose_lab,
        file=FILE.format(registry=compose_lab.registry).partition("  worker:")[0],
        images=[shops.registry(compose_lab).image("acme/web")],
    )
    with space(compose_lab, tmp_path, alone) as made:
        plan = made.plan(release(made), "Dev")
        assert "service worker" in {change.field for change in plan.tasks[0].changes}
        made.deploy(plan)
        assert not made.plan(plan.release, "Dev").has_changes
    assert set(ids(compose_lab)) == {"web"}


def test_what_was_stopped_or_removed_behind_its_back_is_brought_up_again(compose_lab: Lab, tmp_path: Path) -> None:
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        first = release(made)
        made.deploy(first, "Dev")
        before = ids(compose_lab)
        compose_lab.sh("h01", f"docker stop -t 0 {before['web']}")
        plan = made.plan(first, "Dev")
        assert [(task.action, task.why) for task in plan.tasks] == [(oc.Action.START, "web is exited")]
        assert made.deploy(first, "Dev").outcomes[0].action == "started"
        assert ids(compose_lab) == before
        compose_lab.sh("h01", f"docker rm -f {before['worker']}")
        assert [task.action for task in made.plan(first, "Dev").tasks] == [oc.Action.REPLACE]
        made.deploy(first, "Dev")
        assert not made.plan(first, "Dev").has_changes


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("1.3.0", "web does not stay up (it is exited, exit code 1)"),
        ("1.4.0", "the health check of web says unhealthy"),
    ],
)
def test_a_service_that_does_not_get_well_fails_with_its_log_and_a_rollback_sets_it_right(
    compose_lab: Lab, tmp_path: Path, version: str, why: str
) -> None:
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        made.deploy(release(made), "Dev")
        with pytest.raises(oc.DeployFailed) as failed:
            made.deploy(release(made, web=version), "Dev")
        outcome = failed.value.deployment.outcomes[0]
        assert why in outcome.why
        assert "starting (mode" in outcome.log
        assert failed.value.hosts is oc.Hosts.CHANGED
        made.rollback(environment="Dev")
    assert shops.version(compose_lab, "h01") == "1.0.0"


def test_a_service_that_has_fallen_ill_is_made_anew(compose_lab: Lab, tmp_path: Path) -> None:
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        first = release(made, web="1.2.0")
        made.deploy(first, "Dev")
        before = ids(compose_lab)
        # Its health check asks for this file.
        compose_lab.sh("h01", f"docker exec {before['web']} rm /tmp/ready")
        health = f"docker inspect -f '{{{{.State.Health.Status}}}}' {before['web']}"
        compose_lab.sh("h01", f'until [ "$({health})" = unhealthy ]; do sleep 0.2; done')
        plan = made.plan(first, "Dev")
        assert [(task.action, task.why) for task in plan.tasks] == [(oc.Action.REPLACE, "web is unhealthy")]
        assert made.deploy(plan).outcomes[0].action == "replaced"
        assert not made.plan(first, "Dev").has_changes
    after = ids(compose_lab)
    assert after["web"] != before["web"]
    assert after["worker"] == before["worker"]


def test_a_container_that_crashes_later_or_restarts_over_and_over_is_caught(compose_lab: Lab, tmp_path: Path) -> None:
    file = f"services: {{web: {{image: {compose_lab.registry}/acme/web, restart: always}}}}\n"
    image = [shops.registry(compose_lab).image("acme/web")]
    with space(compose_lab, tmp_path, stack(compose_lab, file=file, images=image, monitor_s=8)) as made:
        for version, why in (("1.3.0", "restarted"), ("1.5.0", "healthy and are not any more")):
            failed = made.deploy(release(made, web=version), "Dev", check=False)
            assert why in failed.outcomes[0].why


def test_a_job_that_others_wait_for_runs_once_and_counts_when_it_ends_well(either_lab: Lab, tmp_path: Path) -> None:
    file = f"""
services:
  web:
    image: {either_lab.registry}/acme/web
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
  migrate:
    image: {either_lab.registry}/acme/worker
    entrypoint: [sh, -c, "echo migrated; exit ${{CODE}}"]
"""
    with space(either_lab, tmp_path, stack(either_lab, file=file, env={"CODE": 0})) as made:
        first = release(made)
        made.deploy(first, "Dev")
        assert not made.plan(first, "Dev").has_changes
        assert made.deploy(first, "Dev").outcomes[0].action == "unchanged"
    with space(either_lab, tmp_path, stack(either_lab, file=file, env={"CODE": 7})) as made:
        failed = made.deploy(release(made), "Dev", check=False)
        assert failed.state is oc.State.FAILED
        assert "exit code 7" in failed.outcomes[0].why or "exit 7" in failed.outcomes[0].log


def test_a_compose_project_of_somebody_else_is_never_touched(compose_lab: Lab, tmp_path: Path) -> None:
    compose_lab.sh(
        "h01",
        "docker run -d --label com.docker.compose.project=shop-dev-stack --label com.docker.compose.service=web "
        f"--label com.docker.compose.oneoff=False {compose_lab.registry}/acme/worker:1.0.0",
    )
    before = ids(compose_lab)
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        first = release(made)
        assert [task.action for task in made.plan(first, "Dev").tasks] == [oc.Action.REFUSE]
        with pytest.raises(oc.DeployFailed, match="was not made by this step") as failed:
            made.deploy(first, "Dev")
        assert failed.value.hosts is oc.Hosts.UNTOUCHED
    assert ids(compose_lab) == before


def test_stop_resource_removes_what_compose_made(compose_lab: Lab, tmp_path: Path) -> None:
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        made.deploy(release(made), "Dev")
    with space(compose_lab, tmp_path, oc.StopResource("away", networks=True)) as made:
        why = made.deploy(made.create_release(), "Dev").outcomes[0].why
        assert "shop-dev-stack" in why.partition("networks: ")[0]
        assert why.endswith("networks: shop-dev-stack_default")
    assert ids(compose_lab) == {}


def test_a_file_that_compose_does_not_take_and_an_image_that_is_gone_change_nothing(
    compose_lab: Lab, tmp_path: Path
) -> None:
    with space(compose_lab, tmp_path, stack(compose_lab)) as made:
        made.deploy(release(made), "Dev")
        before = ids(compose_lab)
    wrong = FILE.format(registry=compose_lab.registry).replace("ports:", "prots:")
    with space(compose_lab, tmp_path, stack(compose_lab, file=wrong)) as made:
        with pytest.raises(oc.DeployFailed, match=r"compose does not take the file: .*prots") as failed:
            made.deploy(release(made), "Dev")
        assert failed.value.hosts is oc.Hosts.UNTOUCHED
    assert ids(compose_lab) == before


def test_hosts_log_in_to_the_registry_for_the_images_of_a_file(compose_lab: Lab, tmp_path: Path) -> None:
    auth = compose_lab.registry_auth
    hub = oc.Registry(
        "private", f"https://{auth.server}", ca=str(auth.ca), auth=oc.Basic(auth.user, oc.secret("REGISTRY"))
    )
    file = FILE.format(registry=auth.server)
    step = stack(compose_lab, file=file, images=[hub.image("acme/web"), hub.image("acme/worker")])
    secrets = {"PASSWORD": "x", "REGISTRY": auth.password}
    with space(compose_lab, tmp_path, step, secrets=secrets) as made:
        assert made.deploy(release(made), "Dev").outcomes[0].action == "created"


def test_a_host_without_compose_says_so(clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.sh("h01", "mv /usr/bin/docker-compose /usr/bin/dc")
    try:
        with space(clean_lab, tmp_path, stack(clean_lab)) as made:
            with pytest.raises(oc.DeployFailed, match="neither 'docker compose' nor 'docker-compose'") as failed:
                made.deploy(release(made), "Dev")
            assert failed.value.hosts is oc.Hosts.UNTOUCHED
    finally:
        clean_lab.sh("h01", "mv /usr/bin/dc /usr/bin/docker-compose")
