"""Steps that go to a host in one script: over real links, which break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

HOSTS = ("h01", "h02")
STEPS = {"net": "created", "data": "created", "web": "created"}
CONTROLLER = """
import pathlib, signal, sys
sys.path[:0] = [{tests!r}, {here!r}]
import shops, octossh as oc
from lab.lab import Lab
from test_together import process
lab = Lab.named({lab!r})
with shops.space(lab, process(lab), shops.targets(lab, "Dev"), pathlib.Path({folder!r})) as space:
    def on_event(event):
        if "creating shop-dev-web" in event.data.get("line", ""):
            print("now", flush=True)
            signal.pause()
    space.on_event = on_event
    space.deploy(space.create_release(versions={{"acme/web": "1.2.0"}}), "Dev")
"""


def process(lab: Lab) -> oc.Project:
    web = shops.web(lab, networks=["shop-dev-net"], volumes=["shop-dev-data:/data"], publish=["8080:8080"])
    return shops.project(oc.CreateNetwork("net"), oc.CreateVolume("data"), web)


def actions(deployment: oc.Deployment, host: str = "h01") -> dict[str, str]:
    return {outcome.step: outcome.action for outcome in deployment.outcomes if outcome.target == host}


def test_a_network_a_volume_and_a_container_need_one_connection_and_one_exec(clean_lab: Lab, tmp_path: Path) -> None:
    hosts = shops.targets(clean_lab, "Dev", "Dev")
    for action in ("created", "unchanged"):
        connections = {host: clean_lab.ssh_connections(host) for host in HOSTS}
        sessions = {host: clean_lab.ssh_sessions(host) for host in HOSTS}
        with shops.space(clean_lab, process(clean_lab), hosts, tmp_path, anchors=False) as space:
            ended = space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
            assert [actions(ended, host) for host in HOSTS] == [dict.fromkeys(STEPS, action)] * 2
            assert space.verify().ok
        assert {clean_lab.ssh_connections(host) - connections[host] for host in HOSTS} == {1}
        assert {clean_lab.ssh_sessions(host) - sessions[host] for host in HOSTS} == {1}
    assert all(shops.version(clean_lab, host) == "1.0.0" for host in HOSTS)


@pytest.mark.parametrize("moment", ["creating network", "creating volume", "creating shop-dev-web"])
def test_a_link_that_drops_in_the_middle_fails_no_step(moment: str, clean_lab: Lab, tmp_path: Path) -> None:
    drop = shops.when(moment, lambda: clean_lab.sh("h01", "pkill -9 -f '^sshd: deploy'"))
    hosts = shops.targets(clean_lab, "Dev")
    with shops.space(clean_lab, process(clean_lab), hosts, tmp_path, on_event=drop) as space:
        ended = space.deploy(space.create_release(versions={"acme/web": "1.2.0"}), "Dev")
        assert actions(ended) == STEPS
        assert space.verify().ok
    assert list(shops.containers(clean_lab, "h01")) == ["shop-dev-web"]


def test_steps_whose_controller_is_killed_are_found_again_one_by_one(clean_lab: Lab, tmp_path: Path) -> None:
    here = Path(__file__).parent
    code = CONTROLLER.format(tests=str(here.parent), here=str(here), lab=clean_lab.name, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "now\n"
        killed.kill()
    hosts = shops.targets(clean_lab, "Dev")
    with shops.space(clean_lab, process(clean_lab), hosts, tmp_path) as space:
        found = space.resume()
        assert actions(found) == STEPS
        assert found.state is oc.State.SUCCEEDED
        assert space.verify().ok
