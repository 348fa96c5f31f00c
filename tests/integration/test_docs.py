"""The examples of README.rst and docs/ that need hosts, run on the lab, their output compared."""

from __future__ import annotations

from pathlib import Path

import documents
import pytest
from lab.lab import Lab

PAGES = [path for path in documents.PAGES if documents.needs_hosts(path)]


@pytest.mark.lab
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(documents.ROOT)))
def test_the_examples_print_what_the_page_shows(
    page: Path, clean_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = documents.Stage(tmp_path, clean_lab)
    for name in ("HOME", "LOGNAME", "USER"):
        monkeypatch.setenv(name, stage.env[name])
    faults = documents.run(page, stage)
    assert not faults, "\n\n".join(faults)
