"""What people install: a wheel that holds all it needs, and works without this checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # From what git knows, so that no file of this machine slips in.
    source = folder / "source"
    source.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source)
    (made,) = folder.glob("*.whl")
    return made


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


def test_the_metadata_says_what_the_package_is_and_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    text = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    metadata = Parser().parsestr(text)
    assert metadata["Name"] == "octossh"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    needs = {need.split(">")[0].split("<")[0].strip() for need in metadata.get_all("Requires-Dist", [])}
    assert {"attrs", "cattrs", "click", "fabric", "jinja2", "paramiko", "requests", "sqlalchemy"} <= needs


def test_the_tests_of_scripts_and_command_pass_against_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    said = run(installed, "-c", "import octossh; print(octossh.__file__)", cwd=tmp_path)
    assert str(installed.parent.parent) in said
    assert run(installed.with_name("octossh"), "--version", cwd=tmp_path).startswith("octossh, version")
    chosen = ["tests/unit/test_rendering.py", "tests/unit/test_reading.py", "tests/unit/test_shell.py"]
    # Not from the root: the checkout's own package must not be found first.
    files = [ROOT / name for name in chosen]
    options = ["-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT]
    assert "passed" in run(installed, "-P", "-m", "pytest", *options, *files, cwd=tmp_path)
