"""Probes: a new container is asked, by whatever the host has for it."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from properties.stand import Host, clear_locks
from properties.webs import ONE, TWO, image, script

from octossh.model import Command, Http, LogLine, Probe, Tcp
from octossh.reading import Answer
from octossh.shell import Result, Script

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "host", registry=[image(ONE), image(TWO)])
    yield made
    assert made.docker.wrong == []


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.server.headers = self.headers  # type: ignore[attr-defined]
        self.send_response(200 if self.path.startswith("/health") else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as made:
        made.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def with_only(folder: Path, program: str) -> Host:
    """A host that has *program*, and nothing else of this machine that a probe could use."""
    host = Host(folder, record=True, registry=[image(ONE), image(TWO)])
    host.docker.networks["host"] = {"Id": "host", "Name": "host", "Labels": {}}
    command, _, applet = program.partition(" ")
    found = shutil.which(command) or pytest.skip(f"there is no {command} here")
    (host.folder / "bin" / (applet or command)).symlink_to(found)
    for name in ("timeout", "grep"):
        (host.folder / "bin" / name).symlink_to(shutil.which(name) or "")
    host.environ = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    host.path = f"{host.folder}/bin"
    return host


def probed(host: Host, health: Probe) -> tuple[Answer, Result]:
    """Replace a container in the host's network by one that *health* judges."""

    def only(made: Script) -> Script:
        return Script(made.name, made.body.replace(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ""))

    host.run(only(script(ONE, network_mode="host")))
    return host.run(only(script(TWO, network_mode="host", health=health)))


@pytest.mark.parametrize("program", ["curl", "bash", "wget", "busybox wget"])
@pytest.mark.parametrize(("path", "action"), [("/health?a=[1]{b}'$x", "replaced"), ("/other", "put back")])
def test_the_probe_asks_past_any_proxy_and_decides_whether_the_new_container_stays(
    tmp_path: Path, server: http.server.HTTPServer, program: str, path: str, action: str
) -> None:
    answer, result = probed(with_only(tmp_path / "host", program), Http(server.server_port, path))
    assert answer.action == action, (answer.why, result.log)
    assert (action == "replaced") or "GET /other: status 500; its log ends with: " in answer.why
    assert len(server.asked) == 1  # type: ignore[attr-defined]
    assert server.asked[0].startswith(path.partition("{")[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("program", ["curl", "bash", "wget", "busybox wget"])
def test_the_probe_sends_the_host_and_the_headers_and_knows_the_status_that_is_wanted(
    tmp_path: Path, server: http.server.HTTPServer, program: str
) -> None:
    host = with_only(tmp_path / "host", program)
    health = Http(server.server_port, "/other", status="500", host="www.example.com", headers={"X-It": "it's $x"})
    assert probed(host, health)[0].action == "replaced"
    assert server.headers["Host"] == "www.example.com"  # type: ignore[attr-defined]
    assert server.headers["X-It"] == "it's $x"  # type: ignore[attr-defined]


@pytest.mark.parametrize("program", ["bash", "nc", "busybox nc"])
def test_a_port_that_takes_a_connection_is_healthy(
    tmp_path: Path, server: http.server.HTTPServer, program: str
) -> None:
    assert probed(with_only(tmp_path / "good", program), Tcp(server.server_port))[0].action == "replaced"
    answer, _ = probed(with_only(tmp_path / "bad", program), Tcp(9))
    assert answer.action == "put back"
    assert "did not become healthy within 0 s: port 9: " in answer.why


@pytest.mark.parametrize(
    ("health", "program"), [(Http(80), "curl, bash or wget"), (Tcp(80), "bash or nc")], ids=["http", "tcp"]
)
def test_a_host_that_cannot_ask_is_told_what_it_needs_before_anything_happens(
    tmp_path: Path, health: Probe, program: str
) -> None:
    host = with_only(tmp_path / "host", "true")
    answer, _ = probed(host, health)
    assert f"needs {program} on this host" in answer.why
    assert host.calls == []


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        (Command(["true"]), Command(["it's", "$x"]), "it's: exit code 1: it's $x"),
        (LogLine("s some"), LogLine("-it's $x"), "no line of its log holds -it's $x"),
    ],
    ids=["command", "log line"],
)
def test_the_container_itself_is_asked_by_a_command_or_by_its_log(
    host: Host, good: Probe, bad: Probe, why: str
) -> None:
    host.run(script(ONE, health=good))
    answer, _ = host.run(script(TWO, health=bad))
    assert answer.action == "put back"
    assert why in answer.why
    assert host.run(script(TWO, health=good))[0].action == "replaced"


def test_the_reason_tells_exit_code_restarts_want_of_memory_and_the_last_lines(host: Host) -> None:
    host.docker.ways[image(ONE)] = "hungry"
    answer, _ = host.run(script(ONE))
    why = "it is exited, exit code 137, killed for want of memory, restarted 0 times); its log ends with: /web-1 says"
    assert why in answer.why


def test_the_probe_goes_to_the_address_of_the_container(host: Host) -> None:
    host.curl(0)
    host.run(script(ONE, health=Http(8080, "/health")))
    assert b"http://172.18.0.2:8080/health" in host.argv
