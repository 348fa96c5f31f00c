"""Plans for compose files and for services of a swarm, by what was seen of them."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from fleet import MOMENT, Fleet
from golden.cases import order

import octossh as oc
from octossh.planning import plan
from octossh.planning.groups import judge_group

hub = oc.Registry("hub", "https://registry.example.com")
WEB, DB = hub.image("acme/web"), hub.image("acme/db")
FILE = "services:\n  web: {image: a, deploy: {replicas: 2}}\n  migrate: {image: b}\n"
STACK = oc.ComposeUp("stack", file=FILE, images={"web": WEB, "migrate": DB}, jobs=["migrate"])
API = oc.SwarmService("api", image=WEB, env={"LEVEL": "info"})


def wanted(step: oc.Step, **more: Any) -> Any:
    made = order(step, **more).wanted
    assert made is not None
    return made


def there(made: Any, **changes: Any) -> list[oc.Resource]:
    """What compose would have made of it, with *changes* in the first container of ``web``."""
    seen = []
    for name, count, status in (("web", 2, "running"), ("migrate", 1, "exited")):
        part = made.parts[name]
        for number in range(count):
            container = oc.Resource(kind="container", name=f"{name}-{number}", id="", spec=part.spec, fields=part.marks,
                                    status=status, group=made.name, member=name,
                                    inspect={"State": {"ExitCode": 0}})  # fmt: skip
            seen.append(container)
    return [attrs.evolve(seen[0], **changes), *seen[1:]]


@pytest.mark.parametrize(
    ("changes", "action", "why"),
    [
        ({}, oc.Action.KEEP, ""),
        ({"health": "healthy"}, oc.Action.KEEP, ""),
        ({"health": "starting"}, oc.Action.KEEP, ""),
        ({"health": "unhealthy"}, oc.Action.REPLACE, "web is unhealthy"),
        ({"status": "exited"}, oc.Action.START, "web is exited"),
        ({"status": "created"}, oc.Action.START, "web is created"),
        ({"spec": "other"}, oc.Action.REPLACE, ""),
    ],
)
def test_what_is_done_follows_from_the_state_of_each_container(changes: Any, action: oc.Action, why: str) -> None:
    made = wanted(STACK)
    assert judge_group(made, there(made, **changes)) == (action, why, ())


def test_a_container_too_few_a_job_that_failed_and_a_service_that_is_not_there_are_seen() -> None:
    made = wanted(STACK)
    seen = there(made)
    assert judge_group(made, seen[1:])[:2] == (oc.Action.START, "web has 1 of 2 containers")
    failed = attrs.evolve(seen[2], inspect={"State": {"ExitCode": 1}})
    assert judge_group(made, [*seen[:2], failed])[:2] == (oc.Action.START, "migrate is exited")
    action, _, changes = judge_group(made, seen[:2])
    assert (action, [change.field for change in changes]) == (oc.Action.REPLACE, ["service migrate"])
    assert judge_group(made, [])[:2] == (oc.Action.CREATE, "compose shop-dev-stack is not there")


def test_a_service_that_is_gone_from_the_file_is_a_change_unless_it_may_stay() -> None:
    made = wanted(STACK)
    old = attrs.evolve(there(made)[0], member="cache", fields={"image": "redis"})
    action, _, changes = judge_group(made, [*there(made), old])
    assert (action, str(changes[0])) == (oc.Action.REPLACE, "service cache: redis -> (none)")
    left = wanted(attrs.evolve(STACK, remove_orphans=False))
    assert judge_group(left, [*there(left), old])[0] is oc.Action.KEEP


@pytest.mark.parametrize(
    ("status", "action", "why"),
    [
        ("running", oc.Action.KEEP, ""),
        ("1 of 2 running", oc.Action.KEEP, "api: 1 of 2 running"),
        ("updating", oc.Action.KEEP, "api: updating"),
        ("paused", oc.Action.REPLACE, "api: paused"),
        ("rollback_paused", oc.Action.REPLACE, "api: rollback_paused"),
    ],
)
def test_swarm_itself_starts_what_does_not_run_unless_it_is_stuck(status: str, action: oc.Action, why: str) -> None:
    made = wanted(API)
    part = made.parts["api"]
    seen = oc.Resource(kind="service", name="shop-dev_api", id="", spec=part.spec, fields=part.marks, status=status,
                       group="shop-dev", member="api")  # fmt: skip
    assert judge_group(made, [seen]) == (action, why, ())


def test_a_change_of_a_service_is_shown_with_the_values_of_its_environment() -> None:
    made, other = wanted(API), wanted(attrs.evolve(API, env={"LEVEL": "debug"}))
    part = made.parts["api"]
    inspect = {"Spec": {"TaskTemplate": {"ContainerSpec": {"Env": ["LEVEL=info"]}}}}
    seen = oc.Resource(kind="service", name="shop-dev_api", id="", spec=part.spec, inspect=inspect,
                       fields=json.loads(json.dumps(part.marks)), group="shop-dev", member="api")  # fmt: skip
    assert [str(change) for change in judge_group(other, [seen])[2]] == ["api env LEVEL: info -> debug"]


def planned(*steps: oc.Step, roles: Any = ((), (), ())) -> oc.Plan:
    targets = tuple(
        oc.Target(f"h0{number}", "x", roles=of, environments=["Dev"]) for number, of in enumerate(roles, start=1)
    )
    process = oc.Process(steps)
    pins = tuple(oc.Pin(image=image, tag="1", digest="sha256:" + "a" * 64) for image in process.images)
    release = oc.Release(project="shop", number="1", channel="c", process=process, pins=pins, created_at=MOMENT)
    return plan(release, "Dev", targets, seen=Fleet(targets).look())


def test_a_plan_names_the_manager_that_does_it_and_shows_the_others_as_unchanged() -> None:
    made = planned(API)
    assert [(task.target.name, task.action.value, task.why) for task in made.tasks] == [
        ("h01", "unchanged", "done through h02"),
        ("h02", "create", "stack shop-dev is not there"),
        ("h03", "unchanged", "done through h02"),
    ]
    assert [len(wave) for wave in made.stages[0].waves] == [1, 1, 1]


def test_a_plan_without_a_manager_is_refused_with_what_each_host_is() -> None:
    made = planned(oc.SwarmService("api", image=WEB, roles=["app"]), roles=(["app"], [], ["app"]))
    assert made.refusals[0].why == (
        "no target of this step is a manager of a swarm: h01 is a worker, h03 is in no swarm; give it the role of one"
    )


def test_two_services_share_a_stack_and_neither_minds_the_other() -> None:
    made = planned(API, oc.SwarmService("jobs", image=DB))
    assert [task.action for task in made.tasks if task.target.name == "h02"] == [oc.Action.CREATE, oc.Action.CREATE]
