"""Whatever stands on the hosts: the plan says what will happen, and after it there is nothing left to do."""

from __future__ import annotations

import attrs
from fleet import MOMENT, Fleet
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

import octossh as oc
from octossh.planning import plan

hub = oc.Registry("hub", "https://registry.example.com")
TARGETS = tuple(
    oc.Target(name, name, roles=roles, environments=["Dev"])
    for name, roles in (("h01", ["web"]), ("h02", ["web", "db"]), ("h03", ["db"]))
)
STEPS = {
    "clear": oc.StopResource("clear", steps=["gone"], networks=True),
    "older": oc.StopResource("older", releases="older", networks=True, volumes=True),
    "net": oc.CreateNetwork("net"),
    "data": oc.CreateVolume("data"),
    "cache": oc.CreateVolume("cache", labels={"level": "{{ Level }}"}, replace=True),
    "ahead": oc.PullImage("ahead", image=hub.image("web")),
    "app": oc.ComposeUp(
        "app",
        file="services:\n  web: {image: 'registry.example.com/web', environment: {LEVEL: '${LEVEL}'}}\n  db: {image: db}\n",
        images={"web": hub.image("web"), "db": hub.image("db")},
        env={"LEVEL": "{{ Level }}"},
        roles=["db"],
    ),
    "api": oc.SwarmService("api", image=hub.image("web"), env={"LEVEL": "{{ Level }}"}, replicas=2),
    "jobs": oc.SwarmService("jobs", image=hub.image("db"), roles=["web"], labels={"level": "{{ Level }}"}),
    "stack": oc.SwarmStack(
        "stack",
        file="services:\n  web: {image: web, environment: {LEVEL: '${LEVEL}'}}\n  db: {image: db}\n",
        images={"web": hub.image("web"), "db": hub.image("db")},
        env={"LEVEL": "{{ Level }}"},
    ),
    "facts": oc.RunScript("facts", script="octossh_output NUMBER 1", reads_only=True),
    "db": oc.RunContainer("db", image=hub.image("db"), roles=["db"], env={"LEVEL": "{{ Level }}"}),
    "web": oc.RunContainer(
        "web", image=hub.image("web"), roles=["web"], env={"LEVEL": "{{ Level }}"}, rolling=[1, "50%"]
    ),
    "joined": oc.RunContainer("joined", image=hub.image("web"), networks=["{{ steps.net.inspect.Name }}"]),
    "moving": oc.CreateNetwork("moving", replace=True, labels={"level": "{{ Level }}"}),
    "hung": oc.RunContainer("hung", image=hub.image("web"), networks=["shop-dev-moving", oc.Join("bridge")]),
    "far": oc.RunContainer("far", image=hub.image("web"), env={"DB": "{{ steps.db.on['h03'].inspect.Id }}"}),
}
NEEDS = {"joined": "net", "hung": "moving", "far": "db"}


@st.composite
def processes(draw):
    names = draw(st.lists(st.sampled_from(list(STEPS)), min_size=1, unique=True))
    names = [name for name in STEPS if name in names or name in {NEEDS.get(other) for other in names}]
    return [STEPS[name] for name in names]


def release(process, level="1", digest="a"):
    made = oc.Process(process)
    pins = tuple(oc.Pin(image=image, tag="1", digest=f"sha256:{digest * 64}") for image in made.images)
    variables = (oc.Variable("Level", level),)
    return oc.Release(
        project="shop", number=level, channel="c", process=made, variables=variables, pins=pins, created_at=MOMENT
    )


def happens(kind="container", **changes):
    return lambda seen: [attrs.evolve(seen, **changes)] if seen.kind == kind else [seen]


def set_aside(seen):
    return [attrs.evolve(seen, name=f"{seen.name}--old")] if seen.kind == "container" else [seen]


MISHAPS = {
    "removed": lambda seen: [],
    "exited": happens(status="exited"),
    "dead": happens(status="dead"),
    "created": happens(status="created"),
    "unhealthy": happens(health="unhealthy"),
    "tasks down": happens("service", status="1 of 2 running"),
    "paused": happens("service", status="paused"),
    "set aside": set_aside,
    "half replaced": lambda seen: (
        [*set_aside(seen), *happens(spec="sha256:other")(seen)] if seen.kind == "container" else [seen]
    ),
    "half done": lambda seen: [*set_aside(attrs.evolve(seen, spec="")), seen] if seen.kind == "container" else [seen],
    "of another step": lambda seen: [attrs.evolve(seen, step="gone", name=f"{seen.name}-of-old", group="")],
    "of another project": lambda seen: [attrs.evolve(seen, project="blog", name=f"{seen.name}-of-blog", group="")],
}
FOREIGN = {"not ours": lambda seen: [attrs.evolve(seen, project="", environment="", step="", spec="")]}
WORD = {
    "create": "created",
    "pull": "pulled",
    "replace": "replaced",
    "start": "started",
    "update": "updated",
    "stop": "removed",
    "run": "ran",
    "unchanged": "unchanged",
}


@st.composite
def fleets(draw, mishaps):
    """Hosts on which an earlier release was deployed, or none, and things that happened since."""
    fleet = Fleet(TARGETS)
    if draw(st.booleans()):
        fleet.run(release(draw(processes()), draw(st.sampled_from("12")), draw(st.sampled_from("ab"))))
    places = st.tuples(st.sampled_from([t.name for t in TARGETS]), st.integers(0, 5), st.sampled_from(list(mishaps)))
    for target, number, what in draw(st.lists(places, max_size=5)):
        fleet.change(target, number, mishaps[what])
    return fleet


def planned(wanted, fleet):
    return plan(wanted, "Dev", TARGETS, seen=fleet.look())


@settings(max_examples=settings().max_examples * 2 // 5)
@given(fleets(MISHAPS), processes())
def test_after_a_deployment_there_are_no_changes_left(fleet, process):
    wanted = release(process, "2")
    first = planned(wanted, fleet)
    event("has changes" if first.has_changes else "has none")
    fleet.run(wanted)
    again = planned(wanted, fleet)
    # What hangs on the output of a script is only known once that script has run; nothing here does.
    assert not again.has_changes, str(again)
    assert {task.action for task in again.tasks} <= {oc.Action.KEEP, oc.Action.RUN}
    assert all(action in {"unchanged", "ran"} for _, _, action in fleet.run(wanted))


@settings(max_examples=settings().max_examples * 2 // 5)
@given(fleets(MISHAPS | FOREIGN), processes())
def test_what_a_plan_says_is_what_happens(fleet, process):
    wanted = release(process, "2")
    made = planned(wanted, fleet)
    did = {(step, target): action for step, target, action in fleet.run(wanted)}
    for task in made.tasks:
        done = did.get((task.step.name, task.target.name))
        if done is None or task.action is oc.Action.DECIDE:
            continue
        event(task.action.value)
        assert done == WORD.get(task.action.value, "failed"), f"{task.target}: {task.step.name}\n{made}"
    if "failed" in did.values():
        assert made.refusals or any(task.action is oc.Action.DECIDE for task in made.tasks)


@settings(max_examples=max(5, settings().max_examples // 7))
@given(fleets(MISHAPS), processes())
def test_a_plan_without_a_look_promises_nothing_and_needs_no_look(fleet, process):
    made = plan(release(process, "2"), "Dev", TARGETS)
    assert {task.action for task in made.tasks} <= {oc.Action.DECIDE, oc.Action.RUN}
    looked = planned(release(process, "2"), fleet)
    assert [(t.step.name, t.target) for t in made.tasks] == [(t.step.name, t.target) for t in looked.tasks]


@settings(max_examples=max(5, settings().max_examples // 7))
@given(fleets(MISHAPS), processes())
def test_a_dry_run_changes_neither_the_hosts_nor_the_next_plan(fleet, process):
    wanted, seen = release(process, "2"), fleet.look()
    first = planned(wanted, fleet)
    assert fleet.look() == seen
    assert planned(wanted, fleet) == first


@settings(max_examples=settings().max_examples * 2 // 5)
@given(fleets(MISHAPS), processes())
def test_what_was_set_right_once_is_kept_by_a_release_with_other_steps(fleet, process):
    fleet.run(release(process, "2"))
    kept = {
        (target, seen.name)
        for target, there in fleet.there.items()
        for seen in there
        if seen.step != "gone" and "--" not in seen.name
    }
    more = release(list(STEPS.values()), "2")
    assume(not planned(more, fleet).refusals)
    fleet.run(more)
    assert kept <= {(target, seen.name) for target, there in fleet.there.items() for seen in there}
