"""Start-first on real hosts: no request fails while containers are replaced, and a cut leaves one that answers."""

from __future__ import annotations

import contextlib
import http.client
import re
import shlex
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import attrs
import documents
import pytest
import shops
from lab.lab import Lab
from lab.proxies import push_proxy

import octossh as oc

pytestmark = pytest.mark.lab

PAGE = documents.ROOT / "docs/howto/replacing.rst"
FILES = {"nginx": "# nginx.conf", "haproxy": "# haproxy.cfg"}


def configuration(name: str) -> str:
    """What the page shows of a proxy's configuration."""
    return next(block.text for block in documents.blocks(PAGE) if block.lines[0] == FILES[name])


class Visitors:
    """Ask a web server again and again, each time by a new connection, and keep what it answered."""

    def __init__(self, address: str, port: int = 8080) -> None:
        self.address, self.port = address, port
        self.answers: list[str] = []
        self.failures: list[str] = []
        self._over = threading.Event()

    def ask(self) -> str:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=15)
        with contextlib.closing(connection):
            connection.request("GET", "/version")
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace").strip()
            return body if answer.status == 200 else f"status {answer.status}"

    def _visit(self) -> None:
        while not self._over.wait(0.01):
            try:
                answer = self.ask()
            except (OSError, http.client.HTTPException) as error:
                answer = f"{time.strftime('%X')} {error!r}"
            (self.answers if re.fullmatch(r"[0-9.]+", answer) else self.failures).append(answer)

    @contextlib.contextmanager
    def there(self, count: int = 3) -> Iterator[None]:
        """Meanwhile *count* of them ask."""
        threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()


def beside(lab: Lab, **fields: object) -> oc.RunContainer:
    network = "{{ steps.front.inspect.Name }}"
    more = {
        "networks": ["bridge", network],
        "aliases": ["web"],
        "health": oc.Http(8080, "/health"),
        "strategy": oc.StartFirst(network=network, drain_s=2),
    }
    return shops.web(lab, **more | fields)


@pytest.mark.parametrize(
    ("name", "rounds"),
    [
        ("nginx", 5),
        pytest.param("nginx", 20, marks=pytest.mark.soak),
        pytest.param("haproxy", 20, marks=pytest.mark.soak),
    ],
)
def test_no_request_fails_while_containers_are_replaced_behind(
    name: str, rounds: int, clean_lab: Lab, tmp_path: Path
) -> None:
    push_proxy(f"http://{clean_lab.registry}", name, tmp_path)
    text = shlex.quote(configuration(name))
    clean_lab.sh("h01", f"mkdir -p /srv && printf %s {text} >/srv/proxy.conf")
    proxy = oc.RunContainer(
        "proxy",
        image=shops.registry(clean_lab).image(f"proxy/{name}"),
        networks=["{{ steps.front.inspect.Name }}"],
        publish=["8080:80"],
        volumes=["/srv/proxy.conf:/etc/proxy.conf:ro"],
        monitor_s=0,
    )
    made = shops.project(oc.CreateNetwork("front"), beside(clean_lab), proxy)
    visitors = Visitors(clean_lab.hosts["h01"])
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        releases = [space.create_release(versions={"acme/web": tag}) for tag in ("1.0.0", "1.0.1")]
        space.deploy(releases[0], "Dev")
        assert shops.version(clean_lab, "h01") == "1.0.0"
        with visitors.there():
            for number in range(rounds):
                outcomes = space.deploy(releases[(number + 1) % 2], "Dev").outcomes
                assert [outcome.action for outcome in outcomes] == ["unchanged", "replaced", "unchanged"]
    assert visitors.failures == []
    assert set(visitors.answers) == {"1.0.0", "1.0.1"}
    assert len(visitors.answers) > rounds
    assert sorted(shops.containers(clean_lab, "h01")) == ["shop-dev-proxy", "shop-dev-web"]


@pytest.mark.parametrize(("tag", "why"), [("1.3.0", "exit code 1|running again"), ("1.5.0", "fatal: out of luck")])
def test_the_old_container_knows_nothing_of_a_new_one_that_is_not_well(
    tag: str, why: str, clean_lab: Lab, tmp_path: Path
) -> None:
    made = shops.project(oc.CreateNetwork("front"), beside(clean_lab, restart="always", monitor_s=7))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        before = shops.inspect(clean_lab, "h01", "shop-dev-web")
        failed = space.deploy(space.create_release(versions={"acme/web": tag}), "Dev", check=False)
    assert failed.outcomes[-1].action == "removed"
    assert re.search(why, failed.outcomes[-1].why)
    assert failed.hosts is oc.Hosts.UNTOUCHED
    after = shops.inspect(clean_lab, "h01", "shop-dev-web")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert list(shops.containers(clean_lab, "h01")) == ["shop-dev-web"]


# A command on the host that asks by the alias, as a proxy would.
ASK = "docker exec asker wget -q -O - http://web:8080/version"


@pytest.mark.parametrize("moment", range(0, 21, 3))
def test_a_script_that_is_killed_leaves_one_that_answers_and_the_next_deployment_sets_it_right(
    moment: int, clean_lab: Lab, tmp_path: Path
) -> None:
    image = shops.registry(clean_lab).image("acme/worker")
    asker = oc.RunContainer("asker", image=image, networks=["{{ steps.front.inspect.Name }}"], container_name="asker")
    web = beside(clean_lab, restart="always")
    made = shops.project(oc.CreateNetwork("front"), attrs.evolve(asker, monitor_s=0), web)
    # Tenths of a second from the first line of a replacement on: the shell and what it runs are ended at once.
    kill = f"sleep {moment / 10}; pkill -9 -u deploy -x sh; pkill -9 -u deploy -x docker; true"
    killed: list[Future[str]] = []
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        releases = [space.create_release(versions={"acme/web": tag}) for tag in ("1.0.0", "1.0.1")]
        space.deploy(releases[0], "Dev")
        with shops.beside() as start:
            space.on_event = shops.when(
                "starting another", lambda: killed.append(start(lambda: clean_lab.sh("h01", kill)))
            )
            space.deploy(releases[1], "Dev", check=False)
        killed[0].result()
        assert clean_lab.sh("h01", ASK).strip() in {"1.0.0", "1.0.1"}
        space.deploy(releases[1], "Dev")
    assert clean_lab.sh("h01", ASK).strip() == "1.0.1"
    found = shops.containers(clean_lab, "h01")
    assert sorted(found) == ["asker", "shop-dev-web"]
    assert found["shop-dev-web"].endswith("running")
    assert shops.inspect(clean_lab, "h01", "shop-dev-web")["HostConfig"]["RestartPolicy"]["Name"] == "always"
