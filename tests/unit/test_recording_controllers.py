"""Which process runs a deployment, and whether it still lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from octossh.recording import alive, controller_here, controllers


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def of(pid, start=None):
    machine = controller_here().split()[0]
    stat = Path(f"/proc/{pid}/stat").read_text()
    return f"{machine} {pid} {start or stat.rpartition(')')[2].split()[19]}"


def test_this_process_is_alive():
    assert controller_here() == of(os.getpid())
    assert alive(controller_here()) is True


def test_a_process_is_alive_until_it_is_killed_even_before_its_parent_has_seen_it(child):
    text = of(child.pid)
    assert alive(text) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert alive(text) is False, "a zombie"
    child.wait()
    assert alive(text) is False


def test_another_process_under_the_same_id_is_not_the_one(child):
    assert alive(of(child.pid, start="1")) is False


def test_a_name_with_blanks_and_parentheses_does_not_shift_the_fields(tmp_path):
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as process:
        try:
            Path(f"/proc/{process.pid}/comm").read_text()
            assert alive(of(process.pid)) is True
        finally:
            process.kill()


def test_of_another_machine_nothing_is_known():
    _machine, pid, start = controller_here().split()
    assert alive(f"elsewhere {pid} {start}") is None


@pytest.mark.parametrize("text", ["", "a", "a b c", "m 0 1", "m -1 1", "m 1", "m 1 1 1", "m 99999999999 1", "m 1 \n"])
def test_of_other_text_nothing_is_known(text):
    assert alive(text.replace("m", controller_here().split()[0])) is None


def test_an_id_that_no_process_can_have_is_gone():
    assert alive(f"{controller_here().split()[0]} 4194305 1") is False


def test_a_process_that_proc_hides_may_be_alive(child, monkeypatch):
    text = of(child.pid)
    monkeypatch.setattr(controllers, "_started", lambda pid: None)
    assert alive(text) is None
    child.kill()
    child.wait()
    assert alive(text) is False


def test_without_a_machine_id_the_host_name_stands_for_it(monkeypatch):
    real = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *a, **k: "" if str(self) == "/etc/machine-id" else real(self, *a, **k)
    )
    monkeypatch.setattr(controllers.socket, "gethostname", lambda: "build host.example")
    controllers._machine.cache_clear()
    try:
        assert controller_here().split()[0].split("/")[0] == "buildhost.example"
        assert alive(controller_here()) is True
    finally:
        controllers._machine.cache_clear()


def test_a_container_with_the_same_machine_id_is_another_machine(monkeypatch):
    outside = controller_here()
    monkeypatch.setattr(Path, "readlink", lambda self: Path("pid:[4026532999]"))
    controllers._machine.cache_clear()
    try:
        assert len(controller_here().split()) == 3
        assert alive(controller_here()) is True
        assert alive(outside) is None
    finally:
        controllers._machine.cache_clear()
