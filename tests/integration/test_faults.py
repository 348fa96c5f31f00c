"""What happens when links, controllers, daemons and registries die in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab


def test_a_user_who_may_not_use_docker_is_told_so(clean_lab: Lab, tmp_path: Path) -> None:
    guest = shops.ssh(clean_lab, user="guest")
    made = shops.project(shops.web(clean_lab))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path, transport=guest) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        with pytest.raises(oc.DeployFailed, match=r"permission denied.*docker.sock"):
            space.deploy(release, "Dev")


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


def test_deployments_with_different_stores_do_not_interleave_on_a_host(clean_lab: Lab, tmp_path: Path) -> None:
    steps = [oc.CreateNetwork("net"), oc.Approve("ask"), oc.RunScript("do", script="echo done")]
    claims = "cat /dev/shm/octossh-*.claim.*; true"
    hosts = shops.targets(clean_lab, "Dev")

    def other(name: str, **more: Any) -> oc.Space:
        (tmp_path / name).mkdir(exist_ok=True)
        return shops.space(clean_lab, shops.project(*steps), hosts, tmp_path / name, lock_wait_s=1, **more)

    def yes(request: oc.ApprovalRequest) -> oc.Approval:
        return oc.Approval(approved=True, by="ada")

    def between(request: oc.ApprovalRequest) -> oc.Approval:
        assert request.deployment in clean_lab.sh("h01", claims)
        with other("second", approve=yes) as second:
            with pytest.raises(oc.DeployFailed, match=f"not through .* deployment {request.deployment} by ") as refused:
                second.deploy(second.create_release(), "Dev")
            assert refused.value.exit_code == 4
            clean_lab.sh("h01", "pkill -9 -f '^sshd: deploy'")
            assert second.deploy(second.create_release(), "Dev").ok
        return yes(request)

    with other("first", approve=between) as first:
        with pytest.raises(oc.DeployFailed, match="which another deployment has taken over since: deployment "):
            first.deploy(first.create_release(), "Dev")
        assert clean_lab.sh("h01", claims) == ""
        first.approve = yes
        assert first.deploy(first.create_release(), "Dev").ok
    assert clean_lab.sh("h01", claims) == ""
