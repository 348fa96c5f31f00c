"""What only real hosts show of going over them: one that is gone, one that hangs, and changed ones that go back."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import shops
from clocks import slack
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab


def test_a_host_that_is_gone_is_skipped_and_brought_up_to_date_when_it_is_back(clean_lab: Lab, tmp_path: Path) -> None:
    made = shops.project(shops.web(clean_lab), rollout=oc.Rollout(offline="skip", at_least={"web": 1}))
    hosts = shops.targets(clean_lab, "Dev", "Dev")
    with shops.space(clean_lab, made, hosts, tmp_path) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        clean_lab.service("h02", "sshd", "stop")
        try:
            assert "without h02: offline" in str(space.plan(release, "Dev"))
            ended = space.deploy(release, "Dev")
        finally:
            clean_lab.service("h02", "sshd", "start")
        assert ended.ok
        left = ended.outcome("web", "h02")
        assert left is not None
        assert (left.state, left.why.split(":")[0]) == (oc.State.SKIPPED, "offline")
        assert set(shops.containers(clean_lab, "h02")) == set()
        before = shops.containers(clean_lab, "h01")
        assert space.outdated("Dev") == ("h02",)
        assert space.catch_up("Dev").ok
        assert space.outdated("Dev") == ()
        assert set(shops.containers(clean_lab, "h02")) == {"shop-dev-web"}
        assert shops.containers(clean_lab, "h01") == before


def test_changed_hosts_get_back_what_stood_there_before(clean_lab: Lab, tmp_path: Path) -> None:
    smoke = oc.RunScript(
        "smoke", script="echo it smokes; false", when="{{ target.name == 'h02' and release != '0.0.1' }}"
    )
    made = shops.project(shops.web(clean_lab, publish=["8080:8080"]), smoke, rollout=oc.Rollout(on_failure="rollback"))
    hosts = shops.targets(clean_lab, "Dev", "Dev")
    with shops.space(clean_lab, made, hosts, tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        with pytest.raises(oc.DeployFailed) as caught:
            space.deploy(space.create_release(versions={"acme/web": "1.0.1"}), "Dev")
        assert caught.value.rollback.ok
        assert caught.value.rollback.mode is oc.Mode.ROLLBACK
        assert "h01, h02 went back to 0.0.1" in str(caught.value)
        assert [shops.version(clean_lab, host) for host in ("h01", "h02")] == ["1.0.0", "1.0.0"]
        assert space.status().standings[0].release == "0.0.1"
        assert space.verify().ok


@pytest.mark.parametrize("way", ["Ctrl-C", "cancel"])
def test_a_deployment_with_a_host_that_hangs_ends_within_ten_seconds_and_its_record_is_whole(
    clean_lab: Lab, tmp_path: Path, way: str
) -> None:
    octofile = tmp_path / "octofile.py"
    octofile.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "import pathlib, shops, octossh as oc\nfrom lab.lab import Lab\n"
        f"lab = Lab.named({clean_lab.name!r})\n"
        "made = shops.project(oc.RunScript('first', script='echo going; test {{ target.name }} = h02 || sleep 30'),\n"
        "                     oc.RunScript('second', script='true'))\n"
        "space = shops.space(lab, made, shops.targets(lab, 'Dev', 'Dev'), pathlib.Path('.'))\n"
    )
    octossh = [sys.executable, "-m", "octossh", "-f", str(octofile)]
    subprocess.run([*octossh, "release", "create"], check=True, stdout=subprocess.DEVNULL)
    deploying = subprocess.Popen([*octossh, "deploy", "--to", "Dev"], stderr=subprocess.PIPE, text=True)
    assert deploying.stderr is not None
    for line in deploying.stderr:
        if line.startswith("h01") and "going" in line:
            break
    clean_lab.service("h01", "sshd", "freeze")
    try:
        began = time.monotonic()
        if way == "Ctrl-C":
            deploying.send_signal(signal.SIGINT)
        else:
            done = subprocess.run(
                [*octossh, "cancel", "--why", "it hangs"], check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert "interrupted" in done.stdout
        with deploying:
            _, said = deploying.communicate(timeout=30)
        took_s = time.monotonic() - began
    finally:
        clean_lab.service("h01", "sshd", "thaw")
    assert deploying.returncode == 130, said
    assert took_s < (12 if way == "cancel" else 10) * slack()
    with oc.Space(f"sqlite:///{tmp_path}/octossh.db", projects=[], targets=[]) as space:
        (ended,) = space.store.deployments()
        assert ended.state is oc.State.INTERRUPTED
        states = {(outcome.step, outcome.target): outcome.state for outcome in ended.outcomes}
        assert states == {
            ("first", "h01"): oc.State.UNKNOWN,
            ("first", "h02"): oc.State.SUCCEEDED,
            ("second", "h01"): oc.State.SKIPPED,
            ("second", "h02"): oc.State.SKIPPED,
        }
        assert ("it hangs" in ended.error) == (way == "cancel")
        assert space.verify().ok
