"""Connections that are shared: which of them may be closed, and when. The links are stand-ins; no host is asked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

import octossh as oc
from octossh.shell import Result, Script
from octossh.transport.faults import Where
from octossh.transport.known_hosts import KnownHosts
from octossh.transport.pools import Pool
from octossh.transport.routes import Route

HOST, BEHIND = oc.Target("h01", "h01", user="u", port=22), oc.Target("h02", "h02", user="u", port=22, jump="u@h01")


class Link:
    def __init__(self, where: Where) -> None:
        self.where, self.alive = where, True
        self.runs, self.goes_on = threading.Semaphore(0), threading.Event()

    def run(self, script: Script, *_: object) -> Result:
        self.runs.release()
        assert self.goes_on.wait(30)
        return Result((), "", 0, datetime.now(UTC), 0.0)

    def close(self, why: str = "") -> None:
        self.alive = False

    def join(self) -> None:
        pass


class Links(Pool[Any]):
    """A pool whose links do as the test says."""

    def __init__(self) -> None:
        more = {"passphrase": None, "password": None, "sudo_password": None}
        super().__init__(SimpleNamespace(route=self._route), parallel=5, per_jump=5, keepalive_s=15, **more)  # type: ignore[arg-type]
        self.made: list[Link] = []
        self.opening: list[Route] = []
        self.opens = threading.Event()
        self.opens.set()
        self.asked = threading.Event()

    def _route(self, target: oc.Target) -> Route:
        via = self._route(HOST) if target.jump else None
        return Route(Where(target.name, "u", target.address, 22), KnownHosts(()), via=via)

    def _opened(self, route: Route, via: Link | None) -> Link:
        if via is not None:
            self.asked.set()
            assert self.opens.wait(30)
        self.made.append(Link(route.where))
        return self.made[-1]


@pytest.fixture
def links() -> Links:
    return Links()


def begun(links: Links, target: oc.Target, of: int = 1) -> list[threading.Thread]:
    threads = [threading.Thread(target=lambda: links.run(target, Script("x", ":\n"))) for _ in range(of)]
    for thread in threads:
        thread.start()
    return threads


def test_whether_a_host_is_reached_is_told_without_working_out_the_way_there(links: Links) -> None:
    links._routing.route = None  # type: ignore[method-assign,assignment,misc]
    assert not links.reaches(HOST)
    links._routing.route = links._route  # type: ignore[method-assign,misc]
    links.connect(HOST)
    links._routing.route = None  # type: ignore[method-assign,assignment,misc]
    assert links.reaches(HOST)
    links.made[0].alive = False
    assert not links.reaches(HOST)


def test_a_connection_over_which_nothing_runs_is_closed(links: Links) -> None:
    assert not links.hang_up(HOST)
    links.connect(HOST)
    assert links.hang_up(HOST)
    assert not links.made[0].alive
    assert not links.hang_up(HOST)


def test_one_over_which_somebody_else_runs_something_stays(links: Links) -> None:
    links.connect(HOST)
    (link,) = links.made
    threads = begun(links, HOST, of=2)
    for _ in threads:
        assert link.runs.acquire(timeout=30)
    assert not links.hang_up(HOST)
    assert not links.hang_up(HOST, running=1)
    assert link.alive
    link.goes_on.set()
    for thread in threads:
        thread.join(30)
    assert links.hang_up(HOST)


def test_one_over_which_only_the_callers_own_script_runs_is_closed(links: Links) -> None:
    links.connect(HOST)
    (link,) = links.made
    (thread,) = begun(links, HOST)
    assert link.runs.acquire(timeout=30)
    assert not links.hang_up(HOST)
    assert links.hang_up(HOST, running=1)
    assert not link.alive
    link.goes_on.set()
    thread.join(30)


def test_one_through_which_others_are_reached_stays(links: Links) -> None:
    links.connect(BEHIND)
    assert not links.hang_up(HOST)
    assert links.hang_up(BEHIND)
    assert links.hang_up(HOST)


def test_one_through_which_somebody_is_about_to_be_reached_stays(links: Links) -> None:
    links.opens.clear()
    thread = threading.Thread(target=lambda: links.connect(BEHIND))
    thread.start()
    assert links.asked.wait(30)
    assert not links.hang_up(HOST)
    links.opens.set()
    thread.join(30)
    assert [link.alive for link in links.made] == [True, True]
