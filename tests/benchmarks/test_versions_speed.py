"""How fast one tag of many is chosen: as a ratio to sorting as many versions of Python, in the same run."""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable

import packaging.version
import pytest

from octossh.versions import choose, explain, parse

pytestmark = pytest.mark.slow

# What stands behind the numbers in the lists of well-known repositories, the frequent ones more than once.
TAILS = (
    "", "", "", "", "", "-alpine", "-alpine", "-alpine3.20", "-slim", "-slim-bookworm", "-bookworm", "-jdk-alpine",
    "-rc.1", "-rc2", "rc1", "-beta.3", "-alpha", "-SNAPSHOT", ".dev202401180021", "-r4", "-ls231", "_7-jdk", "-1",
    "-debian-12-r8", "-linux-amd64", "-windowsservercore-ltsc2022", "-3-gabcdef1", "-e5987a19d-ls230", ".post1",
    "-eclipse-temurin-21", "-python3.12", "-cuda12.1-cudnn8-runtime", "-security-01", ".Final", "-fpm-alpine",
)  # fmt: skip


def tags(count: int) -> list[str]:
    """Such as the registry of a large company lists them: releases, variants, builds of servers, words, dates."""
    chance = random.Random(5)
    made: dict[str, None] = dict.fromkeys(("latest", "stable", "main", "alpine", "lts"))
    number = 0
    while len(made) < count:
        number += 1
        numbers = f"{chance.randrange(30)}.{chance.randrange(60)}.{number % 4000}"
        made[chance.choice(("", "", "", "v")) + numbers + chance.choice(TAILS)] = None
        if number % 10 == 0:
            sha = f"{chance.getrandbits(40):010x}"
            others = f"sha-{sha} main-{sha}-{number} pr-{number} release-{numbers} {sha} sha256-{sha * 6}abcd.sig"
            made[chance.choice(others.split())] = None
        if number % 50 == 0:
            made[f"20{number % 24:02}{number % 12 + 1:02}{number % 28 + 1:02}"] = None
    return list(made)[:count]


def versions(count: int) -> list[str]:
    """As many that Python knows as versions, with as many prereleases and the like among them."""
    chance = random.Random(5)
    tails = ("", "", "", "", "rc1", ".post1", "a2", ".dev3", "+local.7")
    return [f"{chance.randrange(30)}.{chance.randrange(60)}.{n % 4000}{chance.choice(tails)}" for n in range(count)]


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def beside_packaging(rounds: int = 3, **rules: str) -> float:
    """The ratio of parsing and choosing 100,000 tags to reading and sorting 100,000 versions of Python."""
    ours, theirs = tags(100_000), versions(100_000)
    pairs = [
        (seconds(lambda: choose(ours, **rules)), seconds(lambda: sorted(map(packaging.version.Version, theirs))))
        for _ in range(rounds)
    ]
    choosing, sorting = map(statistics.median, zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    print(f"choosing of 100,000 tags: {choosing:.2f} s, packaging {sorting:.2f} s, ratio {ratio:.2f}", flush=True)
    return ratio


@pytest.mark.parametrize(
    "rules", [{"range": "[3.0,20.0)", "variant": "alpine"}, {"variant": "*", "prerelease": ".*", "scheme": "dotted"}]
)
def test_parsing_and_choosing_beside_sorting_versions_of_python(rules: dict[str, str]) -> None:
    assert beside_packaging(**rules) < 10


def test_parsing_alone() -> None:
    ours, theirs = tags(100_000), versions(100_000)
    parsing = seconds(lambda: [parse(tag) for tag in ours])
    reading = seconds(lambda: [packaging.version.Version(text) for text in theirs])
    print(f"parsing 100,000 tags: {parsing:.2f} s, packaging {reading:.2f} s, ratio {parsing / reading:.2f}")
    assert parsing / reading < 10


def test_the_memory_of_choosing_grows_with_the_number_of_tags_and_no_faster() -> None:
    peaks = {}
    for count in (25_000, 50_000, 100_000):
        some = tags(count)
        tracemalloc.start()
        explanation = explain(some, scheme="dotted")
        peaks[count] = tracemalloc.get_traced_memory()[1] / count
        tracemalloc.stop()
        assert len(explanation.verdicts) == count
    print("bytes for each tag: " + ", ".join(f"{count:,} tags: {peak:.0f}" for count, peak in peaks.items()))
    assert max(peaks.values()) < 1.25 * min(peaks.values())
