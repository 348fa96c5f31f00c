"""Errors in a notebook, and at the prompt of IPython: one statement in place of a traceback."""

from __future__ import annotations

from types import SimpleNamespace

import IPython
import pytest

import octossh as oc


@pytest.fixture
def shell(monkeypatch):
    made = SimpleNamespace(colors="neutral")
    monkeypatch.setattr(IPython, "get_ipython", lambda: made)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def test_an_error_is_red_in_ipython_unless_it_or_the_environment_says_otherwise(shell, monkeypatch):
    error = oc.ModelError("wrong")
    assert error._render_traceback_() == ["\x1b[31mModelError\x1b[0m: wrong"]
    for none in ("nocolor", "NoColor"):
        shell.colors = none
        assert error._render_traceback_() == ["ModelError: wrong"]
    shell.colors = "linux"
    monkeypatch.setenv("NO_COLOR", "1")
    assert error._render_traceback_() == ["ModelError: wrong"]


def test_without_a_shell_of_ipython_an_error_has_no_colours(monkeypatch):
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert oc.ModelError("wrong")._render_traceback_() == ["ModelError: wrong"]


@pytest.mark.parametrize("odd", ["\x1b", "\u202e", "\u200f", "\u2066", "\u061c"])
def test_nothing_in_an_error_moves_the_cursor_or_turns_the_writing_around(shell, odd):
    shell.colors = "nocolor"
    assert oc.ModelError(f"a{odd}b\nc{odd}")._render_traceback_() == ["ModelError: a?b", "c?"]
