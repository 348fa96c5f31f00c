"""The page of numbers: each that the code decides by stands there, with the value that it has."""

from __future__ import annotations

import ast
import csv
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import click
import pytest

import octossh as oc
from octossh.cli import octossh as command

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "octossh"
PAGE = (ROOT / "docs" / "reference" / "numbers.rst").read_text(encoding="utf-8")
UNITS = {"s": 1, "min": 60, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2}
KB = {"planning.judging._FEW_KB": 1000, "planning.judging._LOW_KB": 1000}
"""Numbers that are no plain ones in the code: how many of what the page says is one of them."""


def rows() -> list[list[str]]:
    lines = (line.strip() for line in PAGE.splitlines() if line.startswith('   "'))
    return list(csv.reader(lines, skipinitialspace=True))


def values(text: str) -> list[float]:
    """``64 KiB, 256 KiB`` or ``0.2, 0.5 s``: the unit of the last one is that of those without."""
    parts = [part.split() for part in text.split(", ")]
    last = parts[-1][1:]
    return [float(number) * UNITS[(unit or last)[0]] if unit or last else float(number) for number, *unit in parts]


LISTED = {
    name: (found, row[1])
    for row in rows()
    for found in [re.findall(r"``([\w.]+|octossh [\w -]+)``", row[0])]
    for name in found
    if not name.endswith(".j2")
}
LIMITS = {"limit", "pool_size", "timeout", "timeout_s", "yield_per"}
"""Arguments by which a call is given a number that decides something."""
WAITS = {"join", "set_threshold", "settimeout", "sleep", "wait"}
"""Calls that are given one without a name."""
SHELL = re.compile(
    r"(?<!\|\| )\bsleep [\d.]+"  # behind ``||`` it is for a sleep that knows no fractions
    r"|\btimeout \d+|-(?:ge|gt|le|lt) (?!0\b)\d+|\b(?:head|tail) -[cn] \d+|--tail \d+|-mmin [+-]?\d+|%\.\d+s"
    r"|\b\w+_patience=[1-9]\d*|\boctossh_now \+ \d+"
)
"""What decides something in a script."""


def said(name: str) -> Any:
    """What the page says about *name*: the one value of its row, or that in its place; a tuple where it is one."""
    names, text = LISTED[name]
    found = [value / KB.get(name, 1) for value in values(text)]
    if len(names) == 1:
        return found[0] if len(found) == 1 else tuple(found)
    return found[0] if len(found) == 1 else found[names.index(name)]


def code(name: str) -> Any:
    """The value in the code: of a constant in a module, of a field, of an argument, or of an option."""
    if " " in name:
        return options()[name]
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(["octossh", *parts[:end]]))
        except ImportError:
            continue
        break
    else:
        found, end = oc, 0
    *way, last = parts[end:]
    for part in way:
        found = getattr(found, part)
    if inspect.ismodule(found):
        return getattr(found, last)
    return inspect.signature(found).parameters[last].default


def is_number(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def constants() -> list[str]:
    """Names in capitals that modules give a number to, or several."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = [part for part in file.relative_to(PACKAGE).with_suffix("").parts if part != "__init__"]
        if "migrations" in parts or parts[-1:] == ["__main__"]:
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and target.id.strip("_").isupper():
                    module = importlib.import_module(".".join(["octossh", *parts]))
                    if is_number(getattr(module, target.id, None)):
                        found.append(".".join([*parts, target.id]))
    return found


def defaults() -> list[str]:
    """Arguments of public classes that are times, counts or sizes by default; counters of documents are none."""
    found = []
    for name in oc.__all__:
        made = getattr(oc, name)
        if not inspect.isclass(made) or issubclass(made, oc.OctosshError) or "Enum" in str(type(made)):
            continue
        for parameter in inspect.signature(made).parameters.values() if made.__init__ is not object.__init__ else ():
            if is_number(parameter.default) and parameter.name not in {"version", "size", "attempt"}:
                found.append(f"{name}.{parameter.name}")
    return found


def methods() -> list[str]:
    """Arguments of public methods of public classes that are a number other than 0 by default."""
    found = []
    for name in oc.__all__:
        made = getattr(oc, name)
        for method, function in inspect.getmembers(made, inspect.isfunction) if inspect.isclass(made) else ():
            for parameter in inspect.signature(function).parameters.values() if method[0] != "_" else ():
                if is_number(parameter.default) and parameter.default:
                    found.append(f"{name}.{method}.{parameter.name}")
    # Whoever implements a protocol says the same.
    return [name for name in found if name not in {"SSH.run.timeout_s", "OpenSSH.run.timeout_s"}]


def options() -> dict[str, float]:
    """The options of commands that are a number other than 0 by default."""
    found: dict[str, float] = {}
    todo: list[tuple[str, click.Command]] = [("octossh", command)]
    while todo:
        path, asked = todo.pop()
        if isinstance(asked, click.Group):
            context = click.Context(asked)
            todo += [(f"{path} {name}", asked.get_command(context, name)) for name in asked.list_commands(context)]
        for option in asked.params:
            if isinstance(option, click.Option) and is_number(option.default) and option.default:
                found[f"{path} {option.opts[0]}"] = option.default
    return found


@pytest.mark.parametrize("find", [constants, defaults, methods, options])
def test_every_number_that_the_code_decides_by_stands_on_the_page(find):
    assert [name for name in find() if name not in LISTED] == []


@pytest.mark.parametrize("name", LISTED)
def test_a_number_on_the_page_is_that_of_the_code(name):
    found = code(name)
    if isinstance(found, attrs.Attribute):
        found = found.default
    assert said(name) == (found if not isinstance(found, tuple) or len(found) > 1 else found[0])


def test_a_time_or_a_limit_that_a_call_is_given_has_a_name():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                given = [(word.arg, word.value) for word in call.keywords if word.arg in LIMITS]
                given += [("", value) for value in call.args] if getattr(call.func, "attr", "") in WAITS else []
                # Also one of ``min(60, left_s)``.
                inner = [(name, each) for name, value in given for each in [value, *getattr(value, "args", ())]]
                numbers = [(name, value.value) for name, value in inner if isinstance(value, ast.Constant)]
                # The newest one is no limit.
                if any(is_number(value) and value and (name, value) != ("limit", 1) for name, value in numbers):
                    found.append(f"{file.relative_to(PACKAGE)}:{call.lineno}: {ast.unparse(call)}")
    assert found == []


def scripts():
    """What the page says of scripts: a template, and what stands in it."""
    for where, text, _ in rows():
        for template in re.findall(r"``(\w+\.sh\.j2)``", where):
            yield from ((template, each) for each in re.findall(r"``(.+?)``", text))


def test_every_number_that_decides_something_in_a_script_stands_on_the_page():
    found = {
        (file.name, text)
        for file in (PACKAGE / "rendering" / "templates").glob("*.j2")
        for text in SHELL.findall(file.read_text(encoding="utf-8"))
    }
    assert sorted(found - set(scripts())) == []


def test_what_is_said_of_scripts_on_hosts_stands_in_their_templates():
    told = list(scripts())
    assert len(told) > 5
    for template, text in told:
        assert text in (PACKAGE / "rendering" / "templates" / template).read_text(encoding="utf-8"), (template, text)


def test_each_number_has_a_reason():
    assert [row for row in rows() if len(row) != 3 or len(row[2]) < 4] == []
