"""The modes and notations that have a reference implementation, compared with it.

What differs on purpose is written here and in docs/reference/versions.rst, with its reason.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion
from packaging.version import Version as Python

from octossh.errors import ModelError
from octossh.versions import Range, Version, parse

few_or_many = pytest.mark.parametrize("count", [150, pytest.param(4000, marks=pytest.mark.slow)])

# ------------------------------------------------------------------------ npm

MODULES = Path(sys.prefix) / "lib" / "node_modules"
ORACLE = """
const semver = require("semver");
const {pairs, ranges, versions} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const same = (a, b) => a.major === b.major && a.minor === b.minor && a.patch === b.patch;
const read = versions.map(text => new semver.SemVer(text));
function alone(comparator, version) {
    // Difference 2: an upper bound that is left out takes its prereleases with it.
    const bound = comparator.semver;
    if (comparator.operator === "<" && !bound.prerelease.length && version.prerelease.length && same(version, bound))
        return false;
    return comparator.test(version);
}
console.log(JSON.stringify({
    valid: pairs.flat().map(text => semver.valid(text) !== null),
    order: pairs.map(([a, b]) => semver.valid(a) && semver.valid(b) ? semver.compare(a, b) : null),
    within: ranges.map(text => {
        let range;
        try { range = new semver.Range(text) } catch { return null }
        return read.map(version => [
            range.test(version),
            // Difference 1: the same comparators, without the rule that names which prereleases may be looked at.
            range.set.some(all => all.every(comparator => alone(comparator, version))),
        ]);
    }),
}));
"""


def ask_npm(**question: Any) -> dict[str, Any]:
    """What npm's own library says."""
    if shutil.which("node") is None or not (MODULES / "semver").is_dir():
        pytest.skip(f"node is missing, or its library semver in {MODULES}; ./dev test installs them")
    answer = subprocess.run(
        ["node", "-e", ORACLE], env={**os.environ, "NODE_PATH": str(MODULES)},
        input=json.dumps(question), capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def semver_text(pick: random.Random) -> str:
    release = ".".join(str(pick.choice([0, 0, 0, 1, 1, 2, 3])) for _ in range(3))
    pieces = ["0", "1", "9", "10", "alpha", "beta", "rc", "rc9", "rc10", "x-y", "-", "A"]
    pre = ".".join(pick.choice(pieces) for _ in range(pick.choice([0, 0, 1, 1, 2, 3])))
    return release + (f"-{pre}" if pre else "")


def unlikely_text(pick: random.Random) -> str:
    return "".join(
        pick.choice(["1", "0", "01", ".", ".", "-", "rc", "v", "a", "1.2.3", "-rc.1"])
        for _ in range(pick.randint(1, 6))
    )


def npm_range(pick: random.Random) -> str:
    def partial() -> str:
        numbers = [str(pick.choice([0, 0, 1, 2, 3])) for _ in range(pick.randint(1, 3))]
        if len(numbers) < 3:
            return ".".join(numbers + [pick.choice("xX*")] * pick.choice([0, 0, 1, 3 - len(numbers)]))
        return ".".join(numbers) + pick.choice(["", "", "", "-rc.1", "-0", "-alpha"])

    def comparator() -> str:
        if pick.random() < 0.03:
            return pick.choice(["*", "x", ">=*", "^*"])
        operator = pick.choice(["", "=", ">", ">=", "<", "<=", "^", "^", "~", "~", "~>", ">= ", "^ "])
        text = partial()
        # Difference 3: to npm >=0.0.0 is everything, 0.0.0-rc.1 too, and >=v0.0.0 is not. Here both are.
        return operator + (pick.choice(["", "", "v"]) if text != "0.0.0" else "") + text

    def alternative() -> str:
        if pick.random() < 0.15:
            return f"{partial()} - {partial()}"
        return pick.choice([" ", "  "]).join(comparator() for _ in range(pick.choice([1, 1, 2, 2, 3])))

    return pick.choice([" || ", "||"]).join(alternative() for _ in range(pick.choice([1, 1, 1, 2, 3])))


@few_or_many
def test_mode_semver_has_the_order_of_npm(count):
    pick = random.Random(count)
    pairs = [(semver_text(pick), semver_text(pick)) for _ in range(count)]
    for (one, other), order in zip(pairs, ask_npm(pairs=pairs, ranges=[], versions=[])["order"], strict=True):
        a, b = parse(one, "semver"), parse(other, "semver")
        assert (a > b) - (a < b) == order, (one, other)
        assert (a == b) == (order == 0)


@few_or_many
def test_mode_semver_takes_what_npm_takes(count):
    pick = random.Random(count)
    # npm also takes '=1.0.0' and blanks around, which no tag can hold.
    texts = [unlikely_text(pick) for _ in range(count)]
    texts = [text for text in texts if text[0] not in ".-"]
    valid = ask_npm(pairs=[texts], ranges=[], versions=[])["valid"]
    assert [parse(text, "semver").is_version for text in texts] == valid


@few_or_many
def test_npm_ranges_hold_what_they_hold_for_npm(count):
    """But for four differences.

    1. npm lets a prerelease in only where the range names one of the same three numbers. Here that is left to
       the rule on prereleases, which every choice has.
    2. ``<2.0.0`` leaves out 2.0.0-rc.1, as the 2.0.0 that it leads to is left out.
    3. ``>=v0.0.0`` is everything, as ``>=0.0.0`` is for npm too.
    4. What no version can be in is refused, and so is an alternative of which nothing is left.
    """
    pick = random.Random(count)
    ranges = [npm_range(pick) for _ in range(count)]
    versions = [semver_text(pick) for _ in range(60)]
    read = [parse(version, "semver") for version in versions]
    for text, within in zip(ranges, ask_npm(pairs=[], ranges=ranges, versions=versions)["within"], strict=True):
        assert within is not None, f"npm does not take {text}"
        compare(text, read, within)


def compare(text: str, versions: list[Version], within: list[tuple[bool, bool]]) -> None:
    ours = ours_or_refusal(f"npm:{text}", "semver")
    if isinstance(ours, str):  # difference 4
        assert "no version" in ours, f"{text}: {ours}"
        assert "||" in text or not any(alone for _, alone in within), text
        return
    for version, (theirs, alone) in zip(versions, within, strict=True):
        assert ours.contains(version) == alone, f"{version} in {text}"
        if not version.is_prerelease:
            assert alone == theirs, f"{version} in {text}"


def ours_or_refusal(text: str, mode: str) -> Range | str:
    try:
        return Range.parse(text, mode)
    except ModelError as error:
        return str(error)


# --------------------------------------------------------------------- PEP 440


def python_text(pick: random.Random) -> str:
    release = pick.choice(
        ["1", "1.0", "1.0", "1.0.0", "1.0.1", "1.1", "0.1", "2.0", "10.0.0.1"]
    )  # few, so that they meet
    pre = pick.choice(["", "", "", "a1", "b2", "rc1", "rc10", "-alpha.2", "_c3", ".beta"])
    post = pick.choice(["", "", "", ".post1", "-2", ".rev10", "post"])
    dev = pick.choice(["", "", "", ".dev1", "-dev", ".dev10"])
    return pick.choice(["", "", "v"]) + release + pre + post + dev


def python_range(pick: random.Random) -> str:
    def clause() -> str:
        operator = pick.choice(["==", "!=", "<", "<", ">", ">", "<=", ">=", "~=", "===", "==*", "!=*"])
        if operator.endswith("*"):
            release = ".".join(str(pick.choice([0, 1, 2])) for _ in range(pick.randint(1, 3)))
            return f"{operator[:-1]}{release}.*"
        version = python_text(pick)
        if operator == "~=" and len(Python(version).release) < 2:
            operator = ">="
        return operator + pick.choice(["", "", " "]) + version

    return pick.choice([",", ", ", " ,"]).join(clause() for _ in range(pick.choice([1, 1, 1, 2, 3])))


@few_or_many
def test_mode_pep440_has_the_order_of_packaging(count):
    pick = random.Random(count)
    texts = [python_text(pick) for _ in range(count)]
    for one, other in itertools.pairwise(texts):
        a, b, x, y = parse(one, "pep440"), parse(other, "pep440"), Python(one), Python(other)
        assert (a < b, a == b, a > b) == (x < y, x == y, x > y), (one, other)
        assert a.is_prerelease == x.is_prerelease
        assert bool(a.post) == x.is_postrelease
        assert a.release == x.release
    read = [(parse(text, "pep440"), Python(text)) for text in texts]
    assert [str(v.tag) for v, _ in sorted(read, key=lambda pair: pair[0])] == [
        str(v.tag) for v, _ in sorted(read, key=lambda pair: pair[1])
    ]


@few_or_many
def test_mode_pep440_takes_what_packaging_takes(count):
    """But for one difference: seven or more hexadecimal characters are a commit, though 1a2345678 is a version."""
    pick = random.Random(count)
    for _ in range(count):
        text = unlikely_text(pick) + pick.choice(["", "a1", ".post1", "dev", "1a"])
        if text[0] in ".-":
            continue
        version = parse(text, "pep440")
        try:
            Python(text)
        except InvalidVersion:
            assert not version.is_version
        else:
            assert version.is_version or version.kind == "sha"


@pytest.mark.skipif(
    Python(metadata.version("packaging")) < Python("26.3"), reason="packaging before 26.3 reads < and > otherwise"
)
@few_or_many
def test_specifiers_hold_what_they_hold_for_packaging(count):
    """But for one difference: whether prereleases are looked at is left to the rule on prereleases.

    And what no version can be in is refused, where packaging takes it and finds nothing.
    """
    pick = random.Random(count)
    versions = [python_text(pick) for _ in range(60)]
    read = [parse(version, "pep440") for version in versions]
    for _ in range(count):
        text = python_range(pick)
        theirs = SpecifierSet(text)
        within = [theirs.contains(version, prereleases=True) for version in versions]
        ours = ours_or_refusal(f"pep440:{text}", "pep440")
        if isinstance(ours, str):
            assert "no version" in ours or "the text cannot be" in ours, f"{text}: {ours}"
            assert not any(within), text
            continue
        assert [ours.contains(version) for version in read] == within, text
