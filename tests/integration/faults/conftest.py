"""Many hosts on which faults are provoked at once, one on each."""

from __future__ import annotations

import hashlib
import itertools
import os
import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.faults.checker import check_nothing_stays
from integration.faults.grounds import DOCKER, Fault, Ground
from lab.lab import Lab

import octossh as oc

HOSTS = 8
SEED, MOST = 20, 26


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the faults, some are drawn; the others take too long for each day."""
    found = {item.nodeid: item for item in items if _fault(item) is not None}
    # By a hash of each, so that one more fault changes nothing for the others.
    drawn = sorted(found, key=lambda name: hashlib.sha256(f"{SEED} {name}".encode()).digest())[:MOST]
    for name in found.keys() - set(drawn):
        found[name].add_marker(pytest.mark.soak)


def _fault(item: pytest.Item) -> Fault | None:
    made: Fault | None = item.callspec.params.get("fault") if hasattr(item, "callspec") else None
    return made


class Faults:
    """Faults that are being provoked, each on the next host that is free."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self._folder = lab, folder
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()
        for host in lab.hosts:
            self._free.put(host)
        self._pool = ThreadPoolExecutor(len(lab.hosts))
        self._begun: dict[str, Future[None]] = {}
        self._count = itertools.count()

    def begin(self, name: str, fault: Fault) -> None:
        """Provoke *fault* as soon as a host is free."""
        self._begun[name] = self._pool.submit(self._provoke, next(self._count), fault)

    def _provoke(self, number: int, fault: Fault) -> None:
        host = self._free.get()
        try:
            self.lab.clean(host)
            folder = self._folder / f"fault{number}"
            folder.mkdir()
            self.lab.sh(host, f"cat >/usr/local/bin/docker <<'END'\n{DOCKER}END\nchmod 755 /usr/local/bin/docker")
            fault(Ground(self.lab, host, folder))
        finally:
            self._free.put(host)

    def end(self, name: str) -> None:
        """Raise what went wrong, when it has come to its end; after the last one, the lab goes down."""
        try:
            self._begun[name].result()
        finally:
            del self._begun[name]
            if not self._begun:
                self.close()

    def stop(self) -> None:
        """Begin no more."""
        self._pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """See that nothing is left anywhere."""
        with self.lab:
            with ThreadPoolExecutor(len(self.lab.hosts)) as pool:
                list(pool.map(self._see, self.lab.hosts))

    def _see(self, host: str) -> None:
        # A run that nobody has come back for is kept for a day; a later one takes it away.
        self.lab.sh(host, "touch -d '2 days ago' /dev/shm/octossh-run-*/ 2>/dev/null || true")
        folder = self._folder / host
        folder.mkdir()
        step = oc.RunScript("last", script="true")
        with Ground(self.lab, host, folder).space(step) as space:
            space.deploy(space.create_release(), "Dev")
        check_nothing_stays(self.lab, host)


@pytest.fixture(scope="session")
def faults(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    """All the faults of this session, begun together on hosts of their own; each test waits for its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
        with Lab.up(HOSTS, name=f"faults{os.getpid() % 1_000_000}") as lab:
            lab.pull("acme/web:1.0.0", "acme/web:1.0.1")
            made = Faults(lab, tmp_path_factory.mktemp("faults"))
            for item in request.session.items:
                if (fault := _fault(item)) is not None:
                    made.begin(item.nodeid, fault)
            yield made
            made.stop()
