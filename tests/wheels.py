"""What people install, made of a commit so that whoever makes it again gets the same bytes.

``python tests/wheels.py FOLDER`` makes the wheel and the archive of its source there, with a list of all that an
installation of them consists of. It is a part of ``./dev release``.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")
PYTHONS = re.findall(r"Python :: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)
"""The versions of Python that the metadata names, the oldest first."""
NEEDS = [
    Requirement(line)
    for text in [SETUP["options"]["install_requires"], *SETUP["options.extras_require"].values()]
    for line in text.split("\n")
    if line
]
LOWEST = [f"{need.name}=={bound.version}" for need in NEEDS for bound in need.specifier if bound.operator == ">="]
"""For pip: of all that is needed, the oldest version that the metadata allows."""
_PIP = [sys.executable, "-m", "pip", "--python"]
_OURS = re.compile(r"octossh-.*|SHA256SUMS")


def run(*command: str | Path, **options: object) -> str:
    """What a command prints; where it fails, what it has said about it is the error."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def make(folder: Path, *before: str) -> tuple[Path, Path]:
    """The wheel and the archive of the source of what is committed, in *folder*.

    Args:
        folder: It is made if it is not there.
        before: Words to put before each command of the build.
    """
    folder.mkdir(parents=True, exist_ok=True)
    committed = run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()
    env = os.environ | {"SOURCE_DATE_EPOCH": committed}
    build = [*before, sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
    with tempfile.TemporaryDirectory() as scratch:
        # From what git knows, so that no file of this machine slips in.
        source = Path(scratch, "source")
        _unpack(
            io.BytesIO(subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout),
            source,
        )
        said = run(*build, "--sdist", source, env=env, umask=0o022)
        archive = folder / re.findall(r"octossh-\S+\.tar\.gz", said)[-1]
        _make_plain(archive, int(committed))
        with archive.open("rb") as file:
            _unpack(io.BytesIO(gzip.decompress(file.read())), Path(scratch, "unpacked"))
        (unpacked,) = Path(scratch, "unpacked").iterdir()
        said = run(*build, "--wheel", unpacked, env=env, umask=0o022)
    return folder / re.findall(r"octossh-\S+\.whl", said)[-1], archive


def _unpack(packed: io.BytesIO, folder: Path) -> None:
    with tarfile.open(fileobj=packed) as archive:
        # The bits that git or a umask of others has set stay behind: a wheel keeps them.
        for member in archive.getmembers():
            member.mode = _mode(member)
        archive.extractall(folder, filter="data")


def _mode(member: tarfile.TarInfo) -> int:
    return 0o755 if member.isdir() or member.mode & 0o100 else 0o644


def _make_plain(sdist: Path, time: int) -> None:
    """The same files in an archive that does not tell who packed it, when and where."""
    with tarfile.open(sdist) as old:
        held = [(member, old.extractfile(member)) for member in sorted(old.getmembers(), key=lambda each: each.name)]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
            for member, content in held:
                plain = tarfile.TarInfo(member.name)
                plain.type, plain.size, plain.mode, plain.mtime = member.type, member.size, _mode(member), time
                new.addfile(plain, content)
    sdist.write_bytes(gzip.compress(packed.getvalue(), mtime=time))


def found(version: str) -> Path | None:
    """The interpreter of a version such as ``3.12`` on this machine: of the path, pyenv or uv; None if there is none."""
    candidates = [
        shutil.which(f"python{version}"),
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"),
    ]
    candidates += Path.home().glob(f".local/share/uv/python/cpython-{version}.*/bin/python{version}")
    for candidate in candidates:
        # What stands in the path may be a shim that leads nowhere, or lack what an environment is made with.
        if (
            candidate
            and not subprocess.run([candidate, "-c", "import ensurepip, ssl, venv"], capture_output=True).returncode
        ):
            return Path(candidate)
    return None


def install(wheel: Path, folder: Path, python: Path, *versions: str, tests: bool = False) -> Path:
    """The interpreter of a new environment with the wheel, its extras, and what they need, which all fits together.

    Args:
        wheel: What to install.
        folder: Where the environment is made.
        python: The interpreter to make it with.
        versions: What else pip is told, such as ``attrs==24.2``; the newest that there is of the rest.
        tests: Whether what the tests need is installed, too.
    """
    run(python, "-m", "venv", "--without-pip", folder)
    made = folder / "bin" / "python"
    wanted = [f"{wheel}[{','.join(SETUP['options.extras_require'])}]", *versions]
    if tests:
        wanted += ["--group", f"{ROOT / 'pyproject.toml'}:test"]
    run(*_PIP, made, "install", "-q", *wanted)
    run(*_PIP, made, "check")
    return made


def list_materials(wheel: Path, listed: Path) -> None:
    """Write what an installation of a wheel consists of today, with its extras, in the format of CycloneDX."""
    name, version = wheel.name.split("-")[:2]
    what = {"name": name, "version": version}
    what |= {
        key: SETUP["metadata"][old] for key, old in (("description", "description"), ("license", "license_expression"))
    }
    described = ["[project]", *(f"{key} = {json.dumps(value)}" for key, value in what.items())]
    described.append(f"dependencies = {json.dumps([str(need) for need in NEEDS])}")
    with tempfile.TemporaryDirectory() as scratch:
        python = install(wheel, Path(scratch, "installed"), Path(sys.executable))
        for said in Path(scratch).rglob("direct_url.json"):  # where the wheel lay on this machine
            said.unlink()
        project = Path(scratch, "pyproject.toml")
        project.write_text("\n".join(described))
        cyclonedx = Path(sys.executable).with_name("cyclonedx-py")
        options = ["--pyproject", project, "--mc-type", "library", "--output-reproducible", "-o", listed]
        run(cyclonedx, "environment", *options, python)


def main(folder: Path) -> None:
    """Make all that a release consists of, in a folder that has nothing but an earlier one."""
    there = [file for file in folder.glob("*") if file.is_dir() or not _OURS.fullmatch(file.name)]
    if there:
        sys.exit(f"{folder}: {there[0].name} is no part of a release; empty that folder, or name another one")
    for file in folder.glob("*"):
        file.unlink()
    wheel, archive = make(folder)
    listed = folder / f"{wheel.name.split('-py3')[0]}.cdx.json"
    list_materials(wheel, listed)
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (wheel, archive, listed)]
    (folder / "SHA256SUMS").write_text("".join(sums))
    print("".join(sums), end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
