"""Removing from real hosts what old releases left."""

from __future__ import annotations

from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab


def images(lab: Lab) -> str:
    return lab.sh("h01", "docker image ls --digests --format '{{.Digest}}'")


def test_images_and_stopped_containers_of_old_releases_go_and_nothing_else(clean_lab: Lab, tmp_path: Path) -> None:
    once = oc.RunContainer("once", image=shops.registry(clean_lab).image("acme/worker"), monitor_s=0)
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab), once), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        first = space.create_release(versions={"acme/web": "1.0.0"})
        space.deploy(first, "Dev")
    clean_lab.sh(
        "h01",
        "docker stop -t 0 shop-dev-once; docker tag $(docker inspect --format '{{.Image}}' shop-dev-once) keep/me:1",
    )
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        second = space.create_release(versions={"acme/web": "1.0.1"})
        space.deploy(second, "Dev")
        made = space.plan_prune("Dev", keep=1)
        before = images(clean_lab)
        assert "shop-dev-once" in str(made)
        assert first.pins[0].digest in before
        assert set(shops.containers(clean_lab, "h01")) >= {"shop-dev-web", "shop-dev-once"}, "a plan removes nothing"
        done = space.deploy(made)
        assert done.mode is oc.Mode.PRUNE
        assert space.status().standings[0].release == second.number
        assert not space.plan_prune("Dev", keep=1).has_changes
        assert not space.plan(second, "Dev").has_changes
    assert "shop-dev-once" not in shops.containers(clean_lab, "h01")
    assert "shop-dev-web" in shops.containers(clean_lab, "h01")
    after = images(clean_lab)
    assert first.pins[0].digest not in after
    assert second.pins[0].digest in after
    assert "keep/me" in clean_lab.sh("h01", "docker image ls --format '{{.Repository}}'")


def test_an_image_that_a_container_still_uses_stays(clean_lab: Lab, tmp_path: Path) -> None:
    with shops.space(
        clean_lab, shops.project(shops.web(clean_lab)), shops.targets(clean_lab, "Dev"), tmp_path
    ) as space:
        first = space.create_release(versions={"acme/web": "1.0.0"})
        space.deploy(first, "Dev")
        clean_lab.sh("h01", f"docker run -d --name other {first.pins[0].reference}")
        space.deploy(space.create_release(versions={"acme/web": "1.0.1"}), "Dev")
        done = space.deploy(space.plan_prune("Dev", keep=1))
    (outcome,) = done.outcomes
    assert (outcome.state, outcome.action) == (oc.State.SUCCEEDED, "unchanged")
    assert "stays" in outcome.log
    assert "other" in shops.containers(clean_lab, "h01")
