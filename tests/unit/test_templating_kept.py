"""Templates of scripts are compiled once, and kept beside what Python keeps of octossh."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest
from jinja2.bccache import bc_magic

from octossh import shell, templating
from octossh.templating import rendered, script_environment

Render = Callable[..., tuple[str, bool]]


def sealed(code: bytes) -> bytes:
    return hashlib.sha256(code).digest() + code


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    made = Path(importlib.util.cache_from_source(templating.__file__)).parent
    made.mkdir(parents=True)
    return made


@pytest.fixture
def render(monkeypatch) -> Render:
    """Renders a template as a new process would, and says whether it was compiled for that."""
    asked: list[str] = []
    compiles = jinja2.Environment.compile

    def compile_(self: jinja2.Environment, source: str, *given: object, **more: object) -> object:
        asked.append(source)
        return compiles(self, source, *given, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", compile_)

    def once(text: str = "echo {{ what }}", **values: object) -> tuple[str, bool]:
        asked.clear()
        made = rendered(script_environment(lambda _: text), "a.sh.j2", values)
        return made, bool(asked)

    return once


def test_a_template_is_compiled_once_for_all_processes(folder, render):
    assert render(what="a b") == ("echo 'a b'", True)
    assert render(what="c") == ("echo c", False)


def test_one_that_says_something_else_by_now_is_compiled_anew(folder, render):
    render(what="a")
    assert render("print {{ what }}", what="a") == ("print a", True)
    assert render("print {{ what }}", what="b") == ("print b", False)


def test_another_octossh_compiles_it_anew(folder, render, monkeypatch, tmp_path):
    render(what="a")
    (tmp_path / "shell.py").touch()
    monkeypatch.setattr(shell, "__file__", str(tmp_path / "shell.py"))
    assert render(what="a") == ("echo a", True)


@pytest.mark.parametrize("damage", [
    *(pytest.param(lambda was, cut=cut: was[:cut], id=f"cut to {cut}") for cut in (0, 1, 20, 32, 33, 45, 50, 60, 100, -1)),
    pytest.param(lambda _: bc_magic + b"abc", id="the beginning of what Jinja itself keeps"),
    pytest.param(lambda was: was[:-40] + bytes(40), id="zeros at its end"),
    pytest.param(lambda was: was[:80] + bytes([was[80] ^ 1]) + was[81:], id="one bit"),
    pytest.param(lambda was: random.Random(7).randbytes(len(was)), id="random"),
    pytest.param(lambda was: sealed(random.Random(7).randbytes(len(was))), id="random, with its digest"),
    pytest.param(lambda was: sealed(was[32:-9]), id="cut, with its digest"),
    pytest.param(lambda was: sealed(bc_magic + b"abc"), id="no checksum, with its digest"),
])  # fmt: skip
def test_one_that_is_damaged_is_compiled_and_kept_anew(damage, folder, render):
    render(what="a")
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert render(what="a") == ("echo a", True)
    assert render(what="b") == ("echo b", False)
    assert kept.read_bytes() == whole


def test_one_that_cannot_be_read_is_compiled_each_time(folder, render):
    render(what="a")
    (kept,) = folder.iterdir()
    kept.unlink()
    kept.symlink_to(kept)
    assert render(what="a") == ("echo a", True)


def test_who_keeps_no_bytecode_of_python_keeps_none_of_templates(folder, render, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert [render(what="a"), render(what="a")] == [("echo a", True)] * 2
    assert list(folder.iterdir()) == []


def test_where_nothing_can_be_written_it_is_compiled_each_time(folder, render):
    folder.rmdir()
    assert [render(what="a"), render(what="a")] == [("echo a", True)] * 2


def test_where_octossh_is_in_no_file_it_is_compiled_each_time(folder, render, monkeypatch):
    monkeypatch.setattr(shell, "__file__", str(folder / "none"))
    assert [render(what="a"), render(what="a")] == [("echo a", True)] * 2
