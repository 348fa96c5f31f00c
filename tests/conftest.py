"""What all tests share: a clean environment, and the lab of real hosts."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from clusters import Cluster, cluster
from environments import of_the_user
from lab.lab import Lab

hypothesis.settings.register_profile("whole", deadline=None, derandomize=True, max_examples=100)
hypothesis.settings.register_profile("fast", deadline=None, database=None, max_examples=4)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "whole"))

FAST = os.environ.get("HYPOTHESIS_PROFILE") == "fast"
if FAST:
    gc.disable()  # until all tests are found

LAB_HOSTS = 4

# A shell starts what shall run in its background with Ctrl-C ignored; the tests that press it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# For each test, since what tests share (a lab, a wheel) is made with what the user has; in the fast set there is none.
@pytest.fixture(scope="session" if FAST else "function", autouse=True)
def _nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads the keys, known hosts, docker login or proxies of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
        for name in filter(of_the_user, list(os.environ)):
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Four hosts with their own sshd and dockerd, and a registry; gone when the tests end, however they end."""
    with Lab.up(LAB_HOSTS, name=f"test{os.getpid()}") as made:
        yield made


@pytest.fixture
def clean_lab(lab: Lab) -> Lab:
    """The same, with nothing left on the hosts by an earlier test."""
    lab.clean()
    return lab


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A server of PostgreSQL for what does not last: it does not wait for its disk."""
    with cluster("fsync = off", "synchronous_commit = off") as made:
        yield made


@pytest.fixture(params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, in each place where there can be one."""
    if request.param == "postgresql":
        server: Cluster = request.getfixturevalue("postgresql")
        return server.place()
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/octossh.db"


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory is an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The fast set draws the same examples each time by one number, and not by the text of each test."""
    if FAST:
        config.option.hypothesis_seed = config.option.hypothesis_seed or "0"


def pytest_collection_finish() -> None:
    """In the fast set, what thousands of tests consist of is no garbage, and is not looked through again and again."""
    if FAST:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What works with processes, packages and daemons for real is not in the fast set."""
    for item in items:
        if "integration" in item.path.parts and item.get_closest_marker("lab") is None:
            item.add_marker(pytest.mark.slow)
