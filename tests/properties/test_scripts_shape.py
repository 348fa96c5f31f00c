"""The form of scripts and templates: every shell takes them, half a script does nothing, and no word falls apart."""

from __future__ import annotations

import json
import random
import re
from importlib import resources
from pathlib import Path

import pytest
import step_strategies
from golden.cases import CASES, order
from golden.cases import script as golden
from hypothesis import HealthCheck, given, settings
from properties.stand import EACH_SHELL, Host, clear_locks, syntax_errors, unique

from octossh.errors import ModelError
from octossh.model import Step, texts
from octossh.rendering import render
from octossh.rendering.own_templates import HARMLESS, faults
from octossh.shell import Script, Secret, payload
from octossh.templating import has_expression

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

STEPS = (step_strategies.STEPS | step_strategies.PRUNES).filter(
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


@pytest.mark.slow
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


WITHOUT_DOCKER = {"anchor", "anchors", "attach", "end_run", "put_file", "run_script", "unclaim", "wait_for"}


@pytest.mark.parametrize("case", FEW, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_half_a_script_never_calls_docker(tmp_path: Path, case: Path) -> None:
    check_cuts(tmp_path, case, "dash", 4)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
@pytest.mark.parametrize("shell", EACH_SHELL)
def test_a_script_cut_at_any_of_twenty_places_never_calls_docker(tmp_path: Path, case: Path, shell: str) -> None:
    check_cuts(tmp_path, case, shell, 20)


def check_cuts(folder: Path, case: Path, shell: str, count: int) -> None:
    host = Host(folder / "host", shell)
    data = whole(case, host)
    size = len(data.rstrip(b"\n"))
    for at in cuts(case, size, 10, count):
        host.send(data[:at])
        assert host.calls == [], f"cut at byte {at} of {size}: ...{data[max(0, at - 40) : at]!r}"
    # The whole of it does call docker: but for kinds that do without, behind a sudo that is not there, and where one
    # that is followed is ended by the end of what is sent, maybe before it has begun.
    if case.parent.name not in WITHOUT_DOCKER and case.stem not in {"sudo", "follow"}:
        host.send(data)
        assert host.calls


# Templates.

TEMPLATES = {
    file.name: file.read_text(encoding="utf-8")
    for file in resources.files("octossh.rendering").joinpath("templates").iterdir()
}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_keeps_the_rules_that_those_of_users_are_held_to(name: str) -> None:
    assert list(faults(name, TEMPLATES[name], {})) == []


def test_what_is_said_to_be_harmless_is_used() -> None:
    used = {found.strip() for text in TEMPLATES.values() for found in re.findall(r"\{\{(.*?)\}\}", text)}
    assert set(HARMLESS) <= used


@pytest.mark.parametrize("kind", sorted(name for name in TEMPLATES if not name.startswith("_")))
def test_a_template_begins_and_ends_as_all_do(kind: str) -> None:
    lines = TEMPLATES[kind].splitlines()
    # Whoever looks whether docker is there at all begins without it.
    first = "_open" if kind == "check.sh.j2" else "_begin"
    assert (lines[0], lines[-1]) == (f'{{% include "{first}.sh.j2" %}}', '{% include "_end.sh.j2" %}')
