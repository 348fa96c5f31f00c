"""What notebooks show, in a real browser: on the pages of the documentation, and what nouns look like in a notebook."""

from __future__ import annotations

import shutil
import subprocess
import sys

import documents
import notebooks
import pytest
from browsers import browsing
from unit.test_tables import EVIL, NOUNS

from octossh import versions

JUPYTER = {"light": ("#fff", "#000000de"), "dark": ("#111", "#ffffffde")}
"""Background and text of a cell's output in JupyterLab."""


@pytest.fixture(scope="module")
def browser():
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of the notebooks, built as all of the documentation is."""
    made = tmp_path_factory.mktemp("pages")
    source = made / "source"
    shutil.copytree(notebooks.FOLDER, source / "notebooks")
    names = "".join(f"   notebooks/{path.stem}\n" for path in notebooks.NOTEBOOKS)
    (source / "index.rst").write_text(f"Notebooks\n=========\n\n.. toctree::\n\n{names}")
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "-b", "html", "-c", documents.ROOT / "docs"]
    subprocess.run([*command, source, made / "html"], check=True)
    return made / "html" / "notebooks"


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_the_page_of_a_notebook_can_be_read_by_everybody_and_loads_nothing_from_elsewhere(browser, pages, path, look):
    browser.open((pages / f"{path.stem}.html").as_uri())
    browser.look(look)
    assert browser.complaints("article") == []
    assert browser.run("return document.querySelectorAll('article .cell_output').length") > 5
    assert browser.run("return [...document.images].every((one) => one.complete && one.naturalWidth && one.alt)")
    loaded = browser.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [address for address in loaded if not address.startswith("file:")] == []


@pytest.mark.parametrize("look", JUPYTER)
def test_every_noun_can_be_read_by_everybody_in_a_notebook_and_nothing_in_it_acts(browser, tmp_path, look):
    shown = {name: make() for name, make in NOUNS.items()}
    shown["explanation"] = versions.explain([EVIL, "1.0", "1.0&"], range="[1.0,2.0)")
    parts = "".join(
        f"<section aria-label='{name}'>{one.html() if hasattr(one, 'html') else one._repr_html_()}</section>"
        for name, one in shown.items()
    )
    background, colour = JUPYTER[look]
    page = tmp_path / "nouns.html"
    page.write_text(
        f"<!doctype html><html lang=en><title>Nouns</title><body style='background:{background};color:{colour}'>"
        f"<main><h1>Nouns</h1>{parts}</main></body></html>"
    )
    browser.open(page.as_uri())
    browser.look(look)
    assert browser.complaints() == []
    assert browser.run("return document.querySelectorAll('script, img, iframe, [onerror]').length") == 0
    assert browser.run("return document.body.innerText").count("<script>alert") > len(NOUNS)
