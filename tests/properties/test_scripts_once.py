"""A container that runs once: what becomes of it when its script is killed at any call of docker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golden.cases import IMAGE, order
from properties.stand import Host, clear_locks, unique
from properties.webs import ONE, image

import octossh as oc
from octossh.rendering import forget, render
from octossh.rendering.orders import Order

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


def once(deployment: str, **fields: Any) -> Order:
    step = oc.RunOnce("migrate", image=IMAGE, networks=["bridge", "net-a"], **fields)
    return order(step, digest=ONE, project=unique(), deployment=deployment)


def ready(folder: Path, ways: str = "ends") -> Host:
    host = Host(folder, registry=[image(ONE)], ways={image(ONE): ways})
    host.docker.networks["net-a"] = {"Id": "net-a", "Name": "net-a", "Labels": {}}
    host.one_by_one()
    return host


def test_it_runs_to_its_end_and_is_removed_once_that_was_seen(tmp_path: Path) -> None:
    host = ready(tmp_path / "host")
    answer, result = host.run(render(once("d-1")))
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "ran", True), (answer.why, result.log)
    (name,) = host.docker.started
    assert f"/{name} says something" in result.log
    assert host.run(forget(once("d-1")))[0].action == "removed"
    assert host.containers == {}


def test_its_exit_code_decides(tmp_path: Path) -> None:
    answer, _ = ready(tmp_path / "host", "exits").run(render(once("d-1")))
    assert (answer.state, answer.why) == ("failed", "the container ended with exit code 1")


def test_one_that_says_nothing_for_too_long_is_stopped(tmp_path: Path) -> None:
    host = ready(tmp_path / "host", "healthy")  # it says one thing, and goes on for ever
    answer, _ = host.run(render(once("d-1", idle_timeout_s=1.5)))
    assert (answer.state, answer.why) == ("failed", "it said nothing for 1.5 s and was stopped")
    (seen,) = host.containers.values()
    assert seen["State"]["Status"] == "exited"


@pytest.mark.parametrize("why", ["it speaks", "docker does not tell"])
def test_one_whose_silence_nobody_can_tell_goes_on(why: str, tmp_path: Path) -> None:
    host = ready(tmp_path / "host", "chatty" if why == "it speaks" else "healthy")
    host.docker.fails = "" if why == "it speaks" else "logs"
    answer, _ = host.run(render(once("d-1", idle_timeout_s=1, timeout_s=3)))
    assert (answer.state, answer.why) == ("failed", "it did not end within 3 s and was stopped")


@pytest.mark.slow
@pytest.mark.parametrize("then", ["d-1", "d-2"], ids=["the same deployment goes on", "the next deployment comes"])
def test_after_a_kill_at_any_call_it_has_run_once_for_each_deployment_and_no_more(tmp_path: Path, then: str) -> None:
    for number in range(100):
        host = ready(tmp_path / str(number))
        if not host.run_and_kill(render(once("d-1")), number):
            break
        answer, result = host.run(render(once(then)))
        assert answer.state == "succeeded", (number, answer.why, result.log)
        assert len(host.docker.started) == len(set(host.docker.started)), number
        assert sum(name.endswith(f"--{then}") for name in host.docker.started) == 1, number
        assert host.run(forget(once(then)))[0].state == "succeeded"
        assert host.containers == {}, number
        assert host.docker.wrong == []
    assert number > 6
