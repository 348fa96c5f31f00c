"""Packages whose names are loaded when they are first asked for, and what a deployment loads of them."""

from __future__ import annotations

import builtins
import importlib
import inspect
import pkgutil
import subprocess
import sys
import threading

import pytest

import octossh
from octossh import cli
from octossh.cli import options
from octossh.lazily import lazily

LAZY = [
    "octossh",
    *(
        f"octossh.{name}"
        for name in (
            "deploying", "inventory", "model", "model.steps", "planning", "recording", "registry", "rendering",
            "sinks", "testing", "transport", "vaults", "versions",
        )
    ),
]  # fmt: skip


def package(monkeypatch, code, **modules):
    """The names of a package *code*, and of modules beside it, as Python imports them."""
    for name, source in modules.items():
        made = type(sys)(f"shelf.{name}")
        exec(source, made.__dict__)
        monkeypatch.setitem(sys.modules, made.__name__, made)
    made = type(sys)("shelf")
    monkeypatch.setitem(sys.modules, "shelf", made)
    made.lazily = lazily
    exec(inspect.cleandoc(code), made.__dict__)
    return made


def test_a_name_is_loaded_when_it_is_first_asked_for_and_then_stays(monkeypatch):
    code = """
        with lazily(globals()):
            from shelf.books import title
        __all__ = ["title"]
    """
    made = package(monkeypatch, code)
    assert "title" not in vars(made)
    assert dir(made) == ["title"]
    monkeypatch.setitem(sys.modules, "shelf.books", type(sys)("shelf.books"))
    sys.modules["shelf.books"].title = "Emma"
    assert made.title == "Emma"
    del sys.modules["shelf.books"]
    assert made.title == "Emma"


def test_a_name_that_a_package_has_not_is_an_attribute_error_and_its_modules_can_be_asked_for(monkeypatch):
    code = """
        with lazily(globals()):
            from shelf.books import title
        __all__ = ["title"]
    """
    made = package(monkeypatch, code, books="title = 'Emma'")
    with pytest.raises(AttributeError, match="module 'shelf' has no attribute 'author'"):
        made.author  # noqa: B018
    assert made.books is sys.modules["shelf.books"]


@pytest.mark.parametrize("books", ["None.title", "author = 'Austen'"])
def test_a_module_that_cannot_be_loaded_says_why_and_is_not_taken_for_a_name_that_there_is_not(
    monkeypatch, tmp_path, books
):
    code = """
        with lazily(globals()):
            from shelf.books import title
        __all__ = ["title"]
    """
    made = package(monkeypatch, code)
    made.__path__ = [str(tmp_path)]
    (tmp_path / "books.py").write_text(books)
    with pytest.raises(ImportError, match=r"^shelf\.books: .*has no attribute 'title'") as caught:
        hasattr(made, "title")
    assert isinstance(caught.value.__cause__, AttributeError)
    sys.modules.pop("shelf.books", None)


@pytest.mark.parametrize(
    "statement",
    ["import os.path", "from json import dumps as d", "from json import *", "from . import books", "book = 1"],
)
def test_what_cannot_be_loaded_late_is_refused_and_imports_go_on_as_before(monkeypatch, statement):
    before = builtins.__import__
    with pytest.raises(ImportError, match="late"):
        exec(f"with lazily(globals()):\n    {statement}", {"__name__": "shelf", "lazily": lazily})
    assert builtins.__import__ is before


def test_what_another_thread_imports_meanwhile_is_imported(monkeypatch):
    before = builtins.__import__
    names = {"__name__": "shelf"}
    with lazily(names):
        found = []
        thread = threading.Thread(target=lambda: found.append(__import__("json", globals(), None, ("dumps",))))
        thread.start()
        thread.join()
    assert found == [importlib.import_module("json")]
    assert builtins.__import__ is before


@pytest.mark.parametrize("name", LAZY)
def test_all_that_a_package_offers_can_be_had_and_none_of_it_is_named_as_a_module_beside_it(name):
    found = importlib.import_module(name)
    beside = {module.name for module in pkgutil.iter_modules(found.__path__)}
    # Python puts a module that it loads in the place of whatever has its name.
    assert set(found.__all__) & beside <= ({"versions"} if found is octossh else set())
    assert all(getattr(found, one) is not None for one in found.__all__)
    assert sorted(dir(found)) == sorted(found.__all__)


def test_a_deployment_loads_no_kind_of_step_and_no_noun_that_it_has_not(tmp_path):
    code = """
        import sys, octossh as oc
        end = [oc.Frame("end", "succeeded unchanged no ")]
        space = oc.Space(
            projects=[oc.Project("shop", process=[oc.CreateNetwork("net")])],
            targets=[oc.Target("h01", "192.0.2.1", environments=["Dev"])],
            transport=oc.Replay(lambda target, script: end),
            anchors=False,
        )
        space.create_release("shop")
        space.deploy("0.0.1", "Dev")
        print(*{name.removeprefix("octossh.") for name in sys.modules if name.startswith("octossh.")})
    """
    done = subprocess.run(
        [sys.executable, "-c", inspect.cleandoc(code)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    loaded = set(done.stdout.split())
    assert {"model.steps.networks", "rendering.networks", "planning.making"} <= loaded
    kinds = {
        "approvals",
        "compose",
        "containers",
        "once",
        "prunes",
        "pulls",
        "puts",
        "scripts",
        "stops",
        "swarm",
        "waits",
    }
    assert loaded & {f"model.steps.{kind}" for kind in kinds} == set()
    assert (
        loaded & {f"rendering.{kind}" for kind in ("compose", "containers", "once", "running", "stops", "swarm")}
        == set()
    )
    assert loaded & {f"model.{noun}" for noun in ("checkups", "drifts", "executions", "schedules", "views")} == set()
    assert (
        loaded
        & {
            "transport.openssh",
            "vaults.sources",
            "sinks.hooks",
            "sinks.http",
            "model.audits",
            "model.values",
            "model.pauses",
            "inventory.ansible",
            "planning.comparing",
            "planning.drifting",
        }
        == set()
    )


def test_a_command_loads_no_module_of_others_and_each_is_where_it_is_looked_for():
    code = """
        import sys
        from octossh.cli import main, octossh
        main(["deploy", "--help"])
        print("loaded", *sorted(name for name in sys.modules if name.startswith("octossh.cli.")))
    """
    done = subprocess.run([sys.executable, "-c", inspect.cleandoc(code)], capture_output=True, text=True, check=True)
    shared = {"asking", "mistakes", "options", "outputs"}
    assert set(done.stdout.partition("loaded ")[2].split()) <= {
        f"octossh.cli.{name}" for name in shared | {"deployments"}
    }
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"octossh.cli.{module.name}")
    assert {name: one.callback.__module__ for name, one in cli.octossh.commands.items()} == {
        name: f"octossh.cli.{module}" for module, names in options._COMMANDS.items() for name in names.split()
    }
