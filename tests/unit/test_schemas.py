"""JSON schemas: every document that is printed fits its own, and no other document does."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from view_strategies import VIEWS

import octossh as oc
from octossh.cli import main
from octossh.cli.schemas import NAMES, schema

OCTOFILE = """
import json
import octossh as oc
from octossh.testing import Hosts

hosts = Hosts()
hub = oc.Registry("hub", "https://registry.example.com")
steps = [
    oc.CreateNetwork("net"),
    oc.RunScript("first", script="true", env={"A": "{{ A }}", "KEY": oc.secret("KEY")}),
    oc.RunScript("second", script="true"),
]
hosts.fail("second", why="no space")
told = []
space = oc.Space(
    projects=[oc.Project("shop", process=steps, variables=[oc.Variable("A", 1), oc.Variable("A", "x", environment="Dev")])],
    targets=[oc.Target("h01", "h01", environments=["Dev"])], transport=hosts, secrets={"KEY": "geheim"},
    hooks=[lambda call: told.append(call) or print(json.dumps(call.to_dict()))],
)
"""
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def faults(of, data, whole, where="$"):
    """What of *data* is not as the schema *of* says; as much of JSON Schema as ours use."""
    known = {"$schema", "title", "$defs", "$ref", "type", "properties", "required", "items", "prefixItems", "minItems"}
    assert set(of) <= known | {"additionalProperties", "anyOf", "enum", "format"}
    if "$ref" in of:
        return faults(whole["$defs"][of["$ref"].rpartition("/")[2]], data, whole, where)
    if "anyOf" in of:
        tried = [faults(one, data, whole, where) for one in of["anyOf"]]
        return (
            []
            if any(not found for found in tried)
            else [f"{where}: {data!r} is none of them", *itertools.chain(*tried)]
        )
    if "enum" in of:
        return [] if data in of["enum"] else [f"{where}: {data!r}"]
    if "type" in of and (
        not isinstance(data, TYPES[of["type"]]) or (of["type"] == "integer" and isinstance(data, bool))
    ):
        return [f"{where}: {data!r} is no {of['type']}"]
    found = [f"{where}: no {name}" for name in of.get("required", ()) if name not in data]
    if of.get("format") == "date-time":
        assert datetime.fromisoformat(data).tzinfo
    if isinstance(data, dict):
        for name, item in data.items():
            inner = of.get("properties", {}).get(name, of.get("additionalProperties", {}))
            found += faults(inner, item, whole, f"{where}.{name}")
    for number, item in enumerate(data if isinstance(data, list) else ()):
        inner = of["prefixItems"][number] if "prefixItems" in of else of.get("items", {})
        found += faults(inner, item, whole, f"{where}[{number}]")
    return found


@pytest.fixture
def run(in_tmp, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (in_tmp / "octofile.py").write_text(OCTOFILE)

    def ended(*arguments):
        capsys.readouterr()
        with contextlib.suppress(SystemExit):
            main(list(arguments))
        return capsys.readouterr()

    return ended


def fits(name, document):
    made = schema(name)
    assert faults(made, document, made) == [], name


def test_every_document_that_is_printed_fits_its_schema(run):
    fits("release", json.loads(run("--json", "release", "create").out))
    fits("plan", json.loads(run("--json", "plan", "--to", "Dev").out))
    said = run("--events", "deploy", "--to", "Dev")
    events = [json.loads(line) for line in said.err.splitlines() if line.startswith("{")]
    assert len(events) >= 7
    for event in events:
        fits("event", event)
    calls = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
    assert {call["moment"] for call in calls} >= {"before_deploy", "failure", "after_deploy"}
    for call in calls:
        fits("hook-call", call)
    fits("deployment", json.loads(run("--json", "deployment", "show").out))
    fits("status", json.loads(run("--json", "status").out))
    fits("history", json.loads(run("--json", "history").out))
    fits("drift", json.loads(run("--json", "drift").out))
    fits("audit", json.loads(run("--json", "audit", "list", "--steps").out))
    fits("error", json.loads(run("--json", "deploy", "0.9", "--to", "Dev").out))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("audit", oc.AuditTrail),
        ("container-line", oc.ContainerLine),
        ("drift", oc.Drifts),
        ("executions", oc.Executions),
        ("hook-call", oc.HookCall),
    ],
)
def test_whatever_stands_in_a_document_it_fits_its_schema(name, kind):
    @settings(max_examples=20, database=None, suppress_health_check=list(HealthCheck))
    @given(VIEWS[kind])
    def check(value):
        fits(name, json.loads(json.dumps(value.to_dict())))

    check()


def test_what_is_another_document_does_not_fit(run):
    status = json.loads(run("--json", "status").out)
    for name in set(NAMES) - {"status"}:
        assert faults(schema(name), status, schema(name)), name
    status["standings"][0]["since"] = 7
    assert faults(schema("status"), status, schema("status"))


def test_the_command_prints_schemas_by_name(run):
    for name in NAMES:
        assert json.loads(run("schema", name).out) == schema(name)
    assert "deployment" in run("schema").out
    assert "did you mean 'deployment'" in run("schema", "deploymnt").err
