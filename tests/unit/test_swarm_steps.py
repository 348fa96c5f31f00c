"""Steps for a swarm: what is refused, what is sent, what a look says, and through which target they go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from golden.cases import order
from worlds import World, planned, says

import octossh as oc
from octossh.reading import read_answer, read_snapshot
from octossh.rendering import render
from octossh.shell import Frame, Result

hub = oc.Registry("hub", "https://registry.example.com")
WEB = hub.image("acme/web")
API = oc.SwarmService("api", image=WEB)
FILE = "services: {web: {image: registry.example.com/acme/web, secrets: [db]}}\nsecrets: {db: {external: true}}\n"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def service(**fields: Any) -> oc.SwarmService:
    return oc.SwarmService("api", image=WEB, **fields)


def sent(step: oc.Step, **more: Any) -> Any:
    """The stack in the script."""
    body = render(order(step, **more)).body
    text = body.partition("    printf '%s' '")[2].partition("}' |")[0]
    return json.loads(text.replace("'\"'\"'", "'") + "}")


def wanted(step: oc.Step, **more: Any) -> Any:
    made = order(step, **more).wanted
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rolling": 1}, "swarm itself goes over its nodes"),
        ({"mode": "global", "replicas": 2}, "one task on each node; leave replicas out"),
        ({"mode": "some"}, "write 'replicated' or 'global'"),
        ({"replicas": -1}, "give a number from 0 to 10000"),
        ({"publish": ["8000-8010:80"]}, "swarm publishes single ports"),
        ({"publish": ["127.0.0.1:80:80"]}, "swarm publishes single ports"),
        ({"publish_mode": "bridge"}, "write 'ingress' or 'host'"),
        ({"aliases": ["www"]}, "aliases need a network"),
        ({"secret_files": {"db": "swordfish"}}, "db is a str; write octossh.secret"),
        ({"secret_files": {"a/b": oc.secret("x")}}, "is not the name of a file in /run/secrets"),
        ({"configs": {"app.conf": "x"}}, "is not an absolute path"),
        ({"configs": {"/app.conf": 5}}, "neither text nor octossh.secret"),
        ({"update": 5}, "is not octossh.SwarmUpdate"),
        ({"rollback": oc.SwarmUpdate()}, "a rollback that fails is not rolled back"),
        ({"extra": {"image": "x"}}, "without image and deploy"),
        ({"extra": 5}, "extra is a mapping"),
        ({"stack": "my shop"}, "is not a name of a stack"),
        ({"cpus": "many"}, "many"),
        ({"memory": "64q"}, "64q"),
    ],
)
def test_what_cannot_work_is_refused_when_the_service_is_described(fields: Any, said: str) -> None:
    with pytest.raises(oc.ModelError, match=said) as caught:
        service(**fields)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"order": "both"}, "write 'stop-first' or 'start-first'"),
        ({"failure_action": "stop"}, "write 'rollback', 'pause' or 'continue'"),
        ({"max_failure_ratio": 2}, "give a share, from 0 to 1"),
        ({"parallelism": 1.5}, "is not a whole number"),
    ],
)
def test_an_update_says_what_it_cannot_be(fields: Any, said: str) -> None:
    with pytest.raises(oc.ModelError, match=said):
        oc.SwarmUpdate(**fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rolling": 1}, "swarm itself goes over its nodes"),
        ({"secret_files": {"pw": oc.secret("x")}}, "has no secret 'pw' at its top"),
        ({"images": []}, "nothing says which registry.example.com/acme/web it is"),
        ({"stack": "a" * 41}, "is not a name of a stack"),
    ],
)
def test_what_cannot_work_is_refused_when_the_stack_is_described(fields: Any, said: str) -> None:
    with pytest.raises(oc.ModelError, match=said):
        oc.SwarmStack("shop", **{"file": FILE, "images": [WEB], **fields})


def test_a_service_is_named_by_project_environment_and_step_as_swarm_takes_them() -> None:
    made = wanted(oc.SwarmService("My.Api", image=WEB), project="My.Shop", environment="Test 1")
    assert (made.name, *made.parts) == ("my-shop-test-1", "my-api")
    assert wanted(service(stack="other")).name == "other"
    long = oc.SwarmStack("shop", file=FILE, images=[WEB])
    assert len(wanted(long, project="x" * 90).name) <= 40


def test_texts_of_the_user_reach_the_service_as_they_are() -> None:
    made = sent(
        service(
            command=["echo", "$HOME ${X}"],
            env={"A.B": "$5", "PATH": "/bin"},
            volumes=["data:/data", "/srv:/srv"],
            configs={"/a$b": "x"},
            labels={"price": "$5"},
        )
    )
    api = made["services"]["api"]
    assert api["command"] == ["echo", "$$HOME $${X}"]
    assert api["environment"] == {"A.B": "${octossh_env_0}", "PATH": "${octossh_env_1}"}
    assert made["volumes"]["data"]["name"] == "data"
    assert list(made["volumes"]) == ["data"]
    assert api["configs"][0]["target"] == "/a$$b"
    assert api["deploy"]["labels"]["price"] == "$$5"


def test_each_version_of_a_secret_or_config_has_a_name_of_its_own_and_is_a_change() -> None:
    def made(value: str, text: str, name: str = "api") -> Any:
        step = oc.SwarmService(name, image=WEB, secret_files={"db": oc.secret("db")}, configs={"/a": text})
        return wanted(step, secrets={"db": value})

    first, other = made("swordfish", "x"), made("trout", "x")
    assert first.fields["files"]["config /a"] == other.fields["files"]["config /a"]
    assert first.fields["files"]["secret db"] != other.fields["files"]["secret db"]
    assert first.parts["api"].spec != other.parts["api"].spec
    assert first.parts["api"].spec != made("swordfish", "y").parts["api"].spec
    assert set(first.fields["files"].values()).isdisjoint(made("swordfish", "x", "web").fields["files"].values())
    assert all(len(name) <= 64 for name in first.fields["files"].values())


def test_a_stack_reads_the_version_of_its_secrets_from_their_names() -> None:
    step = oc.SwarmStack("shop", file=FILE, images=[WEB], secret_files={"db": oc.secret("db")})
    made, other = (wanted(step, secrets={"db": value}) for value in ("swordfish", "trout"))
    assert made.parts["web"].spec != other.parts["web"].spec
    document = sent(step, secrets={"db": "swordfish"})
    assert document["secrets"]["db"] == {"external": True, "name": made.fields["files"]["secret db"]}
    assert document["version"] == "3.8"


# --------------------------------------------------------- through a manager

ELSEWHERE = says("succeeded", "elsewhere", "no", "a worker of a swarm, not a manager")


def test_the_first_target_that_is_a_manager_does_it_and_the_later_ones_are_not_even_asked() -> None:
    world = World({"api h1": ELSEWHERE, "api h2": says(inspect={"ID": "x"})})
    made = world.apply(planned(API, hosts=3))
    assert [(o.target, o.action, o.why) for o in made.outcomes] == [
        ("h1", "unchanged", "a worker of a swarm, not a manager"),
        ("h2", "created", ""),
        ("h3", "unchanged", "done through h2"),
    ]
    assert [call for call in world.calls if call.startswith("sent")] == ["sent api h1", "sent api h2"]
    assert made.state is oc.State.SUCCEEDED


def test_where_no_target_is_a_manager_the_last_one_fails_and_says_what_each_is() -> None:
    world = World({"api h1": ELSEWHERE, "api h2": says("succeeded", "elsewhere", "no", "in no swarm")})
    made = world.apply(planned(API, hosts=2), check=False)
    assert made.outcomes[1].why == (
        "no target of this step is a manager of a swarm: h1 is a worker of a swarm, not a manager; h2 is in no swarm; "
        "give it the role of one"
    )
    assert made.hosts is oc.Hosts.UNTOUCHED


def test_a_manager_on_which_it_fails_ends_it_and_no_other_one_is_tried() -> None:
    world = World({"api h1": says("failed", "none", "yes", "docker does not answer")})
    made = world.apply(planned(API, hosts=2), check=False)
    assert [outcome.state.value for outcome in made.outcomes] == ["failed", "skipped"]


def test_what_it_left_can_be_read_on_each_of_its_targets() -> None:
    told = oc.RunScript("tell", script="echo {{ steps.api.inspect.ID }}")
    world = World({"api h1": ELSEWHERE, "api h2": says(inspect={"ID": "x4711"})})
    assert world.apply(planned(API, told, hosts=3)).state is oc.State.SUCCEEDED


# ------------------------------------------------------------------- looking


def inspect(name: str = "shop-dev_api", state: str = "", **more: Any) -> dict[str, Any]:
    fields = {"v": 1, "env": {"A": "0123456789abcdef", "PW": {"secret": "pw", "version": "00"}}}
    labels = {"octossh.project": "shop", "octossh.environment": "Dev", "octossh.step": "api", "octossh.spec": "s",
              "octossh.fields": json.dumps(fields), "com.docker.stack.namespace": "shop-dev"}  # fmt: skip
    container = {"Image": "x", "Env": ["A=1", "PW=swordfish"]}
    spec = {"Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": container}}
    update = {"UpdateStatus": {"State": state}} if state else {}
    return {"ID": f"id-{name}", "Spec": spec, "PreviousSpec": {"Env": ["OLD=trout"]}, **update, **more}


def result(*frames: tuple[str, str]) -> Result:
    made = [*frames, ("end", "succeeded observed no ")]
    return Result(tuple(Frame(kind, text) for kind, text in made), "", 0, NOW, 0.5)


@pytest.mark.parametrize(
    ("tasks", "state", "status"),
    [
        ("2/2", "", "running"),
        ("2/2 (max 1 per node)", "completed", "running"),
        ("0/0", "", "running"),
        ("1/2", "", "1 of 2 running"),
        ("2/2", "updating", "updating"),
        ("2/2", "paused", "paused"),
        ("2/2", "rollback_completed", "running"),
        ("1/2", "rollback_started", "rollback_started"),
    ],
)
def test_a_look_tells_how_a_service_is(tasks: str, state: str, status: str) -> None:
    frames = ("swarm", "manager"), ("service", json.dumps(inspect(state=state))), ("replicas", f"shop-dev_api {tasks}")
    seen = read_snapshot(result(*frames), "h01")
    assert seen.swarm == "manager"
    (found,) = seen.resources
    assert (found.kind, found.name, found.group, found.member) == ("service", "shop-dev_api", "shop-dev", "api")
    assert (found.project, found.step, found.spec, found.status) == ("shop", "api", "s", status)


def test_no_secret_of_a_service_is_in_a_look_or_an_answer() -> None:
    look = read_snapshot(result(("service", json.dumps(inspect()))), "h01")
    one = read_answer(result(("inspect", json.dumps(inspect()))))
    all_of_them = read_answer(result(("inspect", json.dumps({"Name": "shop-dev", "Members": [inspect()]}))))
    for text in (json.dumps(look.to_dict()), json.dumps(one.inspect), json.dumps(all_of_them.inspect)):
        assert "PW=***" in text
        assert "A=1" in text
        assert "swordfish" not in text
        assert "trout" not in text
    assert list(all_of_them.inspect["Services"]) == ["api"]


def test_a_service_that_is_not_ours_tells_nothing() -> None:
    foreign = inspect()
    foreign["Spec"]["Labels"] = {"com.docker.stack.namespace": "shop-dev"}
    (found,) = read_snapshot(result(("service", json.dumps(foreign))), "h01").resources
    assert (found.project, found.inspect, found.group) == ("", {}, "shop-dev")


def test_several_images_of_one_registry_have_a_login_each_and_a_swarm_has_one() -> None:
    from octossh.deploying.orders import login_names

    images = [hub.image("acme/web"), hub.image("acme/db")]
    file = "services: {a: {image: registry.example.com/acme/web}, b: {image: registry.example.com/acme/db}}\n"
    compose = oc.ComposeUp("c", file=file, images=images)
    logins = {"hub": "registry:hub"}
    assert login_names(compose, logins) == {image: f"registry:hub/{image.path}" for image in images}
    assert set(login_names(oc.SwarmStack("s", file=file, images=images), logins).values()) == {"registry:hub"}
    assert login_names(attrs.evolve(API), logins) == {WEB: "registry:hub"}
