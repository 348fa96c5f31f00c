"""The notebooks of the documentation, executed by a real kernel, their outputs compared."""

from __future__ import annotations

from pathlib import Path

import documents
import histories
import notebooks
import pytest
from lab.lab import Lab

WITH, WITHOUT = (
    [path for path in notebooks.NOTEBOOKS if notebooks.needs_hosts(path) is wanted] for wanted in (True, False)
)


def names(path: Path) -> str:
    return path.name


@pytest.mark.lab
@pytest.mark.parametrize("path", WITH, ids=names)
def test_a_notebook_shows_what_its_cells_give_on_real_hosts(path: Path, clean_lab: Lab, tmp_path: Path) -> None:
    faults = notebooks.run(path, documents.Stage(tmp_path, clean_lab))
    assert not faults, "\n\n".join(faults)


@pytest.mark.parametrize("path", WITHOUT, ids=names)
def test_a_notebook_shows_what_its_cells_give(path: Path, tmp_path: Path) -> None:
    stage = documents.Stage(tmp_path)
    histories.fill(stage.work / "fleet.db")
    faults = notebooks.run(path, stage)
    assert not faults, "\n\n".join(faults)
