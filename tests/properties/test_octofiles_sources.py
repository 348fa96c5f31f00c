"""What is written as Python or YAML is what was written down: whatever stands in it."""

from __future__ import annotations

import attrs
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

import octossh as oc
from octossh.inventory import read_targets
from octossh.octofiles import expression, octofile, targets_file


def evaluated(source: str) -> object:
    return eval(source, {"oc": oc})


@given(strategies.STEPS)
def test_the_source_of_a_step_makes_the_same_step(step):
    assert evaluated(expression(step)) == step


@given(strategies.PROJECTS)
def test_the_source_of_a_project_makes_the_same_project(project):
    assert evaluated(expression(project)) == project


@given(st.text(max_size=200) | strategies.TEXT)
def test_no_text_gets_out_of_its_quotes(text):
    assert evaluated(expression(text)) == text
    assert expression(text).isprintable() or "\n" in text


@given(st.lists(strategies.PROJECTS, min_size=1, max_size=2, unique_by=lambda project: project.name))
def test_an_octofile_defines_the_space_of_its_projects(projects):
    made: dict[str, object] = {}
    source = octofile(projects, targets="targets.yml", about="a test")
    exec(source.replace("oc.Space(", "dict(store="), {"oc": oc}, made)
    assert made["space"] == {"store": "sqlite:///octossh.db", "projects": projects, "targets": "targets.yml"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("targets")


@given(st.lists(strategies.TARGETS, min_size=1, max_size=3, unique_by=lambda target: target.name))
def test_a_file_of_targets_is_read_as_the_same_targets(folder, targets):
    (folder / "targets.yml").write_text(targets_file(targets))
    assert read_targets(folder / "targets.yml") == tuple(targets)


def test_a_login_by_a_function_is_not_written():
    image = oc.Registry("hub", "https://registry.example.com", auth=lambda: None).image("acme/web")
    with pytest.raises(oc.ModelError, match="cannot be written into an octofile"):
        expression(oc.RunContainer("web", image=image))


def test_what_is_at_its_default_is_left_out_and_what_is_long_is_broken():
    web = oc.RunContainer("web", image=oc.Registry("hub", "https://docker.io").image("nginx"), env={"A": 'say "x"'})
    assert expression(web) == (
        'oc.RunContainer(\n    "web",\n    image=oc.Registry("hub", "https://docker.io").image("nginx"),\n'
        '    env={"A": \'say "x"\'},\n)'
    )
    assert expression(attrs.evolve(oc.Http(80, "/"), timeout_s=5)) == "oc.Http(80, timeout_s=5)"
