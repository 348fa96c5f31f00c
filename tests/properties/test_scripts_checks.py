"""The script that looks a host over, on this machine: what it finds out of who else may deploy there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

import octossh as oc
from octossh.rendering import check

Look = Callable[[], dict[str, str]]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def add(**programs: str) -> None:
        for name, text in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)

    add(docker="exit 1", id="case $1 in -u) echo 1000 ;; *) echo deploy ;; esac", busctl="echo b true")
    return add


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def facts() -> dict[str, str]:
        here = oc.Target("h01", "h01")
        script = check([], here)
        body = script.body.replace("/var/lib/systemd/linger", f"{tmp_path}/linger").replace("/etc/", f"{tmp_path}/")
        with oc.Local() as local:
            result = local.run(here, attrs.evolve(script, body=body))
        told = (frame.text.partition(" ") for frame in result.frames if frame.kind == "fact")
        return {name: text for name, _, text in told}

    return facts


def test_who_is_in_the_group_by_a_directory_is_seen(programs: Callable[..., None], look: Look) -> None:
    programs(getent='[ "$*" = "group docker" ] && echo "docker:*:999:ann,bob"')
    assert look()["deployers"] == "docker:*:999:ann,bob"


def test_where_getent_is_not_there_or_knows_of_no_group_the_file_counts(
    programs: Callable[..., None], look: Look, tmp_path: Path
) -> None:
    programs(getent="exit 2")
    assert look()["deployers"] == ""
    (tmp_path / "group").write_text("root:x:0:\ndocker:x:998:ann\n")
    assert look()["deployers"] == "docker:x:998:ann"


def test_of_one_who_lingers_nothing_goes_when_that_one_logs_out(
    programs: Callable[..., None], look: Look, tmp_path: Path
) -> None:
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / "ann").touch()
    assert look()["removes"] == "b true"
    (tmp_path / "linger" / "deploy").touch()
    assert "removes" not in look()
