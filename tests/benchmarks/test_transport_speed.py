"""How fast scripts and their output travel: as a ratio to what OpenSSH needs for the same, in the same run."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from octossh.model.targets import Target
from octossh.shell import Script
from octossh.transport import SSH

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(work: Callable[[], object], times: int) -> float:
    return statistics.median(seconds(work) for _ in range(times))


class Bench:
    def __init__(self, lab: Any) -> None:
        name, address = next(iter(lab.hosts.items()))
        self.target = Target(name, address, user="root")
        self.ssh = SSH(known_hosts=lab.known_hosts, identity=lab.key)
        self._words = ["ssh", "-F", str(lab.ssh_config), f"root@{name}", "exec sh -s"]

    def ours(self, text: str, on_line: Callable[[str], None] | None = None) -> None:
        assert self.ssh.run(self.target, Script("bench", text), on_line=on_line).exit_code == 0

    def theirs(self, text: str) -> None:
        subprocess.run(self._words, input=text.encode(), stdout=subprocess.PIPE, check=True)


@pytest.fixture
def bench(lab: Any) -> Any:
    made = Bench(lab)
    made.ours(":\n")
    yield made
    made.ssh.close()


def report(name: str, ours: float, theirs: float) -> float:
    print(f"{name}: {ours * 1000:.0f} ms, OpenSSH {theirs * 1000:.0f} ms, ratio {ours / theirs:.2f}")
    return ours / theirs


MUCH = "head -c 64000000 /dev/zero | tr '\\0' x | fold -w 99\n"


def test_a_megabyte_of_script_and_64_of_output(bench: Bench) -> None:
    text = "".join(
        f"# line {n} of a long script, as templates make them when there is much to say\n" for n in range(13_000)
    )
    ours, theirs = (median(lambda run=run: run(text + MUCH), 3) for run in (bench.ours, bench.theirs))
    assert report("1 MB in, 64 MB out", ours, theirs) < 3


def test_64_megabytes_of_output_with_a_callback(bench: Bench) -> None:
    count = 0

    def on_line(_line: str) -> None:
        nonlocal count
        count += 1

    ours = median(lambda: bench.ours(MUCH, on_line), 3)
    theirs = median(lambda: bench.theirs(MUCH), 3)
    assert count == 3 * (64_000_000 // 99 + 1)
    assert report("64 MB out, by the line", ours, theirs) < 4


def test_a_short_script_over_an_open_connection(bench: Bench) -> None:
    ours = median(lambda: bench.ours(":\n"), 30)
    theirs = median(lambda: bench.theirs(":\n"), 10)
    # OpenSSH opens a connection for each, which is what keeping one open saves.
    assert report("a short script", ours, theirs) < 0.5


def test_opening_a_connection(bench: Bench, lab: Any) -> None:
    def connect() -> None:
        with SSH(known_hosts=lab.known_hosts, identity=lab.key) as ssh:
            ssh.connect(bench.target)

    ours = median(connect, 7)
    theirs = median(lambda: bench.theirs(":\n"), 7)
    assert report("a connection", ours, theirs) < 3
