"""The notebooks of docs/notebooks: executed by a real kernel as they stand there, and their outputs compared.

Names of hosts and of the registry are those of the pages; see `documents`. Pictures are compared by their kind. With
``DOCS_WRITE=1`` in the environment, outputs that do not match are written into the notebooks instead.
"""

from __future__ import annotations

import asyncio
import copy
import os
import re
from pathlib import Path
from typing import Any

import documents
import nbformat
from kernels import WAIT_S, sockets
from nbclient import NotebookClient

FOLDER = documents.ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def needs_hosts(path: Path) -> bool:
    return any("10.0.0.1" in cell.source for cell in read(path).cells)


def executed(notebook: Any, stage: documents.Stage) -> Any:
    """The notebook with the outputs that it has on this stage; an error in a cell is raised."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        cell.source = stage.to_lab(cell.source)
    place = {"metadata": {"path": str(stage.work)}}
    with sockets() as config:
        client = NotebookClient(
            made,
            config=config,
            startup_timeout=WAIT_S,
            timeout=WAIT_S,
            record_timing=False,
            resources=place,
            coalesce_streams=True,
        )
        # With a loop of its own, which is closed.
        asyncio.run(client.async_execute(env=stage.env))
    return made


def neutral(output: Any, stage: documents.Stage) -> Any:
    """An output without what only this stage has, as it is kept."""
    made = copy.deepcopy(output)
    made.pop("transient", None)
    if "text" in made:
        made.text = stage.neutral(made.text)
    for kind, data in made.get("data", {}).items():
        if kind.startswith("text/"):
            made.data[kind] = stage.neutral(data)
    return made


def told(output: Any) -> dict[str, str]:
    """What an output says, by kind."""
    said = {"text": output["text"]} if "text" in output else dict(output.get("data", {}))
    said = {kind: "" if kind.startswith("image/") else data for kind, data in said.items()}
    # Seconds in a column of their own; tags that other tests have pushed, as in `documents`.
    unlike = r"(?<=>)\d+\.\d(?=</td>)|<tr>(?:(?!</tr>).)*<code>[3-9]\.\d[^<]*</code>(?:(?!</tr>).)*</tr>"
    return {kind: re.sub(unlike, "", data) for kind, data in said.items()}


def same(shown: list[Any], got: list[Any]) -> bool:
    """Whether outputs of a cell are those that it shows, but for what differs from run to run, and for warnings."""
    got = [output for output in got if output.get("name") != "stderr"]
    if [output.output_type for output in shown] != [output.output_type for output in got]:
        return False
    pairs = [(told(one), told(other)) for one, other in zip(shown, got, strict=True)]
    return all(
        one.keys() == other.keys() and all(documents.same(one[kind]) == documents.same(other[kind]) for kind in one)
        for one, other in pairs
    )


def run(path: Path, stage: documents.Stage) -> list[str]:
    """Execute a notebook; what is wrong with it."""
    notebook, faults = read(path), []
    try:
        made = executed(notebook, stage)
    finally:
        stage.close()
    code = [(cell, ran) for cell, ran in zip(notebook.cells, made.cells, strict=True) if cell.cell_type == "code"]
    for number, (cell, ran) in enumerate(code, 1):
        got = [neutral(output, stage) for output in ran.outputs]
        if not same(cell.outputs, got) or cell.execution_count != number:
            faults.append(f"cell {number}: {cell.source}\n--- it shows\n{cell.outputs}\n--- it gives\n{got}")
            cell.outputs, cell.execution_count = got, number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
    if faults and os.environ.get("DOCS_WRITE"):
        path.write_text(nbformat.writes(notebook) + "\n")
    return faults
