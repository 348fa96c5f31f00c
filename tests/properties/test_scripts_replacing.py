"""One container in the place of another: what is left when a script is killed at any call of docker."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from properties.stand import Host, clear_locks
from properties.webs import NAME, ONE, THREE, TWO, image, names, script, short

import octossh as oc
from octossh.shell import Script

NETWORKS = ["net-a", "net-b"]
STRATEGIES = {"replace": oc.Replace(), "start first": oc.StartFirst(network="net-b", drain=["true"], drain_s=0)}

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


def made(digest: str, strategy: str, **fields: Any) -> Script:
    """The wanted container by one of the strategies."""
    return script(digest, networks=NETWORKS, aliases=["web"], strategy=STRATEGIES[strategy], **fields)


def ready(folder: Path, shell: str = "dash", **state: Any) -> Host:
    """A host on which start-first may run two beside each other, and stop-first may not."""
    host = Host(folder, shell, registry=[image(digest) for digest in (ONE, TWO, THREE)], **state)
    host.docker.networks |= {name: {"Id": name, "Name": name, "Labels": {}} for name in NETWORKS}
    return host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = ready(tmp_path / "host", together=True, front="net-b")
    yield host
    assert host.docker.wrong == []


def test_the_new_container_of_start_first_joins_the_network_of_requests_once_it_is_healthy(host: Host) -> None:
    host.run(made(ONE, "start first"))
    assert names(host).index("run") < names(host).index("network connect")
    host.docker.images.append(image(TWO))
    answer, _ = host.run(made(TWO, "start first"))
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "replaced", True)
    calls = [call.argv[0] for call in host.calls if call.name not in {"container inspect", "image inspect", "pull"}]
    assert calls == [b"create", b"start", b"network", b"rename", b"rename", b"exec", b"stop", b"rm"]
    connect = next(call for call in host.calls if call.name == "network connect")
    assert connect.argv[2:] == (b"--alias", b"web", b"net-b", f"{NAME}--next".encode())
    assert short(host) == {NAME: ("running", image(TWO))}
    assert host.run(made(TWO, "start first"))[0].action == "unchanged"
    assert names(host) == ["container inspect"]


@pytest.mark.parametrize("ways", ["exits", "sick", "refuses", "slow"])
def test_a_new_container_of_start_first_that_is_not_well_goes_and_the_old_one_knows_nothing_of_it(
    host: Host, ways: str
) -> None:
    host.run(made(ONE, "start first", restart="always"))
    before = copy.deepcopy(host.docker.containers)
    host.docker.ways[image(TWO)] = ways
    answer, result = host.run(made(TWO, "start first", restart="always"))
    assert (answer.state, answer.action, answer.changed) == ("failed", "removed", False)
    assert answer.why.endswith("; the old container was left as it was")
    assert f"/{NAME}--next says something" in result.log
    assert "network connect" not in names(host)
    assert host.docker.containers == before


@pytest.mark.parametrize("call", ["create", "network_connect", "rename"])
def test_a_call_that_fails_on_the_way_of_start_first_leaves_the_old_container_alone(host: Host, call: str) -> None:
    host.run(made(ONE, "start first"))
    before = copy.deepcopy(host.docker.containers)
    host.docker.fails = call
    answer, _ = host.run(made(TWO, "start first"))
    assert (answer.state, answer.changed) == ("failed", False)
    assert f"{call} fails" in answer.why
    assert host.docker.containers == before


def test_stop_first_stops_the_old_container_only_when_nothing_but_a_start_is_left_to_do(tmp_path: Path) -> None:
    host = ready(tmp_path / "host")
    host.run(made(ONE, "replace", restart="always"))
    host.run(made(TWO, "replace", restart="always"))
    calls = names(host)
    assert calls[calls.index("stop") + 1] == "start"


def test_an_engine_that_changes_no_policies_gets_the_new_container_with_its_own(tmp_path: Path) -> None:
    host = ready(tmp_path / "host")
    host.run(made(ONE, "replace", restart="always"))
    host.docker.fails = "update"
    answer, _ = host.run(made(TWO, "replace", restart="always"))
    assert (answer.state, answer.action) == ("succeeded", "replaced")
    assert short(host) == {NAME: ("running", image(TWO))}
    assert host.containers[NAME]["HostConfig"]["RestartPolicy"]["Name"] == "always"


@pytest.mark.parametrize("restart", ["always", "unless-stopped"])
def test_a_policy_that_cannot_be_set_in_the_end_is_said_and_set_by_the_next_run(tmp_path: Path, restart: str) -> None:
    host = ready(tmp_path / "host")
    host.run(made(ONE, "replace", restart=restart))
    host.docker.done.clear()
    host.docker.fails = "update:2"
    answer, _ = host.run(made(TWO, "replace", restart=restart))
    assert (answer.state, answer.changed) == ("failed", True)
    assert "the new container runs and is well, but its restart policy could not be set" in answer.why
    assert short(host)[NAME] == ("running", image(TWO))
    host.docker.fails = ""
    assert host.run(made(TWO, "replace", restart=restart))[0].state == "succeeded"
    assert short(host) == {NAME: ("running", image(TWO))}
    assert host.containers[NAME]["HostConfig"]["RestartPolicy"]["Name"] == restart


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_docker_that_starts_again_while_the_new_container_is_judged_is_waited_for(
    tmp_path: Path, strategy: str
) -> None:
    host = ready(tmp_path / "host", together=strategy == "start first")
    host.run(made(ONE, strategy, restart="always"))
    host.away_after = "start"
    answer, result = host.run(made(TWO, strategy, restart="always"))
    assert answer.action == "replaced", (answer.why, result.log)
    assert "docker was away for a moment" in result.log
    assert short(host) == {NAME: ("running", image(TWO))}
    assert host.docker.wrong == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_others_changed_of_policy_and_network_is_set_right(host: Host, strategy: str) -> None:
    host.run(made(ONE, strategy, restart="always"))
    seen = host.containers[NAME]
    seen["HostConfig"]["RestartPolicy"]["Name"] = "unless-stopped"
    if strategy == "start first":
        del seen["NetworkSettings"]["Networks"]["net-b"]
    answer, _ = host.run(made(ONE, strategy, restart="always"))
    assert (answer.action, answer.changed) == ("updated", True)
    assert seen["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert set(seen["NetworkSettings"]["Networks"]) == set(NETWORKS)


def settle(host: Host, wanted: Script, digest: str, restart: str) -> None:
    """Run *wanted* whole: it must end with exactly one container, the wanted one."""
    answer, result = host.run(wanted)
    assert answer.state == "succeeded", (answer.why, result.log)
    assert short(host) == {NAME: ("running", image(digest))}
    assert host.containers[NAME]["HostConfig"]["RestartPolicy"]["Name"] == restart
    assert set(host.containers[NAME]["NetworkSettings"]["Networks"]) == set(NETWORKS)
    assert host.docker.wrong == []
    assert host.run(wanted)[0].action == "unchanged"


def every_kill(
    tmp_path: Path,
    shell: str,
    first: Script | None,
    then: Callable[[Host], None],
    killed: Script,
    **state: Any,
) -> int:
    """Kill *killed* at each of its calls of docker, and look how *then* goes; gives the number of calls."""
    begin = ready(tmp_path / "first", shell, **state)
    if first is not None:
        begin.run(first)
    for number in range(100):
        host = Host(tmp_path / str(number), shell)
        host.docker = copy.deepcopy(begin.docker)
        if not host.run_and_kill(killed, number):
            return number
        assert host.docker.wrong == []
        then(host)
    raise AssertionError("the script does not end")


SCENES: dict[str, Any] = {
    "a first container": (None, TWO, {}),
    "a replacement": (ONE, TWO, {}),
    "a replacement that goes back": (ONE, ONE, {}),
    "a replacement followed by a third release": (ONE, THREE, {}),
    "a replacement that does not work, then a third release": (ONE, THREE, {image(TWO): "exits"}),
    "a replacement that does not work, then the old release": (ONE, ONE, {image(TWO): "sick"}),
}


def check_kills(
    tmp_path: Path, scene: str, restart: str, *, shell: str = "dash", reboot: bool, strategies: str = "replace/replace"
) -> int:
    """*strategies*: of the run that is killed, and of the one after it."""
    cut, after = strategies.split("/")
    before, digest, ways = SCENES[scene]
    state = {"ways": dict(ways), "together": "start first" in strategies}
    if strategies == "start first/start first" and not reboot:
        state["front"] = "net-b"

    def then(host: Host) -> None:
        if reboot:
            host.docker.reboot()
            assert host.docker.wrong == []
        settle(host, made(digest, after, restart=restart), digest, restart.partition(":")[0])

    first = made(before, cut, restart=restart) if before else None
    return every_kill(tmp_path, shell, first, then, made(TWO, cut, restart=restart), **state)


@pytest.mark.parametrize(
    ("scene", "restart", "reboot", "strategies"),
    [
        pytest.param("a first container", "no", False, "replace/replace", marks=pytest.mark.slow),
        ("a replacement", "always", True, "replace/replace"),
        pytest.param("a replacement", "unless-stopped", True, "replace/replace", marks=pytest.mark.slow),
        pytest.param("a first container", "no", False, "start first/start first", marks=pytest.mark.slow),
        pytest.param("a replacement", "always", True, "start first/start first", marks=pytest.mark.slow),
        pytest.param(
            "a replacement followed by a third release",
            "always",
            False,
            "start first/start first",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_after_a_kill_at_any_call_of_docker_the_next_run_ends_with_the_wanted_container(
    tmp_path: Path, scene: str, restart: str, reboot: bool, strategies: str
) -> None:
    assert check_kills(tmp_path, scene, restart, reboot=reboot, strategies=strategies) > 7


@pytest.mark.slow
@pytest.mark.parametrize("scene", sorted(SCENES))
@pytest.mark.parametrize(
    ("shell", "reboot", "restart"),
    [
        ("bash", False, "no"),
        ("ash", False, "on-failure:3"),
        *(("dash", True, restart) for restart in ("no", "always", "unless-stopped", "on-failure:3")),
    ],
)
def test_after_a_kill_at_any_call_every_next_release_ends_with_its_container(
    tmp_path: Path, shell: str, scene: str, restart: str, reboot: bool
) -> None:
    assert check_kills(tmp_path, scene, restart, shell=shell, reboot=reboot) > 5


@pytest.mark.slow
@pytest.mark.parametrize("strategies", ["start first/start first", "start first/replace", "replace/start first"])
@pytest.mark.parametrize("scene", sorted(SCENES))
@pytest.mark.parametrize(
    ("shell", "reboot", "restart"), [("ash", False, "no"), ("dash", True, "unless-stopped"), ("dash", True, "always")]
)
def test_after_a_kill_at_any_call_the_strategies_heal_what_each_other_left(
    tmp_path: Path, shell: str, scene: str, restart: str, strategies: str, reboot: bool
) -> None:
    assert check_kills(tmp_path, scene, restart, shell=shell, reboot=reboot, strategies=strategies) > 5


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("ways", [{}, {image(TWO): "exits"}], ids=["a good one", "one that ends at once"])
def test_after_a_kill_a_release_that_cannot_be_pulled_leaves_the_old_container_running(
    tmp_path: Path, ways: Mapping[str, str], strategy: str
) -> None:
    """The third release does not exist: what ran before the cut, or what took its place, runs afterwards."""

    def then(host: Host) -> None:
        host.docker.registry.clear()
        answer, _ = host.run(made(THREE, strategy, restart="always"))
        assert answer.state == "failed"
        running = [seen for name, seen in short(host).items() if seen[0] == "running"]
        assert len(running) == 1
        assert host.containers[NAME]["State"]["Status"] == "running"
        assert host.docker.wrong == []

    first, killed = (made(digest, strategy, restart="always") for digest in (ONE, TWO))
    every_kill(tmp_path, "dash", first, then, killed, ways=dict(ways), together=strategy == "start first")
