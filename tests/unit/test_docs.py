"""The documentation: it names all that there is, and its examples that need no hosts run."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import attrs
import click
import documents
import pytest

import octossh
from octossh.cli import octossh as command
from octossh.model import KINDS, LABELS, flags

pytestmark = pytest.mark.checkout

# Each command of a page is a process that imports octossh.
PURE = [
    pytest.param(path, marks=[pytest.mark.slow] if documents.runs_commands(path) else [])
    for path in documents.PAGES
    if not documents.needs_hosts(path)
]
REFERENCE = {path.stem: path.read_text() for path in (documents.ROOT / "docs" / "reference").glob("*.rst")}


def modules() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(octossh.__path__, "octossh.") if "__main__" not in found.name]


@pytest.mark.parametrize("page", PURE, ids=lambda path: str(path.relative_to(documents.ROOT)))
def test_the_examples_print_what_the_page_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = documents.Stage(tmp_path)
    for name in ("HOME", "LOGNAME", "USER"):
        monkeypatch.setenv(name, stage.env[name])
    faults = documents.run(page, stage)
    assert not faults, "\n\n".join(faults)


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda path: str(path.relative_to(documents.ROOT)))
def test_all_code_stands_in_blocks_that_the_tests_find(page: Path) -> None:
    for number, line in enumerate(page.read_text().splitlines(), 1):
        hidden = re.search(r"(?<!^\.\.)::$", line.rstrip()) and not line.lstrip().startswith("..")
        assert not hidden, f"line {number}: write '.. code-block:: LANGUAGE' in place of a bare '::'"
        assert not re.match(r"\s*\.\. (literalinclude|code|sourcecode|parsed-literal|doctest)::", line), number


def with_examples() -> list[str]:
    """The modules that have one in a docstring; the others would take as long to look through as these to run."""
    folder = Path(octossh.__path__[0])
    files = [file.relative_to(folder.parent) for file in sorted(folder.rglob("*.py")) if ">>> " in file.read_text()]
    return [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]


@pytest.mark.parametrize("name", with_examples())
def test_the_examples_in_docstrings_run(name: str) -> None:
    runner = doctest.DocTestRunner()
    for found in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(found)
    assert runner.tries
    assert not runner.failures


def test_what_differs_from_the_page_is_found() -> None:
    assert documents.matches("a 1.0 s\n...\nh02  x\nh01  x\n", "a 22.5 s\nh01  x\nh02  x\n")
    assert not documents.matches("created", "unchanged")
    assert not documents.matches("", "more")


def documented(kind: str) -> set[str]:
    found = re.findall(rf"^\.\. auto{kind}:: octossh\.([\w.]+)", "\n".join(REFERENCE.values()), re.MULTILINE)
    assert len(found) == len(set(found)), "something is documented twice"
    return set(found)


def test_all_public_names_are_in_the_reference() -> None:
    there = documented("class") | documented("exception") | documented("function") | documented("data")
    missing = set(octossh.__all__) - there - {"versions"}
    assert not missing
    assert not {f"versions.{name}" for name in octossh.versions.__all__} - there


def test_every_error_is_in_the_tree_with_what_it_says_of_the_hosts() -> None:
    def kin(error: type) -> set[type]:
        return {error}.union(*map(kin, error.__subclasses__()))

    for name in modules():
        importlib.import_module(name)
    rows = dict(re.findall(r"^``[│├└─ ]*(?:versions\.)?(\w+)``.{2,40}?(untouched|unknown|as it says|  )  ",
                           REFERENCE["errors"], re.MULTILINE))  # fmt: skip
    public = [error for error in kin(octossh.OctosshError) if not error.__name__.startswith("_")]
    public = [error for error in public if error.__module__.startswith("octossh") and error.__name__ in dir_of_doors()]
    assert {error.__name__ for error in public} == set(rows)
    for error in public:
        if rows[error.__name__].strip() and rows[error.__name__] != "as it says":
            assert error.hosts.value == rows[error.__name__], error
    assert {error.__name__ for error in public} == {name.rpartition(".")[2] for name in documented("exception")}


def dir_of_doors() -> set[str]:
    return set(octossh.__all__) | set(octossh.versions.__all__)


def test_every_label_is_described() -> None:
    table = re.findall(r"^``(octossh\.\w+)``", REFERENCE["labels"], re.MULTILINE)
    assert sorted(table) == sorted(LABELS.values())


def test_every_command_and_option_is_in_the_reference() -> None:
    spec = importlib.util.spec_from_file_location("commands", documents.ROOT / "docs" / "commands.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    text = "\n".join(made.reference())

    def walk(group: click.Group) -> list[click.Command]:
        return [
            found for one in group.commands.values() for found in (walk(one) if isinstance(one, click.Group) else [one])
        ]

    named = dict(made.commands(command))
    assert list(named.values()) == walk(command)
    for name, one in named.items():
        assert f"\n{name}\n" in text
        assert one.help
        for parameter in one.params:
            if isinstance(parameter, click.Option) and not set(parameter.opts) & set(made.COMMON):
                assert parameter.help or parameter.show_default, f"{name} {parameter.opts} has no help"
                assert parameter.opts[0] in text.partition(f"\n{name}\n")[2]
    assert ".. commands::" in REFERENCE["command"]


def test_every_field_of_every_kind_is_in_the_reference_with_its_option_and_a_meaning() -> None:
    spec = importlib.util.spec_from_file_location("kinds", documents.ROOT / "docs" / "kinds.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    text = "\n".join(made.reference())
    for kind in KINDS.values():
        told = made.described(kind)
        part = text.partition(f"\n{kind.__name__}\n---")[2].partition("</details>")[0]
        assert "octossh_main" in part, f"{kind.__name__} shows no script"
        for name, flag in flags(kind).items():
            assert f" - ``{name}``" in part
            assert flag.name in part
        for name in attrs.fields_dict(kind):
            assert told.get(name), f"{kind.__name__}.{name} has no meaning"
    assert ".. kinds::" in REFERENCE["kinds"]


def test_the_commands_that_the_pages_name_are_there() -> None:
    known = set(command.commands)
    for page in documents.PAGES:
        for name in re.findall(r"``octossh (?:-[\w-]+ )*([\w-]+)", page.read_text()):
            assert name in known, f"{page}: octossh {name}"


def test_the_floors_are_as_the_design_says() -> None:
    text = (documents.ROOT / "docs" / "design.rst").read_text()
    floors = {
        name: int(number)
        for number, names in re.findall(r"^ +(\d+)  ((?:\w+ ?)+)$", text, re.MULTILINE)
        for name in names.split()
    }
    assert set(floors) == {found.name for found in pkgutil.iter_modules(octossh.__path__)} - {"__main__"}
    for name in modules():
        module = importlib.util.find_spec(name)
        assert module
        assert module.origin
        mine = name.split(".")[1]
        for node in ast.walk(ast.parse(Path(module.origin).read_text())):
            imported = []
            if isinstance(node, ast.ImportFrom) and node.module:
                imported = [node.module] if node.module != "octossh" else [f"octossh.{one.name}" for one in node.names]
            elif isinstance(node, ast.Import):
                imported = [one.name for one in node.names]
            for other in imported:
                of = other.split(".")
                if of[0] == "octossh" and len(of) > 1 and of[1] != mine:
                    assert floors[of[1]] < floors[mine], f"{name} imports {other}"


@pytest.mark.slow
def test_the_types_of_the_examples_are_right(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    for page in documents.PAGES:
        name = re.sub(r"\W", "_", str(page.relative_to(documents.ROOT)))
        # A block goes on with what those before it have.
        lines = [line for block in documents.blocks(page) if block.language == "python" for line in block.lines]
        (tmp_path / f"{name}.py").write_text("\n".join(["import octossh as oc", *lines, ""]))
    config = tmp_path / "mypy.ini"
    config.write_text(
        "[mypy]\ncheck_untyped_defs = True\nfollow_imports = silent\nallow_redefinition = True\n"
        "disable_error_code = import-not-found, no-redef\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", tmp_path / "cache", tmp_path]
    done = subprocess.run(command, cwd=documents.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
