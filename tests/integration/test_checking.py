"""Looking at real hosts before anything is deployed to them."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import shops
from lab.lab import Lab

import octossh as oc
from octossh.model import Grade

pytestmark = pytest.mark.lab


Found = dict[tuple[str, str], tuple[Grade, str]]


def checked(lab: Lab, folder: Path, targets: list[oc.Target], hub: oc.Registry | None = None) -> Found:
    step = oc.RunContainer("web", image=(hub or shops.registry(lab)).image("acme/web"))
    with shops.space(lab, shops.project(step), targets, folder) as space:
        return {(f.target, f.subject): (f.grade, f"{f.found}; {f.advice}") for f in space.check()}


def test_a_host_of_the_lab_has_all_that_a_deployment_needs(clean_lab: Lab, tmp_path: Path) -> None:
    found = checked(clean_lab, tmp_path, shops.targets(clean_lab, "Dev"))
    subjects = {subject for _, subject in found}
    assert {"connection", "system", "shell", "tools", "docker", "disk", "clock"} <= subjects
    assert {key: text for key, (grade, text) in found.items() if grade is Grade.FAULT} == {}
    assert "20.10" in found["h01", "docker"][1]


def test_what_is_wrong_with_one_host_does_not_hide_the_others(clean_lab: Lab, tmp_path: Path) -> None:
    targets = shops.targets(clean_lab, "Dev", "Dev", "Dev")
    clean_lab.service("h01", "sshd", "stop")
    clean_lab.service("h02", "dockerd", "stop")
    try:
        found = checked(clean_lab, tmp_path, targets)
    finally:
        clean_lab.service("h01", "sshd", "start")
        clean_lab.service("h02", "dockerd", "start")
    assert found["h01", "connection"][0] is Grade.FAULT
    assert "nothing listens there" in found["h01", "connection"][1]
    assert found["h02", "docker"][0] is Grade.FAULT
    assert "systemctl start docker" in found["h02", "docker"][1]
    assert found["h03", "docker"][0] is Grade.OK


def test_a_user_without_rights_and_a_registry_that_no_host_reaches_are_findings(clean_lab: Lab, tmp_path: Path) -> None:
    (target,) = shops.targets(clean_lab, "Dev")
    hub = attrs.evolve(shops.registry(clean_lab), registry_path=f"{clean_lab.registry.partition(':')[0]}:9")
    found = checked(clean_lab, tmp_path, [attrs.evolve(target, user="guest")], hub)
    assert found["h01", "docker"][0] is Grade.FAULT
    assert "add guest to the group docker" in found["h01", "docker"][1]
    assert found["h01", "registry hub"][0] is Grade.FAULT
    assert "cannot be reached" in found["h01", "registry hub"][1]


def test_a_host_that_hides_processes_of_others_is_told(clean_lab: Lab, tmp_path: Path) -> None:
    hosts = shops.targets(clean_lab, "Dev", "Dev")
    clean_lab.sh("h01", "mount -o remount,hidepid=invisible /proc")
    try:
        found = checked(clean_lab, tmp_path, hosts)
    finally:
        clean_lab.sh("h01", "mount -o remount,hidepid=off /proc")
    grade, text = found["h01", "claims"]
    assert grade is Grade.WARNING
    assert text.startswith(
        "/proc hides what runs there from other users (hidepid), so whether whoever deploys is there"
    )
    assert ("h02", "claims") not in found
