"""A deployment that waits for an approval: begun, answered and gone on with by processes of their own, on real hosts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

CONTROLLER = """
import pathlib, signal, sys
sys.path[:0] = [{tests!r}, {here!r}]
import shops, octossh as oc
from lab.lab import Lab
from test_continuing import process
lab = Lab.named({lab!r})
with shops.space(lab, process(lab), shops.targets(lab, "Dev"), pathlib.Path({folder!r})) as space:
    if sys.argv[1:] == ["deploy"]:
        try:
            space.deploy(space.create_release(versions={{"acme/web": "1.2.0"}}), "Dev")
        except oc.DeployWaits as waits:
            print(waits.deployment.id)
            sys.exit(waits.exit_code)
    def on_event(event):
        if "creating shop-dev-web" in event.data.get("line", ""):
            print("now", flush=True)
            signal.pause()
    space.on_event = on_event
    space.run_due()
"""


def process(lab: Lab) -> oc.Project:
    tell = oc.RunScript("tell", script="octossh_output at here")
    env = {"AT": "{{ steps.tell.outputs.at }}", "BY": "{{ steps.go.outputs.by }}"}
    return shops.project(oc.CreateNetwork("net"), tell, oc.Approve("go"), shops.web(lab, env=env))


def test_it_goes_on_in_another_process_and_one_that_is_killed_then_is_found_again(
    clean_lab: Lab, tmp_path: Path
) -> None:
    here, hosts = Path(__file__).parent, shops.targets(clean_lab, "Dev")
    code = CONTROLLER.format(tests=str(here.parent), here=str(here), lab=clean_lab.name, folder=str(tmp_path))
    first = subprocess.run([sys.executable, "-c", code, "deploy"], stdout=subprocess.PIPE, text=True, check=False)
    assert first.returncode == 5
    with shops.space(clean_lab, process(clean_lab), hosts, tmp_path) as space:
        waiting = space.deployment(first.stdout.strip())
        assert (waiting.state, shops.containers(clean_lab, "h01")) == (oc.State.WAITING, {})
        assert space.ask_hosts().compared == 1
        space.schedules.approve(waiting.id, "go", oc.Approval(True, by="ann"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "now\n"
        killed.kill()
    with shops.space(clean_lab, process(clean_lab), hosts, tmp_path) as space:
        assert space.deployment(waiting.id).state is oc.State.INTERRUPTED
        found = space.resume()
        assert (found.id, found.state) == (waiting.id, oc.State.SUCCEEDED), found
        env = found.outcome("web", "h01").inspect["Config"]["Env"]  # type: ignore[union-attr]
        assert {"AT=here", "BY=ann"} <= {*env}
        assert space.verify().ok
