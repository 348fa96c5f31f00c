"""How long a release of many images takes: as a ratio to what its slowest image takes alone, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from integration.front import Front

import octossh as oc

pytestmark = [pytest.mark.lab, pytest.mark.slow]

IMAGES = 20
DELAY_S = 0.1


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def release(url: str, *repositories: str) -> None:
    registry = oc.Registry("far", url)
    steps = [oc.RunContainer(f"s{n}", image=registry.image(name)) for n, name in enumerate(repositories)]
    with oc.Space("sqlite://", projects=[oc.Project("shop", process=steps)]) as space:
        assert len(space.create_release().pins) == len(repositories)


@pytest.mark.parametrize("tags", [1, 20_000], ids=["images alike", "one of 20,000 tags"])
def test_a_release_of_twenty_images_takes_as_long_as_its_slowest_one(tags: int, lab: Any) -> None:
    names = [f"bench/web-{number}" for number in range(IMAGES)]
    for name in names:
        lab.push(name, "1.0.0")
    if tags > 1:
        names[7] = f"bench/many-{tags}"
        lab.push_tags(names[7], tags)
    # Each answer comes late, as from a registry that is far away.
    with Front(f"http://{lab.registry}", delay_s=DELAY_S) as front:
        release(front.url, names[0])  # imports, and makes the store's tables, for the first time
        alone = [
            statistics.median(seconds(lambda n=name: release(front.url, n)) for _ in range(3)) for name in names[5:9]
        ]
        together = statistics.median(seconds(lambda: release(front.url, *names)) for _ in range(3))
    ratio = together / max(alone)
    print(f"{IMAGES} images: {together:.2f} s, the slowest alone {max(alone):.2f} s, ratio {ratio:.2f}")
    assert ratio < 2.5
