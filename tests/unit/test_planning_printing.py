"""What a plan looks like, to the letter: as text, as JSON, in a notebook."""

from __future__ import annotations

import json
from textwrap import dedent

import attrs
import pytest
from fleet import MOMENT, Fleet

import octossh as oc
from octossh.planning import plan

hub = oc.Registry("hub", "https://registry.example.com")
TARGETS = (
    oc.Target("h01", "10.0.0.1", roles=["web", "edge"], environments=["Dev"]),
    oc.Target("h02", "10.0.0.2", environments=["Dev"]),
)
STEPS = (
    oc.CreateNetwork("Custom Network"),
    oc.RunContainer(
        "web", image=hub.image("acme/web"), roles=["web"], env={"LEVEL": "{{ Level }}"}, publish=["80:80"],
        networks=["{{ steps['Custom Network'].inspect.Name }}"],
    ),
    oc.RunScript("Report", script="true", reads_only=True),
)  # fmt: skip


def release(*steps, number="0.0.1", level="info", digest="a"):
    process = oc.Process(steps)
    pins = tuple(oc.Pin(image=image, tag=f"1.{number[-1]}", digest=f"sha256:{digest * 64}") for image in process.images)
    return oc.Release(
        project="shop", number=number, channel="c", process=process, pins=pins, created_at=MOMENT,
        variables=(oc.Variable("Level", level),),
    )  # fmt: skip


def planned(fleet, made, **more):
    return plan(made, "Dev", TARGETS, seen=fleet.look(), **more)


def old():
    fleet = Fleet(TARGETS)
    fleet.run(release(*STEPS, oc.RunContainer("worker", image=hub.image("acme/web"), roles=["web"])))
    return fleet


def test_a_first_deployment():
    assert str(planned(Fleet(TARGETS), release(*STEPS))) == dedent(
        """\
        shop 0.0.1 -> Dev (deploy): 2 to create, 2 to run, 1 to decide on the host
          h01 (edge, web)
            + create    Custom Network  network shop-dev-custom-network is not there
            ? decide    web  (known after 'Custom Network')
            > run       Report  reads only
          h02
            + create    Custom Network  network shop-dev-custom-network is not there
            > run       Report  reads only"""
    )


def test_a_next_release_with_something_left_over():
    made = planned(old(), release(*STEPS, number="0.0.2", level="debug", digest="b"), mode=oc.Mode.PROMOTE)
    assert str(made) == dedent(
        """\
        shop 0.0.2 -> Dev (promote): 1 to replace, 2 to run, 2 unchanged
          h01 (edge, web)
            = unchanged Custom Network
            ~ replace   web  made by release 0.0.1
                env LEVEL: info -> debug
                image: acme/web:1.1 (aaaaaaaaaaaa) -> acme/web:1.2 (bbbbbbbbbbbb)
            > run       Report  reads only
          h02
            = unchanged Custom Network
            > run       Report  reads only
          note: h01: container shop-dev-worker belongs to step 'worker', which this release has not; """
        "StopResource(..., steps=['worker']) removes it"
    )


def test_no_changes_says_so_although_scripts_that_only_read_will_run():
    fleet = Fleet(TARGETS)
    fleet.run(release(*STEPS))
    made = planned(fleet, release(*STEPS), mode=oc.Mode.REDEPLOY)
    assert not made.has_changes
    assert made.summary == "no changes"
    assert str(made).startswith(
        "shop 0.0.1 -> Dev (redeploy): no changes\n  h01 (edge, web)\n    = unchanged Custom Network\n"
    )


def test_a_refusal_stands_out():
    fleet = Fleet(TARGETS)
    fleet.run(release(*STEPS))
    fleet.there["h01"] = [attrs.evolve(seen, project="", spec="") for seen in fleet.there["h01"]]
    made = planned(fleet, release(*STEPS))
    assert [task.target.name for task in made.refusals] == ["h01"]
    why = "the network shop-dev-custom-network is not ours; remove it, or give this step another name"
    assert f"    ! refuse    Custom Network  {why}" in str(made).splitlines()
    assert made.summary == "2 to run, 1 unchanged, 1 to decide on the host, 1 refused"


def test_a_plan_as_json_has_the_names_that_tools_stand_on():
    data = json.loads(json.dumps(planned(old(), release(*STEPS, number="0.0.2", level="debug")).to_dict()))
    head = {key: data[key] for key in ("project", "release", "environment", "mode", "observed", "has_changes")}
    assert head == {
        "project": "shop", "release": "0.0.2", "environment": "Dev", "mode": "deploy", "observed": True,
        "has_changes": True,
    }  # fmt: skip
    web = data["tasks"][2]
    assert web.pop("spec").startswith("sha256:")
    assert web == {
        "step": "web",
        "kind": "run_container",
        "target": "h01",
        "action": "replace",
        "why": "made by release 0.0.1",
        "changes": [
            {"field": "env LEVEL", "old": "info", "new": "debug"},
            {"field": "image", "old": "acme/web:1.1 (aaaaaaaaaaaa)", "new": "acme/web:1.2 (aaaaaaaaaaaa)"},
        ],
        "name": "shop-dev-web",
        "after": None,
    }
    assert len(data["notes"]) == 1


def test_in_a_notebook_nothing_of_a_plan_is_taken_for_markup():
    made = planned(Fleet(TARGETS), release(oc.RunScript("<b>", script="true")))
    assert "<b>" not in made._repr_html_()
    assert "&lt;b&gt;" in made._repr_html_()


@pytest.mark.parametrize("reads_only", [True, False])
def test_a_script_counts_as_a_change_unless_it_only_reads(reads_only):
    made = planned(Fleet(TARGETS), release(oc.RunScript("s", script="true", reads_only=reads_only)))
    assert made.has_changes is not reads_only


def test_a_plan_says_what_runs_in_one_place_only_and_where() -> None:
    hub = oc.Registry("hub", "https://registry.example.com")
    hosts = [oc.Target(name, name, roles=["web"], environments=["Dev"]) for name in ("h01", "h02")]
    process = oc.Process(
        [
            oc.RunOnce("migrate", image=hub.image("acme/web"), roles=["web"]),
            oc.RunScript("tell", script="echo {{ steps.migrate.outputs.SCHEMA }}"),
            oc.WaitFor("port", oc.Tcp(5432), address="db", where="controller", timeout_s=30),
            oc.Approve("Go live", approvers=["bob", "ada"]),
        ]
    )
    release = oc.Release(
        project="shop",
        number="0.0.1",
        channel="stable",
        process=process,
        pins=tuple(oc.Pin(image=image, tag="1.0", digest=f"sha256:{'a' * 64}") for image in process.images),
        created_at=MOMENT,
    )
    assert str(plan(release, "Dev", hosts)).splitlines() == [
        "shop 0.0.1 -> Dev (deploy): 1 to run, 1 to wait, 1 to ask, 2 to decide on the host",
        "  h01 (web)",
        "    > run       migrate  once",
        "    ? decide    tell  (known after 'migrate')",
        "  h02 (web)",
        "    ? decide    tell  (known after 'migrate')",
        "  (controller)",
        "    . wait      port  for tcp on db, 30 s",
        "    * ask       Go live  ada, bob",
    ]
