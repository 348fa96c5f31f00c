"""Releases on real hosts: a tag that moves, a phase that goes by itself, and a release from another store."""

from __future__ import annotations

from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab


def running(lab: Lab, host: str) -> str:
    """The reference that the container on a host was made of."""
    reference: str = shops.inspect(lab, host, f"shop-{'dev' if host == 'h01' else 'test'}-web")["Config"]["Image"]
    return reference


def test_a_moved_tag_is_told_and_all_hosts_and_stores_get_the_pinned_image(clean_lab: Lab, tmp_path: Path) -> None:
    first = clean_lab.push("acme/moving", "1.0.0")
    lifecycle = oc.Lifecycle("Dev", oc.Phase("Test", automatic=True))
    shop = shops.project(shops.web(clean_lab, "acme/moving"), lifecycle=lifecycle)
    hosts = shops.targets(clean_lab, "Dev", "Test")
    events: list[oc.Event] = []
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    with shops.space(clean_lab, shop, hosts, here, on_event=events.append) as space:
        release = space.create_release()
        assert release.pins[0].digest == first
        second = clean_lab.push("acme/moving", "1.0.0", "warm")
        assert second != first
        assert space.deploy(release, "Dev").ok
        assert [(d.environment, d.mode.value, d.ok) for d in space.history()] == [
            ("Test", "promote", True),
            ("Dev", "deploy", True),
        ]
        assert {(e.data["pinned"], e.data["now"]) for e in events if e.type == "tag_moved"} == {(first, second)}
        assert running(clean_lab, "h01").endswith(first)
        assert running(clean_lab, "h02").endswith(first)
        space.export_release("latest", here / "release.json")
        assert space.verify().ok
    with shops.space(clean_lab, shop, hosts, there, on_moved_tag="fail") as space:
        carried = space.import_release(here / "release.json")
        with pytest.raises(oc.Refused, match="has moved to"):
            space.deploy(carried, "Dev")
    with shops.space(clean_lab, shop, hosts, there) as space:
        assert not space.plan(carried, "Dev").has_changes
        assert space.deploy(carried, "Dev").ok
        assert running(clean_lab, "h01").endswith(first)
