"""The benchmarks work at all: on a tiny case, and without a look at the clock."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import documents
import pytest

BENCH = documents.ROOT / "tests" / "benchmarks" / "bench.py"


def bench(*words: str, cwd: Path | None = None) -> str:
    command = [sys.executable, str(BENCH), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout


OVERLAP = {
    "pulls": {"hosts": 3, "waited": 0},
    "questions": {"answer_s": 0.3, "added_s": [0.01]},
    "commit": "c0ffee",
    "load": 1.0,
}


def put(folder: Path, kind: str, key: str, said: dict[str, Any]) -> None:
    code = (
        "import json, sys, pathlib\n"
        "from pages import Figures\n"
        "Figures(pathlib.Path(sys.argv[1])).put(*sys.argv[2:4], json.loads(sys.argv[4]))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    subprocess.run([sys.executable, "-c", code, str(folder), kind, key, json.dumps(said)], env=env, check=True)


@pytest.mark.slow
def test_simulated_hosts_are_deployed_to_and_what_that_took_is_told() -> None:
    said = bench("fleet", "--hosts", "3", "--parallel", "2")
    assert "3 hosts, 2 at once" in said
    assert "descriptors" in said


@pytest.mark.slow
def test_what_a_new_process_takes_is_told_of_each_work() -> None:
    said = bench("cold", "--rounds", "1").splitlines()
    assert [line.partition(":")[0] for line in said] == ["import octossh", "--help", "no-op"]
    assert all("modules" in line for line in said)


def test_tables_and_plots_are_made_of_figures(tmp_path: Path) -> None:
    row = {"ratio": 1.25, "cpu_s": 0.5, "memory_mb": 41.0, "connections": 1, "channels": 3, "docker": 3}
    rows = [row | {"way": "octossh", "work": work, "seconds": [2.0, 4.0, 3.0]} for work in ("fresh", "no-op", "change")]
    block = {
        "hosts": 2,
        "rtt_ms": 50,
        "rounds": 3,
        "versions": {"octossh": ""},
        "rows": rows,
        "commit": "c0ffee",
        "load": 1.0,
    }
    put(tmp_path, "deploy", "2 50", block)
    told = (tmp_path / "deploy.inc").read_text()
    assert "     - 3.00\n     - 2.00\N{NON-BREAKING HYPHEN}4.00\n     - 1.25\n" in told
    # The plot stands in the page itself, where it has the colour of its text.
    assert ":file: deploy-2-50.svg" in told
    assert "3.00 s (1.25)" in (tmp_path / "deploy-2-50.svg").read_text()
    assert "white" not in (tmp_path / "deploy-2-50.svg").read_text()
    assert "Not measured" in (tmp_path / "thin.inc").read_text()


def test_an_aim_is_met_missed_or_not_measured_round_by_round(tmp_path: Path) -> None:
    rest = {"ratio": 1.0, "cpu_s": 0.5, "memory_mb": 41.0, "connections": 1, "channels": 3}
    ways = {"ssh": ([1.0, 2.0, 4.0], 8), "octossh": ([1.2, 2.2, 9.0], 5)}
    rows = [
        rest | {"way": way, "work": work, "seconds": seconds, "docker": docker}
        for way, (seconds, docker) in ways.items()
        for work in ("fresh", "no-op", "change")
    ]
    told = {"hosts": 10, "rtt_ms": 50, "rounds": 3, "versions": {}, "rows": rows, "commit": "c0ffee", "load": 1.0}
    put(tmp_path, "deploy", "10 50", told)
    said = aims_in(tmp_path)
    assert said["no-op of octossh, 10 hosts, 50 ms: at most 1.10 of the time of ssh"] == ["1.20", "**missed**"]
    starts = "fresh, 10 hosts, 50 ms: fewer starts of docker than by hand, as a ratio to these"
    assert said[starts] == ["0.62", "met"]
    assert said["no-op of octossh, 10 hosts, 0 ms: at most 1.40 of the time of ssh"] == ["", "not measured"]
    assert said["change, 10 hosts, 50 ms: at most one channel for each host"] == ["3", "**missed**"]


def aims_in(folder: Path) -> dict[str, list[str]]:
    """Measured and verdict, by aim."""
    lines = re.sub(r"\n     -", " |", (folder / "aims.inc").read_text()).splitlines()
    cells = [[cell.strip() for cell in line.removeprefix("   * -").split("|")] for line in lines if "|" in line]
    return {aim: found for aim, *found in cells}


@pytest.mark.parametrize(
    ("kamal", "told"), [([6.0, 9.0], ["3", "met"]), ([5.996, 8.994], ["2.998", "**missed**"])], ids=["met", "missed"]
)
def test_an_aim_that_is_missed_by_little_does_not_look_met(tmp_path: Path, kamal: list[float], told: list[str]) -> None:
    rest = {
        "ratio": 1.0,
        "cpu_s": 0.5,
        "memory_mb": 41.0,
        "connections": 1,
        "channels": 1,
        "docker": 8,
        "work": "change",
    }
    rows = [rest | {"way": way, "seconds": seconds} for way, seconds in (("octossh", [2.0, 3.0]), ("kamal", kamal))]
    block = {"hosts": 10, "rtt_ms": 50, "rounds": 2, "versions": {}, "commit": "c0ffee", "load": 1.0}
    every = [row | {"work": work} for work in ("fresh", "no-op", "change") for row in rows]
    put(tmp_path, "deploy", "10 50", block | {"rows": every})
    assert aims_in(tmp_path)["change of octossh, 10 hosts, 50 ms: at least 3 times as fast as kamal"] == told


def test_one_part_that_is_measured_anew_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    rest = {"ratio": 1.0, "cpu_s": 0.5, "memory_mb": 41.0, "connections": 1, "channels": 1, "docker": 3, "way": "ssh"}
    for hosts, rtt_ms, seconds in ((1, 50, 1.25), (10, 50, 2.25), (10, 200, 3.25), (1, 50, 4.25)):
        rows = [rest | {"work": work, "seconds": [seconds]} for work in ("fresh", "no-op", "change")]
        block = {
            "hosts": hosts,
            "rtt_ms": rtt_ms,
            "rounds": 1,
            "versions": {},
            "rows": rows,
            "commit": "c",
            "load": 1.0,
        }
        put(tmp_path, "deploy", f"{hosts} {rtt_ms}", block)
    told = (tmp_path / "deploy.inc").read_text()
    titles = [line.removeprefix(".. rubric:: ") for line in told.splitlines() if line.startswith(".. rubric")]
    assert titles == ["1 host, 50 ms, 1 round", "10 hosts, 50 ms, 1 round", "10 hosts, 200 ms, 1 round"]
    assert [f"- {seconds}\n" in told for seconds in (1.25, 2.25, 3.25, 4.25)] == [False, True, True, True]


def cold(**more: Any) -> dict[str, Any]:
    made = {"cpu_s": 0.021, "memory_mb": 13.0, "modules": 69} | more
    return {"works": {"import octossh": made}, "commit": "c0ffee", "load": 1.0}


def test_a_column_in_which_nothing_stands_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "cold", "all", cold())
    assert "Seconds" not in (tmp_path / "cold.inc").read_text()
    put(tmp_path, "cold", "all", cold(seconds=0.03))
    told = (tmp_path / "cold.inc").read_text()
    assert "   * - Work\n     - Seconds\n" in told
    assert "   * - import octossh\n     - 0.030\n" in told


def test_what_was_measured_by_an_earlier_method_says_so_until_it_is_measured_anew(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text(json.dumps({"cold": {"all": cold()}}))
    put(tmp_path, "overlap", "all", OVERLAP)
    assert "c0ffee; load 1.0 before; by an earlier method" in (tmp_path / "cold.inc").read_text()
    assert "earlier" not in (tmp_path / "overlap.inc").read_text()
    put(tmp_path, "cold", "all", cold())
    assert "earlier" not in (tmp_path / "cold.inc").read_text()


def test_figures_stay_whole_when_their_writing_is_broken_off(tmp_path: Path) -> None:
    put(tmp_path, "overlap", "all", OVERLAP)
    before = (tmp_path / "figures.json").read_text()
    code = (
        "import pathlib, sys\n"
        "from pages import Figures\n"
        "figures = Figures(pathlib.Path(sys.argv[1]))\n"
        "write = pathlib.Path.write_text\n"
        "def broken(path, text):\n"
        "    write(path, text[: len(text) // 2])\n"
        "    raise KeyboardInterrupt\n"
        "pathlib.Path.write_text = broken\n"
        "figures.put('cold', 'all', {'works': {}, 'commit': 'c0ffee', 'load': 1.0})\n"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, check=False, capture_output=True)
    assert b"KeyboardInterrupt" in done.stderr
    assert (tmp_path / "figures.json").read_text() == before


@pytest.mark.slow
def test_more_instructions_than_the_page_has_are_told_by_the_exit_code() -> None:
    code = (
        "import sys, counting\n"
        "counting.instructions = lambda work, sources: 110\n"
        "kept = {'python': counting.python(), **dict.fromkeys(counting.WORKS, int(sys.argv[1]))}\n"
        "import bench, pages\n"
        "pages.Figures.__init__ = lambda self: setattr(self, 'all', {'pure': {'all': kept}})\n"
        "sys.argv = ['bench', 'pure']\n"
        "bench.main()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    for kept, exit_code in (("100", 1), ("109", 0)):
        done = subprocess.run([sys.executable, "-c", code, kept], env=env, check=False, capture_output=True, text=True)
        assert done.returncode == exit_code, done.stderr
        assert f"on the page {kept}" in done.stdout


@pytest.mark.slow
def test_each_way_comes_behind_another_one_in_each_round() -> None:
    code = "import deploying\nprint([deploying.in_turns(list('abcdef'), number) for number in range(6)])"
    env = {**os.environ, "PYTHONPATH": f"{BENCH.parent}:{BENCH.parents[1]}"}
    said = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout
    rounds = ast.literal_eval(said)
    assert sorted(order[0] for order in rounds) == list("abcdef")
    pairs = [pair for order in rounds for pair in itertools.pairwise(order)]
    assert len(set(pairs)) == len(pairs) == 30


@pytest.mark.slow
def page(*words: str) -> subprocess.CompletedProcess[str]:
    """``bench page`` of three parts, of which the first takes three minutes, one more than it should, and fails."""
    code = (
        "import sys, types, bench\n"
        "clock = types.SimpleNamespace(now=0.0)\n"
        "def done(words, check):\n"
        "    clock.now += 180 * ('first' in words)\n"
        "    return types.SimpleNamespace(returncode='first' in words)\n"
        "bench.subprocess = types.SimpleNamespace(run=done)\n"
        "bench.time = types.SimpleNamespace(monotonic=lambda: clock.now)\n"
        "bench.PAGE = {'first': 2, 'long': 2, 'last --only \\'a,b c\\'': 1}\n"
        "sys.argv = ['bench', 'page', *sys.argv[1:]]\n"
        "bench.main()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    return subprocess.run([sys.executable, "-c", code, *words], env=env, check=False, capture_output=True, text=True)


def parts(said: str) -> list[list[str]]:
    return [line.split()[1:3] for line in said.splitlines()]


def test_the_page_measures_what_fits_into_the_minutes_and_what_fails_takes_nothing_along() -> None:
    done = page("--minutes", "4")
    assert parts(done.stdout) == [["first", "(about"], ["left", "as"], ["last", "--only"]]
    assert done.stderr.strip() == "bench: not measured: first"


def test_the_page_measures_all_of_it_where_no_minutes_are_given() -> None:
    assert parts(page().stdout) == [["first", "(about"], ["long", "(about"], ["last", "--only"]]


def test_half_an_hour_is_what_the_whole_page_takes() -> None:
    told = (documents.ROOT / "docs" / "performance.rst").read_text(encoding="utf-8")
    assert re.search(r"\./dev bench page +# all of this page: half an hour\n", told)
    env = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
    command = [sys.executable, "-c", "import bench; print(sum(bench.PAGE.values()))"]
    said = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    assert float(said) == pytest.approx(30, abs=3)


@pytest.mark.slow
def test_nobody_waits_for_the_pull_of_another_host_and_no_store_is_left_behind(tmp_path: Path) -> None:
    assert "0 of 3 others wait" in bench("overlap", "--rounds", "1", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
