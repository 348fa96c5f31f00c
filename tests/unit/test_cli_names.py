"""Names that are misspelt at the command line: each is refused with the nearest that there is, and nothing is done."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from octossh.cli import octossh as command
from octossh.cli.completing import _NAMES
from octossh.testing import Hosts, release_of

OCTOFILE = """
import octossh as oc
from octossh.testing import Hosts

hub = oc.Registry("hub", "http://127.0.0.1:1")
shop = oc.Project(
    "shop",
    process=[
        oc.Approve("Sign off"),
        oc.RunContainer("web", image=hub.image("acme/web")),
        oc.RunScript("announce", script="true", rolling=oc.Rolling([1, "100%"], approve=True)),
    ],
    variables=[oc.Variable("Count", 1)],
    channels=[oc.Channel("stable"), oc.Channel("next")],
    lifecycle=oc.Lifecycle("Test", "Production"),
)
blog = oc.Project("blog", process=[oc.RunScript("hello", script="true")])
targets = [oc.Target(name, name, environments=["Test"], roles=["web"]) for name in ("h01", "h02")]
transport = Hosts()
space = oc.Space(projects=[shop, blog], targets=targets, transport=transport, on_moved_tag="ignore")
"""
NUMBER = "did you mean '0.0.1'?"
PROJECT = "did you mean 'shop'?"
TEST = "did you mean 'Test'?"
HOST = "there is 'h01', 'h02'"
SHOP = ["--project", "shop"]
CASES = {
    # command: {parameter: (words behind the command, how the refusal ends)}
    "approve": {
        "deployment": (["WAITINX", "Sign off"], "did you mean"),
        "step": (["WAITING", "Sing off"], "did you mean 'Sign off'?"),
    },
    "audit export": {"project": (["--project", "shpo"], PROJECT)},
    "audit list": {
        "project": (["shpo"], PROJECT),
        "environment": (["--in", "Tset"], TEST),
        "types": (["--type", "deploy_started"], "did you mean 'deployment_started'?"),
    },
    "cancel": {"deployment": (["DEPLOYMENX"], "did you mean")},
    "check": {"environment": (["--in", "Tset"], TEST)},
    "continue": {
        "id": (["DEPLOYMENX"], "did you mean"),
        "approvals": (["WAITING", "--approve", "Sing off"], "did you mean 'Sign off'?"),
    },
    "deploy": {
        "release": (["0.0.11", "--to", "Test", *SHOP], NUMBER),
        "environment": (["--to", "Tset", *SHOP], TEST),
        "project": (["--to", "Test", "--project", "shpo"], PROJECT),
        "approvals": (["--to", "Test", *SHOP, "--approve", "Sing off"], "did you mean 'Sign off'?"),
        "skip": (["--to", "Test", *SHOP, "--skip", "wbe"], "did you mean 'web'?"),
        "only": (["--to", "Test", *SHOP, "--only", "x9"], HOST),
        "exclude": (["--to", "Test", *SHOP, "--exclude", "x9"], HOST),
        "pairs": (["--to", "Test", *SHOP, "--variable", "Cuont=2"], "did you mean 'Count'?"),
    },
    "deployment show": {
        "id": (["DEPLOYMENX"], "did you mean"),
        "steps": (["DEPLOYMENT", "--step", "wbe"], "did you mean 'web'?"),
        "targets": (["DEPLOYMENT", "--on", "x9"], "'h01', 'h02'"),
    },
    "drift": {"project": (["shpo"], PROJECT), "environment": (["shop", "--in", "Tset"], TEST)},
    "exec": {
        "project": (["shpo", "--in", "Test", "--", "true"], PROJECT),
        "environment": (["shop", "--in", "Tset", "--", "true"], TEST),
        "on": (["shop", "--in", "Test", "--on", "x9", "--", "true"], HOST),
    },
    "freeze add": {
        "projects": (["x", "--project", "shpo", "--why", "x"], PROJECT),
        "environments": (["x", "--in", "Tset", "--why", "x"], TEST),
    },
    "freeze remove": {"name": (["Chrismas", "--why", "x"], "did you mean 'Christmas'?")},
    "history": {
        "project": (["shpo"], PROJECT),
        "environment": (["--in", "Tset"], TEST),
        "deployment": (["--log", "DEPLOYMENX"], "did you mean"),
    },
    "images": {"registry": (["web", "--registry", "hbu"], "did you mean 'hub'?")},
    "logs": {
        "project": (["shpo", "--in", "Test"], PROJECT),
        "environment": (["shop", "--in", "Tset"], TEST),
        "on": (["shop", "--in", "Test", "--on", "x9"], HOST),
    },
    "maintain end": {"target": (["h99"], "there is none")},
    "maintain start": {"target": (["x9", "--why", "x"], HOST)},
    "plan": {
        "release": (["0.0.11", "--to", "Test", *SHOP], NUMBER),
        "environment": (["--to", "Tset", *SHOP], TEST),
        "project": (["--to", "Test", "--project", "shpo"], PROJECT),
        "skip": (["--to", "Test", *SHOP, "--skip", "wbe"], "did you mean 'web'?"),
        "only": (["--to", "Test", *SHOP, "--only", "x9"], HOST),
        "exclude": (["--to", "Test", *SHOP, "--exclude", "x9"], HOST),
    },
    "promote": {
        "project": (["shpo", "--to", "Production"], PROJECT),
        "environment": (["shop", "--to", "Prodction"], "did you mean 'Production'?"),
        "channel": (["shop", "--to", "Production", "--channel", "stabel"], "did you mean 'stable'?"),
    },
    "prune": {"project": (["shpo", "--in", "Test"], PROJECT), "environment": (["shop", "--in", "Tset"], TEST)},
    "release allow": {
        "release": (["0.0.11", *SHOP], NUMBER),
        "project": (["0.0.1", "--project", "shpo"], PROJECT),
    },
    "release create": {
        "project": (["shpo"], PROJECT),
        "channel": (["shop", "--channel", "stabel"], "did you mean 'stable'?"),
        "versions": (["shop", "--set", "acme/wbe=1"], "did you mean 'acme/web'?"),
    },
    "release diff": {
        "release": (["0.0.11", "0.0.1", *SHOP], NUMBER),
        "other": (["0.0.1", "0.0.11", *SHOP], NUMBER),
        "environment": (["0.0.1", "--in", "Tset", *SHOP], TEST),
        "project": (["0.0.1", "0.0.1", "--project", "shpo"], PROJECT),
    },
    "release export": {
        "release": (["0.0.11", "x.json", *SHOP], NUMBER),
        "project": (["0.0.1", "x.json", "--project", "shpo"], PROJECT),
    },
    "release list": {"project": (["shpo"], PROJECT)},
    "release prevent": {
        "release": (["0.0.11", "--why", "x", *SHOP], NUMBER),
        "project": (["0.0.1", "--why", "x", "--project", "shpo"], PROJECT),
    },
    "release prevented": {"project": (["shpo"], PROJECT)},
    "release show": {
        "release": (["0.0.11", *SHOP], NUMBER),
        "project": (["0.0.1", "--project", "shpo"], PROJECT),
    },
    "render": {
        "release": (["0.0.11", "--to", "Test", *SHOP], NUMBER),
        "environment": (["--to", "Tset", *SHOP], TEST),
        "project": (["--to", "Test", "--project", "shpo"], PROJECT),
        "skip": (["--to", "Test", *SHOP, "--skip", "wbe"], "did you mean 'web'?"),
    },
    "resume": {"id": (["DEPLOYMENX"], "did you mean")},
    "rollback": {
        "project": (["shpo", "--in", "Test"], PROJECT),
        "environment": (["shop", "--in", "Tset"], TEST),
        "release": (["shop", "--in", "Test", "--to", "0.0.11"], NUMBER),
        "approvals": (["shop", "--in", "Test", "--to", "0.0.1", "--approve", "anounce"], "did you mean 'announce'?"),
    },
    "schedule cancel": {"deployment": (["WAITINX", "--why", "x"], "did you mean")},
    "shell": {
        "project": (["shpo", "--in", "Test"], PROJECT),
        "environment": (["shop", "--in", "Tset"], TEST),
        "on": (["shop", "--in", "Test", "--on", "x9"], HOST),
    },
    "status": {"project": (["shpo"], PROJECT)},
    "tags": {
        "image": (["acme/wbe"], "did you mean 'acme/web'?"),
        "project": (["acme/web", "--project", "shpo"], PROJECT),
        "channel": (["acme/web", "--channel", "stabel"], "did you mean 'stable'?"),
    },
    "tidy": {"project": (["shpo"], PROJECT)},
    "values remove": {"name": (["Pasword"], "there is none")},
}  # fmt: skip
SAME = {"promote", "rollback", "plan", "render"}
"""Commands that have options of ``deploy``, from the same decorators."""


def commands(group=command, path=()):
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from commands(one, (*path, name))
        else:
            yield " ".join((*path, name)), one


def test_each_parameter_that_stands_for_a_name_is_tried():
    wanted = {*_NAMES, "versions"}
    shared = {"only", "exclude", "skip", "approvals"}
    missing = [
        f"{name}: {parameter.name}"
        for name, one in commands()
        for parameter in one.params
        if (name, parameter.name) != ("who", "image")  # it says which is near
        if name != "init" and not name.startswith("import ")  # there one gives names
        if parameter.name in wanted and parameter.name not in CASES.get(name, {})
        if isinstance(parameter.type, click.types.StringParamType)
        if not (parameter.name == "steps" and name in {"exec", "logs", "shell"})  # the containers say which there are
        if not (name in SAME and parameter.name in shared)
    ]
    assert missing == []


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A folder with an octofile whose record has a release that was deployed, and what is kept by name."""
    import os
    import runpy

    import octossh as oc

    folder = tmp_path_factory.mktemp("names")
    (folder / "octofile.py").write_text(OCTOFILE)
    here = Path.cwd()
    os.chdir(folder)
    try:
        made = runpy.run_path("octofile.py")
        with made["space"] as space:
            for project in space.projects.values():
                space.store.import_release(release_of(project, "0.0.1"), by="ada")
            yes = oc.Approval(True, by="ada")
            space.approve = {"Sign off": yes, "announce": yes}
            ended = space.deploy("0.0.1", "Test", project="shop")
            space.approve = {}
            with pytest.raises(oc.DeployWaits) as waits:
                space.deploy("0.0.1", "Test", project="shop")
            space.freezes.add(oc.Freeze("Christmas", projects=["blog"]), why="holidays")
        return folder, {"DEPLOYMENT": ended.id, "WAITING": waits.value.deployment.id}
    finally:
        os.chdir(here)


@pytest.mark.parametrize(("name", "parameter"), [(name, one) for name, tried in CASES.items() for one in tried])
def test_a_misspelt_name_is_refused_with_the_nearest(name, parameter, record, octossh, monkeypatch):
    folder, ids = record
    monkeypatch.chdir(folder)
    words, ending = CASES[name][parameter]
    said = {**ids, **{f"{known[:-1]}X": f"{id_[:-1]}x" for known, id_ in ids.items()}}
    sent = []
    monkeypatch.setattr(Hosts, "_answered", lambda _self, target, script: sent.append(script.name) or [])
    code, out, err = octossh(*name.split(), *(said.get(word, word) for word in words))
    assert (code, out) == (2, ""), err
    assert err.startswith("octossh: ")
    assert ending in err
    assert sent == []
