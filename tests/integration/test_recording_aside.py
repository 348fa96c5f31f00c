"""Deployments that lose their store on the way, for real: the server is killed, the disk is full."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from clusters import cluster

import octossh as oc


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def space(url, *scripts):
    steps = [oc.RunScript(f"s{number}", where="controller", script=script) for number, script in enumerate(scripts)]
    target = oc.Target("h01", "h01", environments=["Dev"])
    return oc.Space(url, projects=[oc.Project("shop", process=steps)], targets=[target], transport=oc.Local())


def side_files():
    return sorted(Path("~/.local/state/octossh").expanduser().glob("*.aside-*"))


def test_a_deployment_whose_postgresql_is_killed_goes_on_and_is_recorded_in_the_end(tmp_path, caplog):
    with cluster() as server:
        url = server.place()
        kill = f"kill -9 $(head -n 1 {server.data}/postmaster.pid)"
        with space(url, "true", kill, "echo on >" + str(tmp_path / "told")) as one:
            deployment = one.deploy(one.create_release(), "Dev")
            assert deployment.ok
        assert (tmp_path / "told").read_text() == "on\n"
        assert "the link to the server was lost" in caplog.text
        (path,) = side_files()
        assert path.stat().st_mode & 0o777 == 0o600
        server.start_again()
        with space(url, "true") as two:
            assert two.store.deployment(deployment.id) == deployment
            assert [o.state.value for o in two.store.deployment(deployment.id).outcomes] == ["succeeded"] * 3
            assert two.verify().ok
        assert side_files() == []


def test_without_postgresql_nothing_starts(tmp_path):
    with cluster() as server:
        with space(server.place(), "echo on >" + str(tmp_path / "told")) as one:
            release = one.create_release()
            server.stop()
            with pytest.raises(oc.RecordError, match=r"the link to the server was lost|it cannot be reached"):
                one.deploy(release, "Dev")
    assert not (tmp_path / "told").exists()


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mount"), reason="mounting a file system needs root")
def test_a_deployment_whose_disk_fills_up_goes_on_and_is_recorded_when_there_is_room(tmp_path, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        url = f"sqlite:///{disk}/octossh.db"
        fill = f"dd if=/dev/zero of={disk}/ballast bs=4k 2>/dev/null || true"
        with space(url, fill, "head -c 200000 /dev/zero | tr '\\0' x") as one:
            deployment = one.deploy(one.create_release(), "Dev")
            assert deployment.ok
        assert "the disk is full; make room, and try again. Until then" in caplog.text
        assert len(side_files()) == 1
        with space(url, "true") as two:  # still full: it is read as it is, and the side file stays
            assert two.store.deployment(deployment.id) != deployment
        assert len(side_files()) == 1
        (disk / "ballast").unlink()
        with space(url, "true") as three:
            assert three.store.deployment(deployment.id) == deployment
            assert three.verify().ok
        assert side_files() == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
