"""Each kind of step on real hosts, beside containers and networks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
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


def once(lab: Lab, text: str, **fields: Any) -> oc.RunOnce:
    image = shops.registry(lab).image("acme/worker")
    return oc.RunOnce("migrate", image=image, entrypoint=["sh", "-c"], command=[text], **fields)


def test_a_container_runs_once_on_one_host_and_gives_its_files_to_later_steps(clean_lab: Lab, tmp_path: Path) -> None:
    text = r"mkdir /out; echo $FROM-$TOKEN; printf '7' >/out/SCHEMA; printf '\377\0' >/out/BLOB"
    migrate = once(clean_lab, text, outputs="/out", env={"FROM": "6", "TOKEN": oc.secret("TOKEN")}, roles=["web"])
    told = oc.RunScript("tell", script="echo schema {{ steps.migrate.outputs.SCHEMA }}")
    secrets = {"TOKEN": "s3cret-t0ken"}
    targets = shops.targets(clean_lab, "Dev", "Dev")
    with shops.space(clean_lab, shops.project(migrate, told), targets, tmp_path, secrets=secrets) as space:
        release = space.create_release()
        assert "> run       migrate  once" in str(space.plan(release, "Dev"))
        ended = space.deploy(release, "Dev")
        again = space.deploy(release, "Dev")
    assert [(outcome.step, outcome.target) for outcome in ended.outcomes] == [
        ("migrate", "h01"), ("tell", "h01"), ("tell", "h02")
    ]  # fmt: skip
    first = ended.outcomes[0]
    assert (first.action, dict(first.outputs)) == ("ran", {"SCHEMA": "7", "BLOB": b"\xff\0"})
    assert "6-***" in first.log
    assert "s3cret" not in json.dumps(first.to_dict())
    assert first.inspect["State"]["ExitCode"] == 0
    assert {outcome.log for outcome in ended.outcomes[1:]} == {"schema 7\n"}
    assert again.outcomes[0].action == "ran"
    assert shops.containers(clean_lab, "h01") == shops.containers(clean_lab, "h02") == {}


def test_the_exit_code_of_a_container_that_runs_once_decides(clean_lab: Lab, tmp_path: Path) -> None:
    ended = deploy(clean_lab, tmp_path, once(clean_lab, "echo no such table >&2; exit 3"), shops.web(clean_lab))
    assert ended.outcomes[0].why == "the container ended with exit code 3"
    assert "no such table" in ended.outcomes[0].log
    assert ended.outcomes[1].state is oc.State.SKIPPED
    assert shops.containers(clean_lab, "h01") == {}


def test_a_container_that_runs_once_is_stopped_when_its_time_is_over(clean_lab: Lab, tmp_path: Path) -> None:
    ended = deploy(clean_lab, tmp_path, once(clean_lab, "sleep 100", timeout_s=2, stop_grace_s=0))
    assert ended.outcomes[0].why == "it did not end within 2 s and was stopped"
    assert shops.containers(clean_lab, "h01") == {}


def test_a_container_that_runs_once_is_stopped_when_it_says_nothing_for_too_long(
    clean_lab: Lab, tmp_path: Path
) -> None:
    command = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done; echo and now; sleep 100"
    ended = deploy(clean_lab, tmp_path, once(clean_lab, command, idle_timeout_s=3, stop_grace_s=0))
    assert ended.outcomes[0].why == "it said nothing for 3 s and was stopped"
    assert ended.outcomes[0].log.splitlines()[-2:-1] == ["and now"]
    assert shops.containers(clean_lab, "h01") == {}


def test_a_link_that_drops_while_a_container_runs_once_does_not_run_it_twice(clean_lab: Lab, tmp_path: Path) -> None:
    dropped = threading.Event()

    def drop(event: oc.Event) -> None:
        if "migrating" in event.data.get("line", "") and not dropped.is_set():
            dropped.set()
            clean_lab.sh("h01", "pkill -9 -f '^sshd: deploy'")

    step = once(clean_lab, "echo x >>/w/count; echo migrating; sleep 2; echo done", volumes=["/tmp/once:/w"])
    ended = deploy(clean_lab, tmp_path, step, on_event=drop)
    assert dropped.is_set()
    assert ended.error == ""
    assert "migrating" in ended.outcomes[0].log
    assert ended.outcomes[0].log.rstrip().endswith("done")
    assert clean_lab.sh("h01", "cat /tmp/once/count; rm -r /tmp/once") == "x\n"
    assert shops.containers(clean_lab, "h01") == {}


def test_what_a_killed_script_left_running_is_waited_for_before_it_runs_again(clean_lab: Lab, tmp_path: Path) -> None:
    def when(said: str, command: str) -> Callable[[oc.Event], None]:
        done = threading.Event()

        def on_event(event: oc.Event) -> None:
            if said in event.data.get("line", "") and not done.is_set():
                done.set()
                clean_lab.sh("h01", command)

        return on_event

    text = "echo begin >>/w/log; echo migrating; until [ -e /w/go ]; do sleep 0.1; done; echo end >>/w/log"
    step = once(clean_lab, text, volumes=["/tmp/once:/w"])
    # What follows the log would keep the session open for as long as the container runs.
    kill = "pkill -9 -f '^sh -s'; pkill -9 -f 'docker logs'; true"
    first = deploy(clean_lab, tmp_path, step, on_event=when("migrating", kill))
    assert first.outcomes[0].state is oc.State.UNKNOWN
    assert [line.split()[-1] for line in shops.containers(clean_lab, "h01").values()] == ["running"]
    left = "an earlier deployment left shop-dev-migrate--"
    second = deploy(clean_lab, tmp_path, step, on_event=when(left, "touch /tmp/once/go"))
    assert second.error == ""
    assert left in second.outcomes[0].log
    assert clean_lab.sh("h01", "cat /tmp/once/log; rm -r /tmp/once").split() == ["begin", "end"] * 2
    assert shops.containers(clean_lab, "h01") == {}


def test_a_script_runs_in_a_container_with_its_variables_and_leaves_nothing(clean_lab: Lab, tmp_path: Path) -> None:
    image = shops.registry(clean_lab).image("acme/worker")
    text = (
        "echo $LEVEL-$TOKEN; octossh_output HOST $(hostname); printf 'a\\0b' | octossh_output NUL; test -f /.dockerenv"
    )
    fields: dict[str, Any] = {"image": image, "env": {"LEVEL": "it's", "TOKEN": oc.secret("TOKEN")}}
    net = oc.CreateNetwork("net")
    step = oc.RunScript("in", script=text, network="{{ steps.net.inspect.Name }}", **fields)
    ended = deploy(clean_lab, tmp_path, net, step, secrets={"TOKEN": "s3cret-t0ken"})
    assert ended.error == ""
    outcome = ended.outcomes[1]
    assert outcome.log.endswith("it's-***\n")
    assert len(str(outcome.outputs["HOST"])) == 12
    assert outcome.outputs["NUL"] == "a\0b"
    assert shops.containers(clean_lab, "h01") == {}
    for fields, said in (
        ({"script": "exit 7"}, "the script ended with exit code 7"),
        ({"script": "true", "shell": "bash"}, "the script ended with exit code 127"),
    ):
        failed = deploy(clean_lab, tmp_path, oc.RunScript("in", image=image, **fields))
        assert failed.outcomes[0].why == said


def test_waiting_asks_the_container_or_the_host(clean_lab: Lab, tmp_path: Path) -> None:
    web = shops.web(clean_lab)
    here = {"container": "{{ steps.web.inspect.Id }}", "interval_s": 0.2}
    steps = [
        oc.WaitFor("page", oc.Http(8080, "/health"), **here),
        oc.WaitFor("port", oc.Tcp(8080), container="{{ steps.web.inspect.Name }}"),
        oc.WaitFor("file", oc.Command(["test", "-f", "/www/health"]), **here),
        oc.WaitFor("line", oc.LogLine("starting (mode"), **here),
        oc.WaitFor("on the host", oc.Command(["test", "-d", "/etc/docker"])),
        oc.WaitFor("sshd", oc.Tcp(22)),
    ]
    ended = deploy(clean_lab, tmp_path, web, *steps)
    assert ended.error == ""
    assert {outcome.action for outcome in ended.outcomes[1:]} == {"waited"}
    never = oc.WaitFor("never", oc.LogLine("no such line"), timeout_s=1, **here)
    failed = deploy(clean_lab, tmp_path, web, never)
    assert failed.outcomes[1].why == "it did not come within 1 s: no line of its log holds no such line"
    gone = deploy(clean_lab, tmp_path, oc.WaitFor("gone", oc.Tcp(1), container="no-such-one", timeout_s=0))
    assert "No such container: no-such-one" in gone.outcomes[0].why


def test_a_file_with_a_secret_converges_and_is_compared_on_the_host(clean_lab: Lab, tmp_path: Path) -> None:
    path = "/home/deploy/files test/key"
    clean_lab.sh("h01", "rm -rf '/home/deploy/files test'")
    key = oc.PutFile("key", path, content=oc.secret("KEY"), mode="0400", folder_mode="0700")
    targets = shops.targets(clean_lab, "Dev")
    for value, action in (("first secret", "created"), ("second secret", "replaced")):
        with shops.space(clean_lab, shops.project(key), targets, tmp_path, secrets={"KEY": value}) as space:
            release = space.create_release()
            before = str(space.plan(release, "Dev"))
            assert value not in before
            done = space.deploy(release, "Dev")
            assert did(done) == {"key": action}
            assert not space.plan(release, "Dev").has_changes
            assert did(space.deploy(release, "Dev")) == {"key": "unchanged"}
            assert value not in str(done.to_dict())
        assert clean_lab.sh("h01", f"cat '{path}'; stat -c ' %a %U' '{path}'").split() == [
            *value.split(),
            "400",
            "deploy",
        ]
    assert "content: (another) -> (secret KEY)" in before
    clean_lab.sh("h01", f"rm -f '{path}'; ln -s /etc/passwd '{path}'")
    with shops.space(clean_lab, shops.project(key), targets, tmp_path, secrets={"KEY": "x"}) as space:
        plan = space.plan(space.create_release(), "Dev")
        assert "is a symbolic link" in plan.refusals[0].why
    clean_lab.sh("h01", "rm -rf '/home/deploy/files test'")


def test_files_are_in_a_container_when_it_starts_and_another_text_makes_another_one(
    clean_lab: Lab, tmp_path: Path
) -> None:
    def web(text: str) -> oc.RunContainer:
        files = {"/etc/app/new folder/app.conf": text, "/www/key": oc.ConfigFile("k", owner="12:34", mode="0600")}
        return shops.web(clean_lab, files=files)

    targets = shops.targets(clean_lab, "Dev")
    for text, action in (("it's {{ environment }}\n", "created"), ("another €", "replaced")):
        with shops.space(clean_lab, shops.project(web(text)), targets, tmp_path) as space:
            release = space.create_release()
            before = str(space.plan(release, "Dev"))
            assert did(space.deploy(release, "Dev")) == {"web": action}
            assert not space.plan(release, "Dev").has_changes
    assert "files /etc/app/new folder/app.conf: sha256:" in before
    inside = 'docker exec shop-dev-web sh -c \'cat "/etc/app/new folder/app.conf"; stat -c " %a %u:%g" /www/key\''
    assert clean_lab.sh("h01", inside).split() == ["another", "€", "600", "12:34"]
