"""Templates of the user's own, in front of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from fleet import MOMENT
from golden.cases import IMAGE, order

import octossh as oc
from octossh.deploying.syntax import script_of
from octossh.planning import plan
from octossh.rendering import read_templates, render
from octossh.rendering.sources import our_template

BEGIN, END = '{% include "_begin.sh.j2" %}\n', '{% include "_end.sh.j2" %}\n'
H1 = oc.Target("h01", "10.0.0.1", environments=["Dev"])
WEB = oc.RunContainer("web", image=IMAGE)
DATA = oc.CreateVolume("data")


def ours(name: str) -> str:
    text = our_template(name)
    assert text is not None
    return text


def folder(tmp_path: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (tmp_path / f"{name}.sh.j2").write_text(text)
    return tmp_path


def test_a_template_of_the_users_stands_before_ours_and_ours_can_be_included(tmp_path: Path) -> None:
    own = ours("run_container.sh.j2").replace('_begin.sh.j2" %}\n', '_begin.sh.j2" %}\nlogger {{ title }}\n', 1)
    place = folder(tmp_path, run_container=own, _pull='octossh_say mine\n{% include "octossh/_pull.sh.j2" %}\n')
    made = read_templates(place)
    body = script_of(attrs.evolve(order(WEB), templates=made)).body
    assert "\nlogger 'run_container '\"'\"'web'" in body
    assert "octossh_say mine\n" in body
    assert "octossh_pull()" in body
    assert body.startswith("# run_container ")
    assert set(made.marks) >= {"run_container", "pull_image"}
    assert "create_volume" not in made.marks
    assert render(attrs.evolve(order(DATA), templates=made)) == render(order(DATA))


def test_values_are_quoted_in_templates_of_the_users_too(tmp_path: Path) -> None:
    made = read_templates(folder(tmp_path, create_volume=f"{BEGIN}echo {{{{ name }}}} {{{{ holder }}}}\n{END}"))
    body = render(attrs.evolve(order(DATA), templates=made, holder="it's $(id)")).body
    assert """\necho shop-dev-data 'it'"'"'s $(id)'\n""" in body


def test_a_template_reads_nothing_but_its_values(tmp_path: Path) -> None:
    for text, said in (
        ("echo {{ nmae }}", "'nmae' is undefined"),
        ("echo {{ name.__class__.__mro__ }}", "cannot be rendered: access to attribute '__class__'"),
        ("echo {{ name + 1 }}", "cannot be rendered"),
    ):
        made = read_templates(folder(tmp_path, create_volume=f"{BEGIN}{text}\n{END}"))
        with pytest.raises(oc.ModelError, match=said):
            render(attrs.evolve(order(DATA), templates=made))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"echo\n{END}", "line 1: a template begins with the line"),
        (f"{BEGIN}echo\n", "line 2: a template ends with the line"),
        (f'{BEGIN}echo "{{{{ name }}}}"\n{END}', "line 2: {{ name }} stands inside quotes"),
        (f"{BEGIN}echo '{{{{ name }}}}'\n{END}", "line 2: {{ name }} stands inside quotes"),
        (f"{BEGIN}\n# {{{{ holder }}}}\n{END}", "line 3: {{ holder }} stands in a comment"),
        (f"{BEGIN}cat <<E\n{{{{ name }}}}\nE\n{END}", "line 2: an expression stands in a here-document"),
        (f"{BEGIN}x=`id`\n{END}", "line 2: ` takes words apart"),
        (f"{BEGIN}echo {{{{ holder | word }}}}\n{END}", "line 2: {{ holder | word }} is not quoted"),
        (f"{BEGIN}{{% set x = holder | word %}}echo {{{{ x }}}}\n{END}", "line 2: the filters 'word'"),
        (f"{BEGIN}echo {{{{- name }}}}\n{END}", "line 2: a minus in the braces"),
        (f"{BEGIN}{{% macro a() %}}{{% endmacro %}}\n{END}", "line 2: {% macro %} is not among"),
        (f"{BEGIN}{{% include name %}}\n{END}", "line 2: an include names one template"),
        (f'{BEGIN}{{% include "_lokc.sh.j2" %}}\n{END}', "did you mean '_lock.sh.j2'"),
        (f"{BEGIN}{{% if %}}\n{END}", "line 2: it is no Jinja"),
        (f"{BEGIN}echo 'a\n{END}", "a quote or a $( is not closed"),
    ],
)
def test_a_template_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(oc.ModelError) as refused:
        oc.Space(projects=[], templates=folder(tmp_path, create_volume=text))
    assert str(refused.value).startswith(f"template {tmp_path}/create_volume.sh.j2")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("create_volum", "no kind of step is called 'create_volum', did you mean 'create_volume'?"),
        ("_lock", "understand each other by this one"),
        ("observe", "understand each other by this one"),
    ],
)
def test_a_template_of_a_name_that_replaces_nothing_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(oc.ModelError, match=said.replace("?", r"\?")):
        read_templates(folder(tmp_path, **{name: BEGIN + END}))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(oc.ModelError, match="there is no folder of templates"):
        oc.Space(projects=[], templates=tmp_path / "templates")


def test_quotes_inside_of_a_substitution_are_their_own(tmp_path: Path) -> None:
    text = f'{BEGIN}echo "a $(echo {{{{ name }}}} "$(id {{{{ holder }}}})") b" {{{{ name }}}}\n{END}'
    assert read_templates(folder(tmp_path, create_volume=text)).marks
    with pytest.raises(oc.ModelError, match="stands inside quotes"):
        read_templates(folder(tmp_path, create_volume=text.replace(" b", " {{ name }}")))


def release(*steps: Any) -> oc.Release:
    process = oc.Process(steps)
    pins = tuple(oc.Pin(image=image, tag="1.0", digest=f"sha256:{'a' * 64}") for image in process.images)
    return oc.Release(
        project="shop", number="0.0.1", channel="stable", process=process, pins=pins, created_at=MOMENT
    )  # fmt: skip


def spec(step: Any, templates: Any = None) -> str:
    task = plan(release(step), "Dev", [H1], templates=templates).tasks[0]
    assert task.wanted is not None
    return task.wanted.spec


def test_the_text_of_a_template_is_part_of_what_its_kind_keeps(tmp_path: Path) -> None:
    plain = spec(WEB), spec(DATA)
    first = read_templates(folder(tmp_path, run_container=ours("run_container.sh.j2")))
    assert spec(WEB, first) != plain[0]
    assert spec(DATA, first) == plain[1]
    second = read_templates(folder(tmp_path, _gate=ours("_gate.sh.j2").replace("sleep 0.2", "sleep 0.5")))
    assert len({plain[0], spec(WEB, first), spec(WEB, second)}) == 3
    file = oc.PutFile("conf", "/etc/x", content="")
    assert spec(file, read_templates(folder(tmp_path, put_file=ours("put_file.sh.j2")))) == spec(file)


def test_what_is_no_shell_script_is_refused_before_any_host_is_asked(tmp_path: Path) -> None:
    place = folder(tmp_path, run_script=f"{BEGIN}if true; then echo {{{{ shell }}}}\n{END}")
    shop = oc.Project("shop", process=[oc.RunScript("do", script="true")])
    with oc.Space(
        f"sqlite:///{tmp_path}/octossh.db", projects=[shop], targets=[H1], transport=oc.Replay({}), templates=place
    ) as space:
        made = space.create_release()
        for verb in (space.plan, space.deploy):
            with pytest.raises(
                oc.ModelError, match=r"made with templates of yours \(run_script\.sh\.j2\), is no script"
            ):
                verb(made, "Dev")


# One that is agreed itself, two that such ones include, and one that is part of a part.
@pytest.mark.parametrize("name", ["_outlive", "_bind", "_locking", "_session"])
def test_all_that_is_part_of_what_stays_as_it_is_stays_as_it_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(oc.ModelError, match=f"{name}.sh.j2: octossh and a host understand each other by this one"):
        read_templates(folder(tmp_path, **{name: ours(f"{name}.sh.j2")}))
