"""The options of containers and networks: normal forms, contradictions, and the one table behind them."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import pytest
import step_strategies
from golden.cases import IMAGE, order
from hypothesis import example, given, settings
from hypothesis import strategies as st

import octossh as oc
from octossh.model import KINDS, flags, kept, options, texts
from octossh.model.serialising import from_dict
from octossh.rendering import render
from octossh.templating import has_expression


def container(**fields: Any) -> oc.RunContainer:
    return oc.RunContainer("web", image=IMAGE, **fields)


def spec(**fields: Any) -> str:
    wanted = order(container(**fields)).wanted
    assert wanted
    return wanted.spec


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tcp": ({"publish": ["8080:80"]}, {"publish": ["8080:80/tcp"]}),
    "the order of ports": ({"publish": ["80:80", "81:81"]}, {"publish": ["81:81/TCP", "80:80"]}),
    "a range of one": ({"publish": ["8080-8080:80-80"]}, {"publish": ["8080:80"]}),
    "an address of version 6": ({"publish": ["[0:0::1]:80:80"]}, {"publish": ["[::1]:80:80"]}),
    "exposed tcp": ({"expose": ["80/tcp"]}, {"expose": ["80"]}),
    "rw": ({"volumes": ["data:/data:rw"]}, {"volumes": ["data:/data/"]}),
    "the order of options of a volume": ({"volumes": ["/a:/b:ro,z"]}, {"volumes": ["/a/:/b:z,ro"]}),
    "the order of volumes": ({"volumes": ["a0:/a", "b0:/b"]}, {"volumes": ["b0:/b", "a0:/a"]}),
    "the order of options of a tmpfs": ({"tmpfs": ["/run:size=1m,mode=700"]}, {"tmpfs": ["/run:mode=700,size=1m"]}),
    "the order of labels": ({"labels": {"a": "1", "b": "2"}}, {"labels": {"b": "2", "a": "1"}}),
    "the order of variables": ({"env": {"A": 1, "B": True}}, {"env": {"B": "true", "A": "1"}}),
    "units": ({"memory": "0.5g"}, {"memory": 512 * 1024**2}),
    "units in capitals": ({"shm_size": "64MiB"}, {"shm_size": "65536k"}),
    "no limit of swap": ({"memory": "1g", "memory_swap": -1}, {"memory": "1g", "memory_swap": "-1"}),
    "processors": ({"cpus": 1.50}, {"cpus": "1.5"}),
    "capabilities": ({"cap_add": ["cap_net_admin", "CHOWN"]}, {"cap_add": ["chown", "NET_ADMIN"]}),
    "security options": ({"security_options": ["no-new-privileges:true"]}, {"security_options": ["no-new-privileges"]}),
    "limits": ({"ulimits": {"nofile": "1024:1024"}}, {"ulimits": {"nofile": 1024}}),
    "devices": ({"devices": ["/dev/fuse:/dev/fuse:mwr"]}, {"devices": ["/dev/fuse"]}),
    "signals": ({"stop_signal": "term"}, {"stop_signal": "SIGTERM"}),
    "networks": ({"networks": [oc.Join("back")]}, {"networks": ["back"]}),
    "the grace that docker gives": ({"stop_grace_s": 10}, {}),
    "no restart": ({"restart": "no"}, {}),
    "how it is pulled": ({"pull": "always"}, {}),
    "how long it is watched": ({"monitor_s": 1}, {}),
    "nothing": ({"dns": [], "hosts": {}, "memory": None, "init": False}, {}),
}


@pytest.mark.parametrize("what", SAME)
def test_what_means_the_same_to_docker_is_no_change(what: str) -> None:
    first, second = SAME[what]
    assert spec(**first) == spec(**second)


OTHER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the order of words": ({"command": ["a", "b"]}, {"command": ["b", "a"]}),
    "the order of servers": ({"dns": ["10.0.0.1", "10.0.0.2"]}, {"dns": ["10.0.0.2", "10.0.0.1"]}),
    "a port less": ({"publish": ["80:80", "81:81"]}, {"publish": ["80:80"]}),
    "a variable less": ({"env": {"A": "1", "B": ""}}, {"env": {"A": "1"}}),
    "an empty variable": ({"env": {"A": ""}}, {}),
    "a label less": ({"labels": {"a": "1"}}, {}),
    "a word of the entrypoint": ({"entrypoint": ["a", "b"]}, {"entrypoint": ["a"], "command": ["b"]}),
    "no entrypoint": ({"entrypoint": [""]}, {}),
    "an address": ({"networks": [oc.Join("back", ip="10.0.0.4")]}, {"networks": ["back"]}),
    "a time of a health check": (
        {"healthcheck": oc.HealthCheck("true", interval_s=1)},
        {"healthcheck": oc.HealthCheck("true")},
    ),
}


@pytest.mark.parametrize("what", OTHER)
def test_what_means_something_else_is_a_change(what: str) -> None:
    first, second = OTHER[what]
    assert len({spec(**first), spec(**second)}) == 2


CONTRARY: dict[str, tuple[dict[str, Any], str]] = {
    "host and ports": ({"network_mode": "host", "publish": ["80:80"]}, "publish has no effect with network_mode='host'"),
    "mode and networks": ({"network_mode": "host", "networks": ["a"]}, "take one of the two"),
    "mode as a network": ({"networks": ["host"]}, "write network_mode='host'"),
    "mode of another container": (
        {"network_mode": "container:db", "hostname": "web"},
        "hostname is that of the other container",
    ),
    "a network twice": ({"networks": ["a", oc.Join("a", ip="10.0.0.1")]}, "joins the network 'a' twice"),
    "a port twice": ({"publish": ["80:80", "80:81"]}, "port 80 of the host twice"),
    "two at one place": ({"volumes": ["data:/data"], "tmpfs": ["/data/"]}, "two things are mounted at /data"),
    "little memory": ({"memory": "5m"}, "less than the 6m"),
    "less swap than memory": ({"memory": "1g", "memory_swap": "512m"}, "at least memory='1g'"),
    "swap without memory": ({"memory_swap": "1g"}, "add memory='...'"),
    "a high reservation": ({"memory": "1g", "memory_reservation": "2g"}, "more than memory='1g'"),
    "never killed": ({"oom_kill_disable": True}, "add memory='...'"),
    "processors twice": ({"cpus": 1, "cpu_quota": 50_000}, "take cpus, or the other two"),
    "a capability twice": ({"cap_add": ["CHOWN"], "cap_drop": ["CAP_CHOWN"]}, "CHOWN stands in cap_add and in cap_drop"),
    "checked and not": ({"healthcheck": oc.HealthCheck("true"), "no_healthcheck": True}, "take one of the two"),
    "options of no log": ({"log_driver": "none", "log_options": {"a": "b"}}, "log_options have no effect"),
    "the name of the host": ({"uts": "host", "hostname": "web"}, "leave hostname and domainname out"),
    "ranges of two lengths": ({"publish": ["80-82:80-81"]}, "not of the same length"),
    "a range downwards": ({"publish": ["82-80:82-80"]}, "write the lower port first"),
    "a size": ({"memory": "half"}, "write '512m' or '2g'"),
    "a size of nothing": ({"memory": 0}, "not a size above zero"),
    "a switch for a size": ({"memory": True}, "True is not text"),
    "a limit": ({"ulimits": {"files": 1}}, "ulimit files: there is no such limit"),
    "limits upside down": ({"ulimits": {"nofile": "2:1"}}, "above the hard one"),
    "an option of a volume": ({"volumes": ["a0:/b:rx"]}, "'rx' in 'a0:/b:rx' is no option"),
    "the root": ({"volumes": ["a0:/"]}, "over the root"),
    "a bind without a source": ({"mounts": "x"}, "octossh.Mount"),
    "a host without an address": ({"hosts": {"db": "db.local"}}, "host db: 'db.local' is not an IP address"),
    "windows": ({"platform": "windows/amd64"}, "not a platform, such as 'linux/arm64'"),
}  # fmt: skip


@pytest.mark.parametrize("what", CONTRARY)
def test_a_contradiction_is_refused_when_the_step_is_described(what: str) -> None:
    fields, said = CONTRARY[what]
    with pytest.raises(oc.ModelError) as caught:
        container(**fields)
    assert said in str(caught.value)
    assert "'web'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: oc.Mount("/data", type="bind", source="data"), "absolute path of the host"),
        (lambda: oc.Mount("/data", type="tmpfs", source="data"), "has no source"),
        (lambda: oc.Mount("/data", type="bind", source="/a", tmpfs_size="1m"), "tmpfs_size is for type 'tmpfs'"),
        (lambda: oc.Mount("data"), "not an absolute path"),
        (lambda: oc.HealthCheck(), "says nothing"),
        (lambda: oc.Join("a", ip="fd00::1"), "write ip6="),
        (lambda: oc.Join("container:db"), "write network_mode='container:db'"),
        (lambda: oc.CreateNetwork("net", subnet="10.0.0.0/24", ip_range="10.0.1.0/25"), "not in the subnet"),
        (lambda: oc.CreateNetwork("net", subnet="10.0.0.0/24", subnets=["10.0.0.0/16"]), "overlap"),
        (lambda: oc.CreateNetwork("net", subnet="fd00::/64"), "add ipv6=True"),
        (lambda: oc.CreateNetwork("net", driver="host"), "no other can be made"),
        (lambda: oc.CreateNetwork("net", parent="eth0"), "choose one of these drivers"),
        (lambda: oc.CreateNetwork("net", ip_range="10.0.0.0/25"), "needs its subnet"),
    ],
)
def test_parts_and_networks_are_checked_as_well(make: Any, said: str) -> None:
    with pytest.raises(oc.ModelError) as caught:
        make()
    assert said in str(caught.value)


EXTRA = [
    (["--memory", "1g"], "write memory="),
    (["--memory=1g"], "write memory="),
    (["--env", "A=secret"], "write env="),
    (["--name", "x"], "container_name"),
    (["--rm"], "octossh keeps containers"),
    (["--detach"], "always detaches"),
    (["-it"], "short option"),
    (["-v", "/a:/b"], "short option"),
    (["--env-file", "/a"], "env_file"),
    (["--health-cmd", "true"], "HealthCheck"),
    (["--net=host"], "networks"),
    (["busybox"], "take it for the image"),
    (["--annotation", "a=b", "busybox"], "take it for the image"),
    (["--annotation=a=b", "busybox"], "take it for the image"),
    (["--disable-content-trust", "busybox"], "take it for the image"),
    (["--"], "short option"),
]


@pytest.mark.parametrize(("words", "said"), EXTRA, ids=lambda given: " ".join(given) if isinstance(given, list) else "")
def test_extra_args_take_nothing_that_has_a_field_or_would_break_the_step(words: list[str], said: str) -> None:
    with pytest.raises(oc.ModelError) as caught:
        container(extra_args=words)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ["--annotation", "--rm"],
        ["--annotation=a=b", "--link", "db:db"],
        ["--new-option", "value", "--new-switch"],
        ["{{ Option }}", "{{ Value }}"],
        ["--kernel-memory", "-1"],
    ],
)
def test_extra_args_take_the_rest(words: list[str]) -> None:
    assert container(extra_args=words).extra_args == tuple(words)


@example(step=container(healthcheck=oc.HealthCheck("true", interval_s=1, timeout_s=2.5), stop_grace_s=3))
@given(step=step_strategies.RUN_CONTAINERS | step_strategies.CREATE_NETWORKS)
@settings(max_examples=max(3, settings().max_examples // 7))
def test_a_step_that_was_stored_is_the_same_when_it_is_read(step: oc.RunContainer | oc.CreateNetwork) -> None:
    again = from_dict(oc.Step, json.loads(json.dumps(step.to_dict() | {"kind": step.kind})))
    assert (again, options(again)) == (step, options(step))
    # As text: to Python, 5 is 5.0.
    assert json.dumps(kept(again)) == json.dumps(kept(step))


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("retry", {"attempts": 2}, "required field missing @ $.retry.times"),
        ("roles", 5, "expected tuple @ $.roles"),
        ("timeout_s", "soon", "expected float @ $.timeout_s"),
        ("labels", [1], "expected a mapping @ $.labels"),
    ],
)
def test_a_step_that_was_stored_wrongly_says_in_which_field(field: str, value: object, place: str) -> None:
    with pytest.raises(oc.ModelError, match=re.escape(place)):
        from_dict(oc.Step, oc.CreateNetwork("net").to_dict() | {"kind": "create_network", field: value})


def test_every_option_has_a_sample() -> None:
    plain = set(step_strategies._PLAIN_CONTAINERS)
    assert {*flags(oc.RunContainer)} <= plain | set(step_strategies.OPTIONS)
    assert not plain & set(step_strategies.OPTIONS)


@pytest.mark.parametrize("name", sorted(step_strategies.OPTIONS))
@settings(max_examples=max(2, settings().max_examples // 25))
@given(data=st.data())
def test_each_option_becomes_its_flag_and_makes_another_container(name: str, data: st.DataObject) -> None:
    more = {other: data.draw(step_strategies.OPTIONS[other]) for other in [step_strategies.NEEDED.get(name)] if other}
    more |= {"volumes": ["data:/data"]} if name == "volume_driver" else {}
    step = container(**{name: data.draw(step_strategies.OPTIONS[name]), **more})
    values = dict.fromkeys(step.secrets, "x")
    if any(has_expression(text) for _, text in texts(step)):
        return
    made = flags(oc.RunContainer)[name]
    body = render(order(step, secrets=values)).body
    if made.name.startswith("--") and name not in {"pull", "healthcheck"}:
        assert f" {made.name} " in body
    if made.kept:
        assert name in kept(step)
        assert order(step, secrets=values).wanted.spec != spec(**more)  # type: ignore[union-attr]
    else:
        assert order(step, secrets=values).wanted.spec == spec(**more)  # type: ignore[union-attr]


def test_no_option_of_the_reference_table_is_written_twice() -> None:
    for kind in KINDS.values():
        names = [
            made.name for made in flags(kind).values() if made.name not in {"--subnet", "--opt", "--network", "--mount"}
        ]
        assert len(names) == len(set(names)), kind


def test_numbers_and_texts_are_the_same_and_lists_become_tuples() -> None:
    step = container(cpus=2, cpu_shares=512, ulimits={"core": 0}, networks=("a", oc.Join("b", aliases=["x"])))
    assert (step.cpus, step.cpu_shares, dict(step.ulimits)) == ("2", "512", {"core": "0"})
    assert step.networks == ("a", oc.Join("b", aliases=("x",)))
    assert attrs.evolve(step) == step


def test_a_mount_with_commas_and_quotes_is_one_cell_for_each_option() -> None:
    mount = oc.Mount("/a,b", type="bind", source='/srv/"x"', read_only=True)
    assert str(mount) == '"target=/a,b",type=bind,"source=/srv/""x""",readonly'
    assert options(container(mounts=[mount])) == ["--mount", str(mount)]
