"""JSON schemas: every document that is printed fits its own, and no other document does."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import sys
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from view_strategies import VIEWS

import octossh as oc
from octossh.cli import main
from octossh.cli import octossh as command
from octossh.cli.schemas import COMMANDS, NAMES, schema
from octossh.testing.registry import FakeRegistry

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
FULL = """
import octossh as oc
from octossh.testing import Hosts

hub = oc.Registry("hub", "URL")
steps = [
    oc.Approve("Sign off"),
    oc.RunContainer("web", image=hub.image("acme/web"), env={"KEY": oc.secret("KEY")}),
]
space = oc.Space(
    projects=[oc.Project("shop", process=steps, channels=[oc.Channel("stable", "[1,2)")])],
    targets=[oc.Target("h01", "h01", environments=["Dev"])], transport=Hosts(),
)
"""
# Each command as it can be given after those before it; what it prints is the document behind it.
ROAD = [
    (["values", "new-key"], "values-key"),
    (["values", "set", "KEY"], "value"),
    (["values", "list"], "values"),
    (["values", "rotate"], "values-rotate"),
    (["check"], "check"),
    (["images", "web"], "images"),
    (["tags", "acme/web"], "tags"),
    (["release", "create"], "release"),
    (["release", "create", "--set", "acme/web=1.0.0"], "release"),
    (["release", "list"], "releases"),
    (["release", "show"], "release"),
    (["release", "diff", "0.0.1", "0.0.2"], "release-diff"),
    (["release", "prevent", "0.0.2", "--why", "it leaks"], "release-prevent"),
    (["release", "prevented"], "release-prevented"),
    (["release", "allow", "0.0.2"], "release-allow"),
    (["release", "export", "0.0.2", "r.json"], "release"),
    (["plan", "--to", "Dev"], "plan"),
    (["render", "--to", "Dev"], "scripts"),
    (["freeze", "add", "Christmas", "--why", "holidays"], "freeze"),
    (["freeze", "list"], "freezes"),
    (["freeze", "remove", "Christmas", "--why", "over"], "freeze-remove"),
    (["deploy", "0.0.1", "--to", "Dev", "--approve", "Sign off"], "deployment"),
    (["deploy", "--to", "Dev", "--outdated", "--approve", "Sign off"], "outdated"),
    (["deploy", "0.0.2", "--to", "Dev", "--approve", "Sign off=as it should be"], "deployment"),
    (["deployment", "show"], "deployment"),
    (["history"], "history"),
    (["history", "--log", "FIRST"], "deployment"),
    (["status"], "status"),
    (["who", "acme/web"], "who"),
    (["drift"], "drift"),
    (["deploy", "--to", "Dev", "--at", "2100-01-01", "--expires", "2100-01-02"], "schedule"),
    (["schedule", "list"], "schedules"),
    (["run-due"], "schedules"),
    (["approve", "SCHEDULED", "Sign off"], "schedule"),
    (["schedule", "cancel", "SCHEDULED", "--why", "not then"], "schedule"),
    (["rollback", "--in", "Dev", "--approve", "Sign off"], "deployment"),
    (["rollback", "--in", "Dev", "--to", "0.0.2", "--at", "2100-01-01", "--expires", "2100-01-02"], "schedule"),
    (["maintain", "start", "h01", "--why", "a new disk"], "maintain-start"),
    (["maintain", "list"], "maintain"),
    (["maintain", "end", "h01"], "maintain-end"),
    (["prune", "--in", "Dev", "--keep", "1"], "plan"),
    (["prune", "--in", "Dev", "--keep", "1", "--yes"], "deployment"),
    (["tidy", "--logs-days", "0"], "tidy"),
    (["board", "--out", "board"], "board"),
    (["audit", "list"], "audit"),
    (["audit", "verify"], "audit-verify"),
    (["audit", "send"], "audit-send"),
    (["audit", "export", "-o", "audit.jsonl"], "audit-export"),
    (["values", "remove", "KEY"], "value"),
    (["-f", "new.py", "init", "--image", "docker.io/acme/web", "--host", "root@h01"], "files"),
    (["import", "compose", "compose.yml"], "import"),
    (["import", "compose", "compose.yml", "-o", "imported/octofile.py"], "files"),
    (["import", "kamal", "deploy.yml"], "import"),
]
ELSEWHERE = {"cancel", "continue", "exec", "logs", "promote", "release import", "resume"}
"""They print what others do, or want containers: then the values are made up, below."""
TEXT = {"completion", "man", "schema", "shell"}
"""What prints no JSON."""
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


def commands(group=command, path=()):
    for name, one in group.commands.items():
        yield from commands(one, (*path, name)) if hasattr(one, "commands") else [" ".join((*path, name))]


def test_each_command_that_prints_json_has_a_schema_and_is_tried():
    tried = {name for name in commands() for words, _ in ROAD if f" {name} " in f" {' '.join(words)} "}
    assert set(commands()) - TEXT == set(COMMANDS) == tried | ELSEWHERE


def test_what_each_command_prints_fits_the_schema_of_its_document(run, in_tmp, monkeypatch):
    with FakeRegistry() as fake:
        fake.push("acme/web", "1.0.0")
        fake.push("acme/web", "1.1.0")
        (in_tmp / "octofile.py").write_text(FULL.replace("URL", fake.url))
        (in_tmp / "compose.yml").write_text("services: {web: {image: 'acme/web:1.0.0', shm_size: 1g}}")
        (in_tmp / "deploy.yml").write_text("service: shop\nimage: acme/web\nservers: [10.0.0.11]\n")
        ids = {}
        for words, name in ROAD:
            monkeypatch.setattr("sys.stdin", io.StringIO("geheim"))
            said = run("--json", "-q", *(ids.get(word, word) for word in words))
            document = json.loads(said.out or "{}")
            assert not isinstance(document.get("error"), dict), (words, said)
            fits(name, document)
            assert any(name in COMMANDS[one] for one in COMMANDS if f" {one} " in f" {' '.join(words)} "), words
            if name == "values-key":
                monkeypatch.setenv("OCTOSSH_KEY", document["key"])
            known = {"deployment": "FIRST", "schedule": "SCHEDULED"}
            if name in known:
                ids.setdefault(known[name], document["id"])


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
    @settings(max_examples=max(3, settings().max_examples // 5), database=None, suppress_health_check=list(HealthCheck))
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
