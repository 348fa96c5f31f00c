"""What people install: a wheel that holds all it needs, works without this checkout, and can be made again."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
import tarfile
import time
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import wheels
from packaging.requirements import Requirement
from wheels import ROOT, run

GIVEN = os.environ.get("WHEEL_FROM")
"""The folder of a release that is to be looked at; without it, one is made."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if GIVEN:
        return Path(GIVEN)
    folder = tmp_path_factory.mktemp("made")
    wheels.make(folder)
    return folder


@pytest.fixture(scope="module")
def wheel(made: Path) -> Path:
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(made: Path) -> Path:
    (found,) = made.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> object:
    archive = zipfile.ZipFile(wheel)
    text = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    return Parser().parsestr(text)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the wheel; its dependencies are those that are here already."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_holds_the_templates_and_the_type_marker_and_nothing_but_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    here = run("git", "ls-files", "octossh", cwd=ROOT).split()
    assert package == set(here)
    assert "octossh/py.typed" in package
    assert sum(name.endswith(".sh.j2") for name in package) > 5
    for folder in ("board/site", "recording/migrations/versions"):
        assert any(name.startswith(f"octossh/{folder}/") for name in package)


def test_the_metadata_says_what_the_package_is_and_needs(metadata) -> None:
    assert metadata["Name"] == "octossh"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == f">={wheels.PYTHONS[0]}"
    needs = [Requirement(need) for need in metadata.get_all("Requires-Dist", [])]
    assert {need.name for need in needs} == {need.name for need in wheels.NEEDS}
    assert [need.name for need in needs if not any(part.operator == ">=" for part in need.specifier)] == []


def test_indexes_take_both_files_and_the_wheel_has_no_fault_that_is_known(wheel: Path, sdist: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    run(Path(sys.executable).with_name("check-wheel-contents"), "--config", ROOT / "pyproject.toml", wheel)


def test_the_archive_of_the_source_holds_what_the_wheel_is_made_of(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        top = archive.getnames()[0]
        names = {name.removeprefix(f"{top}/") for name in archive.getnames()}
    here = run("git", "ls-files", "octossh", cwd=ROOT).split()
    assert {"CHANGELOG.rst", "LICENSE", "README.rst", "pyproject.toml", "setup.cfg", *here} <= names


def test_made_at_another_time_in_another_place_by_somebody_else_they_have_the_same_bytes(
    wheel: Path, sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C"}.items():
        monkeypatch.setenv(name, value)
    clock = ("faketime", "2031-05-06 07:08:09") if shutil.which("faketime") else ()
    mask = os.umask(0o077)
    try:
        again = wheels.make(tmp_path, *clock)
    finally:
        os.umask(mask)
    assert [made.name for made in again] == [wheel.name, sdist.name]
    assert [made.read_bytes() for made in again] == [wheel.read_bytes(), sdist.read_bytes()]
    committed = int(run("git", "log", "-1", "--format=%ct", cwd=ROOT))
    times = {info.date_time for info in zipfile.ZipFile(wheel).infolist()}
    assert {moment[:5] for moment in times} == {time.gmtime(committed)[:5]}


def test_the_tests_of_scripts_and_command_pass_against_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    said = run(installed, "-c", "import octossh; print(octossh.__file__)", cwd=tmp_path)
    assert str(installed.parent.parent) in said
    assert run(installed.with_name("octossh"), "--version", cwd=tmp_path).startswith("octossh, version")
    chosen = ["tests/unit/test_rendering.py", "tests/unit/test_reading.py", "tests/unit/test_shell.py"]
    # Not from the root: the checkout's own package must not be found first.
    files = [ROOT / name for name in chosen]
    options = ["-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT]
    assert "passed" in run(installed, "-P", "-m", "pytest", *options, *files, cwd=tmp_path)


@pytest.mark.skipif(not GIVEN, reason="there is a list of materials with a release only; see ./dev release")
def test_the_list_of_materials_has_all_that_is_needed_and_nothing_of_this_machine(made: Path, metadata) -> None:
    (listed,) = made.glob("*.cdx.json")
    text = listed.read_text()
    document = json.loads(text)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "octossh"
    assert document["metadata"]["component"]["version"] == metadata["Version"]
    known = {part["name"].lower() for part in document["components"]}
    assert {need.name for need in wheels.NEEDS} <= known
    assert all(part["version"] and part["purl"] for part in document["components"])
    assert "pip" not in known
    assert "file:" not in text


@pytest.mark.skipif(not GIVEN, reason="there are sums with a release only; see ./dev release")
def test_the_sums_are_those_of_all_other_files(made: Path) -> None:
    assert "FAILED" not in run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=made)
    named = {line.split()[1] for line in (made / "SHA256SUMS").read_text().splitlines()}
    assert named == {file.name for file in made.iterdir()} - {"SHA256SUMS"}
