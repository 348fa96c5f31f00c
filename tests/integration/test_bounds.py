"""What the metadata promises: the oldest libraries that it allows and the newest that there are, on each Python."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import wheels
from wheels import ROOT, run

GIVEN = os.environ.get("WHEEL_FROM")
# Libraries of long ago are promised for the oldest Python only: on a later one many of them cannot be installed.
KINDS = [f"lowest-{wheels.PYTHONS[0]}", *(f"newest-{version}" for version in wheels.PYTHONS)]
IMPORT_ALL = """
import importlib, pkgutil, octossh
for found in pkgutil.walk_packages(octossh.__path__, "octossh."):
    if "__main__" not in found.name and "migrations" not in found.name:
        importlib.import_module(found.name)
print(octossh.__file__)
"""

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if GIVEN:
        (found,) = Path(GIVEN).glob("*.whl")
        return found
    return wheels.make(tmp_path_factory.mktemp("made"))[0]


@pytest.fixture(scope="module", params=KINDS)
def python(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, and with libraries of this kind."""
    which, version = request.param.split("-")
    interpreter = wheels.found(version)
    if interpreter is None:
        pytest.skip(f"there is no Python {version} here")
    versions = wheels.LOWEST if which == "lowest" else []
    return wheels.install(wheel, tmp_path_factory.mktemp("installed"), interpreter, *versions, tests=True)


def test_importing_all_of_octossh_warns_of_nothing(python: Path, tmp_path: Path) -> None:
    said = run(python, "-P", "-W", "error", "-c", IMPORT_ALL, cwd=tmp_path)
    assert Path(said.strip()).is_relative_to(python.parents[1])


def test_the_fast_set_passes(python: Path, tmp_path: Path) -> None:
    chosen = ["-q", "-n", "2", "-m", "not lab and not slow and not soak and not checkout"]
    env = os.environ | {"HYPOTHESIS_PROFILE": "fast"}
    files = [ROOT / "tests" / "unit", ROOT / "tests" / "properties"]
    # In memory, as ./dev fast; and not below the folder of this test, where paths get too long for sockets.
    with tempfile.TemporaryDirectory(prefix="octossh-bounds-", dir="/dev/shm") as scratch:
        options = ["-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT]
        options += ["--basetemp", f"{scratch}/tmp"]
        said = run(python, "-P", "-m", "pytest", *chosen, *options, *files, cwd=tmp_path, env=env)
    assert " passed" in said


@pytest.mark.lab
def test_the_main_job_goes_on_real_hosts(python: Path, tmp_path: Path) -> None:
    said = run(python, "-P", ROOT / "tests" / "demo" / "demo.py", cwd=tmp_path)
    assert "octossh deploy" in said
