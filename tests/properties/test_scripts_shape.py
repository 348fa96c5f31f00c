"""The form of scripts and templates: every shell takes them, half a script does nothing, and no word falls apart."""

from __future__ import annotations

import json
import random
import re
from importlib import resources
from pathlib import Path

import pytest
import strategies
from golden.cases import CASES, order
from golden.cases import script as golden
from hypothesis import HealthCheck, given, settings
from properties.stand import SHELLS, Host, clear_locks, syntax_errors, unique

from octossh.errors import ModelError
from octossh.model import Step, texts
from octossh.rendering import render
from octossh.shell import Script, Secret, payload
from octossh.templating import has_expression

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

STEPS = (strategies.STEPS | strategies.PRUNES).filter(
    lambda step: step.scripted and not any(has_expression(text) for _, text in texts(step))
)


def rendered(step: Step) -> Script | None:
    try:
        return render(order(step, secrets=dict.fromkeys(step.secrets, "x")))
    except ModelError:
        return None


def check_generated(folder: Path, count: int) -> None:
    files: list[Path] = []

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def write(step: Step) -> None:
        script = rendered(step)
        if script is not None:
            files.append(folder / f"{len(files)}.sh")
            files[-1].write_text(script.body, encoding="utf-8", newline="")

    write()
    assert len(files) > count / 2
    assert syntax_errors(files) == ""


def test_generated_scripts_are_accepted_by_every_shell_and_by_shellcheck(tmp_path: Path) -> None:
    check_generated(tmp_path, 6)


@pytest.mark.slow
def test_many_generated_scripts_are_accepted_by_every_shell_and_by_shellcheck(tmp_path: Path) -> None:
    check_generated(tmp_path, 250)


def whole(case: Path, host: Host) -> bytes:
    """The bytes that are sent for a golden case, with a project of this process."""
    data = json.loads(case.read_text(encoding="utf-8"))
    script = golden(case)
    for lock in re.findall(r"/dev/shm/(octossh-[\w.-]*\.lock)$", script.body, re.MULTILINE):
        script = Script(script.name, script.body.replace(lock, f"octossh-{unique()}.lock"), script.secrets)
    host.docker.networks |= {name: {"Id": name, "Name": name, "Labels": {}} for name in data.get("networks", [])}
    secrets = {name: Secret("it's $x") for name in script.secrets}
    return payload(script, "0123456789abcdef", secrets)


def cuts(case: Path, size: int, tail: int, count: int) -> list[int]:
    """*count* seeded places, and each of the last *tail*."""
    draw = random.Random(str(case.relative_to(case.parents[1])))
    return sorted({*draw.choices(range(size), k=count), *range(size - tail, size)})


FEW = [
    case for case in CASES if case.stem in {"secrets", "some", "odd", "names"} and case.parent.name != "create_network"
]


@pytest.mark.parametrize("case", FEW, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_half_a_script_never_calls_docker(tmp_path: Path, case: Path) -> None:
    check_cuts(tmp_path, case, "dash", 4)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_a_script_cut_at_any_of_sixty_places_never_calls_docker(tmp_path: Path, case: Path, shell: str) -> None:
    check_cuts(tmp_path, case, shell, 60)


def check_cuts(folder: Path, case: Path, shell: str, count: int) -> None:
    host = Host(folder / "host", shell)
    data = whole(case, host)
    size = len(data.rstrip(b"\n"))
    for at in cuts(case, size, 10, count):
        host.send(data[:at])
        assert host.calls == [], f"cut at byte {at} of {size}: ...{data[max(0, at - 40) : at]!r}"
    host.send(data)
    assert host.calls or case.parent.name in {"put_file", "run_script"}


# Templates.

TEMPLATES = {
    file.name: file.read_text(encoding="utf-8")
    for file in resources.files("octossh.rendering").joinpath("templates").iterdir()
}

# Text that stands in a script as it is, and why it can hold nothing that a shell reads.
AS_THEY_ARE = {
    "timeout_s | word": "a number",
    "title | comment": "a comment; the filter leaves printable ASCII on one line",
    "name | word": "a name that docker takes: letters, digits and _ . - only, checked by the model",
    "old | word": "such a name with --old",
    "next | word": "such a name with --next",
    "spec | word": "sha256: and hex digits",
    "healthy_timeout_s | word": "a number",
    "login | word": "${octossh_secret_N?}, ours",
    "variable | word": "${octossh_secret_N?}, ours",
}


def outside_of_quotes(text: str) -> dict[str, bool]:
    """Each expression of a template, and whether it stands outside of quotes everywhere."""
    found: dict[str, bool] = {}
    quote = ""
    tokens = re.compile(
        r"\{\{ (?P<expression>.*?) \}\}|\{%.*?%\}|(?P<comment>(?<![^\s;])#[^\n]*)|\\.|(?P<mark>['\"])", re.DOTALL
    )
    for token in tokens.finditer(text):
        if expression := token["expression"]:
            found[expression] = found.get(expression, True) and not quote
        elif token["comment"] and not quote:
            for inner in re.findall(r"\{\{ (.*?) \}\}", token["comment"]):
                found[inner] = False
        elif mark := token["mark"]:
            quote = {"": mark, mark: ""}.get(quote, quote)
    assert quote == ""
    return found


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_an_expression_of_a_template_stands_outside_of_quotes_or_is_known_to_be_harmless(name: str) -> None:
    for expression, outside in outside_of_quotes(TEMPLATES[name]).items():
        if not outside or "|" in expression:
            assert expression in AS_THEY_ARE, f"{name}: {{{{ {expression} }}}} stands in quotes or is not quoted"


def test_what_is_said_to_be_harmless_is_used() -> None:
    used = {expression for text in TEMPLATES.values() for expression in outside_of_quotes(text)}
    assert set(AS_THEY_ARE) <= used


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_templates_use_no_macros_blocks_or_filters_that_would_skip_the_quoting(name: str) -> None:
    assert set(re.findall(r"\{%-?\s*(\w+)", TEMPLATES[name])) <= {"if", "else", "endif", "for", "endfor", "include"}
    assert not re.search(r"\{\{-|-\}\}|\braw\b|\bsafe\b", TEMPLATES[name])


@pytest.mark.parametrize("kind", sorted(name for name in TEMPLATES if not name.startswith("_")))
def test_a_template_begins_and_ends_as_all_do(kind: str) -> None:
    lines = TEMPLATES[kind].splitlines()
    # Whoever looks whether docker is there at all begins without it.
    first = "_open" if kind == "check.sh.j2" else "_begin"
    assert (lines[0], lines[-1]) == (f'{{% include "{first}.sh.j2" %}}', '{% include "_end.sh.j2" %}')
