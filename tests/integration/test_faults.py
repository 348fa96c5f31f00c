"""What happens when links, controllers, daemons and registries die in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

CONTROLLER = """
import pathlib, signal, sys
sys.path.insert(0, {tests!r})
import shops, octossh as oc
from lab.lab import Lab
lab = Lab.named({lab!r})
made = shops.project(shops.web(lab, monitor_s=2, restart="always"))
with shops.space(lab, made, shops.targets(lab, "Dev"), pathlib.Path({folder!r})) as space:
    def on_event(event):
        print(event.type, event.data.get("line", ""), flush=True)
        if {moment!r} and {moment!r} in event.type + event.data.get("line", ""):
            signal.pause()
    space.on_event = on_event
    space.deploy(space.create_release(versions={{"acme/web": {tag!r}}}), "Dev")
"""


def controller(lab: Lab, folder: Path, tag: str, moment: str = "") -> subprocess.Popen[str]:
    """Another process that deploys; it stands still at *moment*."""
    tests = str(Path(__file__).parents[1])
    code = CONTROLLER.format(tests=tests, lab=lab.name, folder=str(folder), tag=tag, moment=moment)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def settled(lab: Lab, folder: Path, tag: str) -> None:
    """Deploy *tag* once more, and see exactly one container, healthy, and nothing left over."""
    made = shops.project(shops.web(lab, restart="always"))
    with shops.space(lab, made, shops.targets(lab, "Dev"), folder) as space:
        space.deploy(space.create_release(versions={"acme/web": tag}), "Dev")
    found = shops.containers(lab, "h01")
    assert list(found) == ["shop-dev-web"]
    assert found["shop-dev-web"].endswith("running")
    assert shops.inspect(lab, "h01", "shop-dev-web")["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_a_link_that_drops_while_a_container_is_replaced_does_not_fail_the_step(clean_lab: Lab, tmp_path: Path) -> None:
    drop = shops.when("replacing", lambda: clean_lab.sh("h01", "pkill -9 -f '^sshd: deploy'"))
    made = shops.project(shops.web(clean_lab, monitor_s=2))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path, on_event=drop) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        second = space.deploy(space.create_release(versions={"acme/web": "1.0.1"}), "Dev")
    assert second.ok
    found = shops.inspect(clean_lab, "h01", "shop-dev-web")
    assert found["Config"]["Labels"]["octossh.release"] == "0.0.2"
    assert list(shops.containers(clean_lab, "h01")) == ["shop-dev-web"]


def test_a_script_whose_link_drops_goes_on_is_found_again_and_runs_once(clean_lab: Lab, tmp_path: Path) -> None:
    lines: list[str] = []
    drop = shops.when("line 2", lambda: clean_lab.sh("h01", "pkill -9 -f '^sshd: deploy'"))

    def on_event(event: oc.Event) -> None:
        lines.append(event.data.get("line", ""))
        drop(event)

    script = "echo x >>/tmp/count; for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.3; done; octossh_output last $i"
    made = shops.project(oc.RunScript("once", script=script))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path, on_event=on_event) as space:
        done = space.deploy(space.create_release(), "Dev")
    assert dict(done.outcomes[0].outputs) == {"last": "8"}
    assert [line for line in lines if line.startswith("line")] == [f"line {number}" for number in range(1, 9)]
    assert any("the link was lost" in line for line in lines)
    assert clean_lab.sh("h01", "cat /tmp/count; rm /tmp/count") == "x\n"


def test_a_script_that_shall_not_outlive_its_link_is_ended_with_it(clean_lab: Lab, tmp_path: Path) -> None:
    drop = shops.when("going", lambda: clean_lab.sh("h01", "pkill -9 -f '^sshd: deploy'"))
    step = oc.RunScript("once", script="echo going; sleep 8; echo x >/tmp/late", on_lost_link="abort")
    made = shops.project(step)
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path, on_event=drop) as space:
        with pytest.raises(oc.DeployFailed, match="the link was lost, and this step does not go on") as failed:
            space.deploy(space.create_release(), "Dev")
    assert failed.value.hosts is oc.Hosts.CHANGED
    assert clean_lab.sh("h01", "ls /tmp/late 2>/dev/null; true") == ""


@pytest.mark.parametrize("moment", ["step_started", "replacing", "step_finished"])
def test_a_controller_that_is_killed_leaves_a_host_that_the_next_deployment_sets_right(
    moment: str, clean_lab: Lab, tmp_path: Path
) -> None:
    with controller(clean_lab, tmp_path, "1.0.0") as first:
        first.communicate(timeout=60)
        assert first.returncode == 0
    with controller(clean_lab, tmp_path, "1.0.1", moment) as second:
        assert second.stdout is not None
        # The process stops in its callback for this event, so that it is killed just there.
        assert next(line for line in second.stdout if moment in line)
        second.kill()
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        newest = space.history()[0]
        assert (newest.release, newest.state) == ("0.0.2", oc.State.INTERRUPTED)
        assert space.verify().ok
    settled(clean_lab, tmp_path, "1.0.1")


@pytest.mark.parametrize("moment", range(8))
def test_a_script_that_is_killed_on_the_host_leaves_what_the_next_deployment_sets_right(
    moment: int, clean_lab: Lab, tmp_path: Path
) -> None:
    made = shops.project(shops.web(clean_lab, monitor_s=0, restart="always"))
    # Every tenth of a second of a replacement, from its first line on: the shell and what it runs are ended at once.
    kill = f"sleep 0.{moment}; pkill -9 -u deploy -x sh; pkill -9 -u deploy -x docker; true"
    killed: list[Future[str]] = []
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        with shops.beside() as start:
            space.on_event = shops.when("replacing", lambda: killed.append(start(lambda: clean_lab.sh("h01", kill))))
            space.deploy(space.create_release(versions={"acme/web": "1.0.1"}), "Dev", check=False)
        killed[0].result()
    settled(clean_lab, tmp_path, "1.0.1")


def test_a_docker_daemon_that_restarts_in_the_middle_leaves_what_the_next_deployment_sets_right(
    clean_lab: Lab, tmp_path: Path
) -> None:
    made = shops.project(shops.web(clean_lab, monitor_s=3, restart="always"))

    def restart() -> None:
        clean_lab.service("h01", "dockerd", "stop")
        clean_lab.service("h01", "dockerd", "start")

    restarted: list[Future[None]] = []
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        with shops.beside() as start:
            space.on_event = shops.when("replacing", lambda: restarted.append(start(restart)))
            space.deploy(space.create_release(versions={"acme/web": "1.0.1"}), "Dev", check=False)
        restarted[0].result()
    shops.docker_is_up(clean_lab, "h01")
    running = [name for name, state in shops.containers(clean_lab, "h01").items() if state.endswith("running")]
    assert len(running) <= 1
    settled(clean_lab, tmp_path, "1.0.1")


@pytest.mark.parametrize("how", ["docker", "host"])
def test_what_starts_again_while_a_new_container_is_judged_brings_back_one_that_works(
    how: str, clean_lab: Lab, tmp_path: Path
) -> None:
    policy = "unless-stopped"
    hosts = shops.targets(clean_lab, "Dev")
    # With docker, judged for as long as this test wants; a host that starts too late finds one that was well.
    ready = oc.Command(["test", "-f", "/www/ready"])
    fields: dict[str, Any] = {"health": ready, "healthy_timeout_s": 120} if how == "docker" else {"monitor_s": 4}
    judging = shops.project(shops.web(clean_lab, restart=policy, **fields))

    def again() -> None:
        clean_lab.sh("h01", "until docker exec shop-dev-web grep -q 1.0.1 /www/version; do sleep 0.05; done")
        if how == "host":
            clean_lab.reboot("h01")
            shops.docker_is_up(clean_lab, "h01")
            # The deployment has found its way back meanwhile, and may be replacing once more: one, and then none for a moment.
            seen = clean_lab.sh("h01", 'until now=$(docker ps -q) && [ -n "$now" ]; do sleep 0.1; done; echo "$now"')
            assert len(seen.split()) == 1
        else:
            clean_lab.service("h01", "dockerd", "stop")
            # The step asks for docker's version, and for nothing else, when it has noticed.
            clean_lab.sh("h01", "until pgrep -u deploy -f 'docker version' >/dev/null; do :; done")
            clean_lab.service("h01", "dockerd", "start")

    def release() -> None:
        made = (
            "until docker exec shop-dev-web sh -c 'grep -q 1.0.1 /www/version && touch /www/ready'; do sleep 0.1; done"
        )
        clean_lab.sh("h01", f"{{ {made}; }} 2>/dev/null")

    with shops.space(clean_lab, shops.project(shops.web(clean_lab, restart=policy)), hosts, tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
    with shops.beside() as start, shops.space(clean_lab, judging, hosts, tmp_path) as space:
        made = space.create_release(versions={"acme/web": "1.0.1"})
        judged = start(lambda: (again(), release())) if how == "docker" else start(again)
        second = space.deploy(made, "Dev", check=False)
        judged.result()
        if how == "docker":
            assert second.outcomes[0].action == "replaced", second.outcomes[0]
            assert "docker was away for a moment" in second.outcomes[0].log
        assert space.deploy(made, "Dev").ok
    assert list(shops.containers(clean_lab, "h01")) == ["shop-dev-web"]
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["HostConfig"]["RestartPolicy"]["Name"] == policy


def test_a_docker_daemon_that_is_down_fails_the_step_and_says_so(clean_lab: Lab, tmp_path: Path) -> None:
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        clean_lab.service("h01", "dockerd", "stop")
        try:
            with pytest.raises(oc.ReadError, match="docker does not answer"):
                space.plan(release, "Dev")
            with pytest.raises(oc.DeployFailed, match="docker does not answer") as failed:
                space.deploy(release, "Dev")
        finally:
            clean_lab.service("h01", "dockerd", "start")
            shops.docker_is_up(clean_lab, "h01")
    assert failed.value.hosts is oc.Hosts.UNTOUCHED


def test_a_user_who_may_not_use_docker_is_told_so(clean_lab: Lab, tmp_path: Path) -> None:
    guest = shops.ssh(clean_lab, user="guest")
    made = shops.project(shops.web(clean_lab))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path, transport=guest) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        with pytest.raises(oc.DeployFailed, match=r"permission denied.*docker.sock"):
            space.deploy(release, "Dev")


def test_a_registry_that_is_down_leaves_the_old_container_running(clean_lab: Lab, tmp_path: Path) -> None:
    clean_lab.push("fresh/web", "1.0.0", "ok")
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab, "fresh/web")), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        space.deploy(space.create_release(), "Dev")
        clean_lab.push("fresh/web", "1.1.0", "ok")
        release = space.create_release()
        before = shops.inspect(clean_lab, "h01", "shop-dev-web")["State"]["StartedAt"]
        clean_lab.registry_service("stop")
        try:
            failed = space.deploy(release, "Dev", check=False)
            with pytest.raises(oc.RegistryError, match="refused"):
                space.create_release()
        finally:
            clean_lab.registry_service("start")
    assert "docker pull" in failed.outcomes[0].why
    assert failed.hosts is oc.Hosts.UNTOUCHED
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["State"]["StartedAt"] == before


def test_two_controllers_with_different_records_take_turns_on_a_host(clean_lab: Lab, tmp_path: Path) -> None:
    # Each says when it is in and when it is out; overlapping turns would interleave the lines.
    script = "echo in >>/tmp/turns; sleep 1; echo out >>/tmp/turns"
    made = shops.project(oc.RunScript("turn", script=script))

    def deploy(number: int) -> bool:
        folder = tmp_path / str(number)
        folder.mkdir()
        with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), folder) as space:
            return space.deploy(space.create_release(), "Dev").ok

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(deploy, range(3))) == [True] * 3
    assert clean_lab.sh("h01", "cat /tmp/turns; rm /tmp/turns").split() == ["in", "out"] * 3


def test_an_unknown_host_key_of_one_host_stops_everything_before_any_host_is_touched(
    clean_lab: Lab, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    address = clean_lab.hosts["h02"]
    lines = clean_lab.known_hosts.read_text().splitlines()
    known.write_text("\n".join(line for line in lines if f"{address} " not in line) + "\n")
    sessions = [clean_lab.ssh_sessions(host) for host in ("h01", "h02", "h03")]
    strict = shops.ssh(clean_lab, known_hosts=known)
    made = shops.project(shops.web(clean_lab))
    with shops.space(clean_lab, made, shops.targets(clean_lab, *["Dev"] * 3), tmp_path, transport=strict) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        with pytest.raises(oc.HostKeyError, match="h02") as refused:
            space.deploy(release, "Dev")
        assert refused.value.hosts is oc.Hosts.UNTOUCHED
        assert len(space.history()) == 0
    assert [clean_lab.ssh_sessions(host) for host in ("h01", "h02", "h03")] == sessions


def test_an_interrupt_lets_what_runs_end_and_starts_nothing_more(clean_lab: Lab, tmp_path: Path) -> None:
    octofile = tmp_path / "octofile.py"
    octofile.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "import pathlib, shops, octossh as oc\nfrom lab.lab import Lab\n"
        f"lab = Lab.named({clean_lab.name!r})\n"
        "made = shops.project(oc.RunScript('first', script='echo going; sleep 2; echo x >/tmp/first'),\n"
        "                     oc.RunScript('second', script='echo x >/tmp/second'))\n"
        "space = shops.space(lab, made, shops.targets(lab, 'Dev'), pathlib.Path('.'))\n"
    )
    octossh = [sys.executable, "-m", "octossh", "-f", str(octofile)]
    subprocess.run([*octossh, "release", "create"], check=True, stdout=subprocess.DEVNULL)
    deploying = subprocess.Popen([*octossh, "deploy", "--to", "Dev"], stderr=subprocess.PIPE, text=True)
    assert deploying.stderr is not None
    for line in deploying.stderr:
        if "going" in line:
            break
    os.kill(deploying.pid, signal.SIGINT)
    with deploying:
        _, said = deploying.communicate(timeout=30)
    assert deploying.returncode == 130
    assert "interrupted" in said
    assert clean_lab.sh("h01", "ls /tmp/first /tmp/second 2>/dev/null; rm -f /tmp/first").split() == ["/tmp/first"]
    shown = subprocess.run([*octossh, "history"], check=True, capture_output=True, text=True).stdout
    assert "interrupted" in shown
