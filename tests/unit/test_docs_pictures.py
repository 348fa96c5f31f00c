"""Pictures of the documentation: drawn of what the pages show, which other tests have run."""

from __future__ import annotations

import os
import re

import documents
import pictures
import pytest

_IMAGE = r"^ *\.\. image:: \S*pictures/(\S+)\n((?: +:.*\n)*)"


@pytest.mark.parametrize("name", pictures.TERMINALS)
def test_a_terminal_shows_what_the_page_shows(name):
    page, title, beginnings = pictures.TERMINALS[name]
    made = pictures.terminal(title, pictures.shown(page, beginnings))
    if os.environ.get("DOCS_WRITE"):
        (pictures.FOLDER / name).write_text(made)
    assert (pictures.FOLDER / name).read_text() == made, "DOCS_WRITE=1 draws it anew"


def test_each_picture_is_small_stands_in_a_page_and_says_what_is_to_be_seen():
    files = {path.name for path in pictures.FOLDER.iterdir()}
    assert max(path.stat().st_size for path in pictures.FOLDER.iterdir()) < 80_000
    said = {}
    for page in documents.PAGES:
        for name, options in re.findall(_IMAGE, page.read_text(), re.MULTILINE):
            alt = re.search(r":alt: (.{20,})", options)
            assert alt, f"{page}: {name} has no text for who does not see it"
            said[name] = alt[1]
    assert set(said) == files
