"""Rendering: golden scripts, and what cannot be rendered."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from golden.cases import CASES, GOLDEN, IMAGE, order, script
from properties.stand import syntax_errors

import octossh as oc
from octossh.errors import ModelError
from octossh.model import KINDS
from octossh.rendering import observe, prepare, render
from octossh.rendering.sources import _environment, environment_of

OTHERS = (
    "anchor",
    "anchors",
    "attach",
    "check",
    "end_run",
    "execute",
    "forget",
    "logs",
    "observe",
    "runners",
    "unclaim",
)
SENT = [name for name, kind in KINDS.items() if kind.scripted]
WRITE = bool(os.environ.get("GOLDEN_WRITE"))


def name_of(case: Path) -> str:
    return f"{case.parent.name}/{case.stem}"


def container(**fields: Any) -> oc.RunContainer:
    return oc.RunContainer("web", image=IMAGE, **fields)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_golden_order_gives_its_script_byte_for_byte(case: Path) -> None:
    body = script(case).body
    if WRITE:
        case.with_suffix(".sh").write_text(body, encoding="utf-8")
    assert body == case.with_suffix(".sh").read_text(encoding="utf-8"), (
        "GOLDEN_WRITE=1 writes it anew; read the diff then"
    )


@pytest.mark.parametrize("kind", SENT)
def test_once_a_kind_is_prepared_none_of_its_scripts_waits_for_a_template(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment.cache_clear()
    prepare([kind])
    monkeypatch.setattr(environment_of(), "compile", lambda *_, **__: pytest.fail("a template is compiled"))
    for case in (case for case in CASES if case.parent.name == kind):
        script(case)
    _environment.cache_clear()


def test_each_golden_script_has_its_order_and_the_other_way_round() -> None:
    assert {case.with_suffix("") for case in CASES} == {file.with_suffix("") for file in GOLDEN.glob("*/*.sh")}


def test_step_kinds_templates_and_golden_folders_have_the_same_names() -> None:
    files = resources.files("octossh.rendering").joinpath("templates").iterdir()
    templates = {file.name.removesuffix(".sh.j2") for file in files if not file.name.startswith("_")}
    folders = {case.parent.name for case in CASES}
    assert templates == folders == {*SENT, *OTHERS}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*sorted(SENT), *OTHERS])
def test_golden_scripts_are_accepted_by_every_shell_and_by_shellcheck(kind: str) -> None:
    files = sorted((GOLDEN / kind).glob("*.sh"))
    assert syntax_errors(files) == ""


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_no_value_of_a_secret_stands_in_a_script(case: Path) -> None:
    body = case.with_suffix(".sh").read_text(encoding="utf-8")
    for value in json.loads(case.read_text(encoding="utf-8")).get("secrets", {}).values():
        assert value not in body


def test_the_same_order_gives_the_same_bytes_and_names_its_secrets() -> None:
    step = container(env={"A": oc.secret("one"), "B": oc.secret("two"), "C": oc.secret("one")})
    first, second = (render(order(step, secrets={"one": "x", "two": "y"}, login="login")) for _ in range(2))
    assert first == second
    assert first.secrets == ("one", "two", "login")
    assert first.digest == second.digest


def test_another_value_of_a_secret_gives_another_spec() -> None:
    step = container(env={"A": oc.secret("one")})
    assert render(order(step, secrets={"one": "x"})).body != render(order(step, secrets={"one": "y"})).body


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"env": {"LONG": "x" * 100_001}}, "LONG is too long"),
        ({"env": {"PATH": "x" * 60_001}}, "PATH is too long"),
        ({"env": {"PATH": "/bin\n/sbin"}}, "PATH: docker takes a name like this only with a value of one line"),
        ({"env": {"my.name": "text\r"}}, "my.name: docker takes a name like this"),
        ({"env": {"#name": "x"}}, "#name: docker takes a name like this"),
        ({"labels": {"com.example.long": "x" * 131_001}}, "too long; Linux takes 128 KiB"),
        ({"command": ["x" * 70_000, "x" * 70_000]}, "what it describes is too long"),
    ],
)
def test_what_docker_or_linux_would_not_take_is_refused_before_anything_is_sent(fields: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        render(order(container(**fields)))


@pytest.mark.parametrize("name", ["PATH", "IFS", "UID", "my.name", "octossh_nonce", "LD_PRELOAD", "BASH_ENV"])
def test_a_script_cannot_set_the_variables_that_the_shell_itself_uses(name: str) -> None:
    step = oc.RunScript("seed", script="true", env={name: "x"})
    with pytest.raises(ModelError, match=f"the shell itself uses the variable '{name}'"):
        render(order(step))


def test_an_observing_script_asks_for_names_as_they_are_not_as_patterns() -> None:
    body = observe("shop", "Dev", [("container", "web.1"), ("network", "net.1")]).body
    assert r"'name=^/?web\.1$'" in body
    assert r"'name=^net\.1$'" in body
