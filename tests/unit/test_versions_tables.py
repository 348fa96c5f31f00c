"""The tables of docs/reference/tags.rst and ranges.rst say what is true."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from octossh.versions import Range, Version, parse

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def rows(page: str) -> list[list[str]]:
    """The title of its table, and the cells, of each row on a page."""
    found: list[list[str]] = []
    for title, body in re.findall(r"\.\. csv-table:: (.*)\n((?: +.*\n|\n)+)", (PAGES / page).read_text("utf-8")):
        lines = [line.strip() for line in body.splitlines() if line.startswith('   "')]
        found += [[title, *cells] for cells in csv.reader(lines, skipinitialspace=True)]
    assert len(found) > 20
    return found


def said(version: Version) -> str:
    """What the tables say of a tag."""
    if not version.is_version:
        return f"no version: {version.kind}"
    parts = {
        "prefix": version.prefix,
        "release": ".".join(map(str, version.release)),
        "prerelease": version.prerelease,
        "post": ".".join(map(str, version.post)),
        "build": ".".join(map(str, version.build)),
        "sha": version.sha,
        "variant": version.variant,
        "scheme": version.scheme if version.mode == "docker" and version.scheme != "dotted" else "",
    }
    return ", ".join(f"{name} {text}" for name, text in parts.items() if text)


@pytest.mark.parametrize(("mode", "tag", "expected"), rows("tags.rst"))
def test_a_tag_in_the_documentation_is_read_as_it_says(mode, tag, expected):
    assert said(parse(tag, mode)) == expected


@pytest.mark.parametrize(("title", "text", "allowed", "left_out"), rows("ranges.rst"))
def test_a_range_in_the_documentation_allows_what_it_says(title, text, allowed, left_out):
    interval = Range.parse(text)
    assert [tag for tag in (allowed + " " + left_out).split() if interval.contains(parse(tag))] == allowed.split()
