"""How the house is built: floors and doors, short modules and functions, a light front door, and names that hold."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import octossh
from octossh import errors

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "octossh").rglob("*.py"))
HEAVY = {
    "IPython",
    "cattrs",
    "click",
    "fabric",
    "invoke",
    "jinja2",
    "packaging",
    "paramiko",
    "requests",
    "sqlalchemy",
    "yaml",
}


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.slow  # ./dev lint asks the same
def test_each_module_imports_lower_floors_only_and_each_library_has_one_door():
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_module_is_at_most_500_lines_long_and_a_function_50():
    long = []
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        long += [file] if len(text.splitlines()) > 500 else []
        functions = [
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        long += [(file, node.name) for node in functions if node.end_lineno - node.lineno >= 50]
    assert long == []


def test_importing_octossh_and_describing_a_project_loads_no_heavy_library():
    code = """
        import sys, octossh as oc
        hub = oc.Registry("hub", "https://registry.example.com")
        oc.Project("shop", process=[oc.RunContainer("web", image=hub.image("acme/web"))], channels=[oc.Channel("a", "[1,2)")])
        oc.Space(projects=[], transport=oc.Replay(lambda target, script: None))
        print(*{name.partition(".")[0] for name in sys.modules})
    """
    assert set(python(inspect.cleandoc(code)).split()) & HEAVY == set()


def test_importing_octossh_and_asking_the_command_for_help_load_nothing_of_ours_that_they_do_not_show():
    code = """
        import sys, octossh
        print(*sorted(name for name in sys.modules if name.startswith("octossh")))
        assert issubclass(octossh.errors.ModelError, octossh.OctosshError)  # as a traceback writes it
        import octossh.cli
        octossh.cli.main(["deploy", "--help"])
        print("and now", *{name for name in sys.modules if name.startswith("octossh")})
    """
    first, now = python(inspect.cleandoc(code)).split("and now")
    assert first.split()[:2] == ["octossh", "octossh._version"]
    assert "Usage: octossh deploy" in first
    assert {name for name in now.split() if name.count(".") == 1} <= {
        "octossh._version", "octossh.cli", "octossh.errors", "octossh.lazily", "octossh.visible",
    }  # fmt: skip


def test_all_of_the_front_door_is_sorted_and_is_what_can_be_imported():
    names = octossh.__all__
    # As ruff sorts them: constants, classes, then the rest.
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[:1].isupper(), name))
    assert len(set(names)) == len(names)
    assert set(dir(octossh)) == set(names)
    assert all(hasattr(octossh, name) for name in names)
    assert not hasattr(octossh, "Nothing")


@pytest.mark.parametrize("name", [name for name in octossh.__all__ if name != "__version__"])
def test_what_is_public_says_what_it_is_with_all_its_methods(name):
    thing = getattr(octossh, name)
    assert inspect.getdoc(thing)
    if not inspect.isclass(thing):
        return
    methods = {
        method: inspect.getdoc(value)
        for method, value in vars(thing).items()
        if not method.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
    }
    assert [method for method, doc in methods.items() if not doc] == []


def test_every_error_stands_in_the_tree_under_its_base_with_what_is_true_of_the_hosts():
    tree = {}
    above = []
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    ([ │├└─]*)(\w+)(?: \(ValueError\))? {2,}(\S.*)", line):
            depth = (len(found[1]) + 2) // 5
            above[depth:] = [found[2]]
            tree[found[2]] = (above[depth - 1] if depth else None, found[3])
    classes = {
        name: kind
        for name in errors.__all__
        if inspect.isclass(kind := getattr(errors, name)) and issubclass(kind, Exception)
    }
    assert set(tree) == set(classes)
    for name, (base, says) in tree.items():
        kind = classes[name]
        assert kind.__base__.__name__ == (base or "Exception")
        word = says.split()[0]
        if word in {"untouched", "unknown"}:
            assert kind.hosts.value == word
    assert all(error.__name__ in octossh.__all__ for error in classes.values())
