"""Looking at real hosts: what was changed by hand since the deployment, and who runs an image."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import shops
from lab.lab import Lab
from terminals import typed

import octossh as oc
from octossh.rendering import terminal
from octossh.transport import Interactive

pytestmark = pytest.mark.lab


def found(space: oc.Space) -> set[tuple[str, str, str]]:
    return {(d.target, d.name, d.problem.value) for place in space.drift() for d in place.deviations}


@pytest.fixture(scope="module")
def hub(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[oc.Space]:
    """A network, a file and two containers on each of two hosts, deployed once."""
    lab.clean()
    steps = [
        oc.CreateNetwork("net"),
        oc.PutFile("conf", "/tmp/octossh-looking.conf", content="a=1\n"),
        shops.web(lab, networks=["{{ steps.net.inspect.Name }}"]),
        oc.RunContainer("worker", image=shops.registry(lab).image("acme/worker"), monitor_s=0, memory="64m"),
    ]
    hosts = shops.targets(lab, "Dev", "Dev", roles={"h01": ["web"], "h02": ["web"]})
    with shops.space(lab, shops.project(*steps), hosts, tmp_path_factory.mktemp("looking")) as space:
        space.deploy(space.create_release(versions={"acme/web": "1.0.0"}), "Dev")
        yield space
    lab.clean()


def test_what_was_just_deployed_has_not_drifted(hub: oc.Space) -> None:
    drift = hub.drift()
    assert drift.ok, str(drift)
    assert hub.status().standings[0].seen == "healthy"
    again = hub.deploy(hub.release(), "Dev")
    assert {outcome.action for outcome in again.outcomes} == {"unchanged"}
    assert hub.drift().ok, "after a deployment that found everything in its place"


def test_drift_names_what_was_changed_by_hand_and_a_deployment_sets_it_right(lab: Lab, hub: oc.Space) -> None:
    image = shops.inspect(lab, "h01", "shop-dev-web")["Config"]["Image"]
    labels = shops.inspect(lab, "h01", "shop-dev-web")["Config"]["Labels"]
    copied = " ".join(f"--label '{name}={value}'" for name, value in labels.items() if name.startswith("octossh."))
    lab.sh(
        "h01",
        f"docker stop -t 0 shop-dev-web; docker update --memory 80m shop-dev-worker; docker run -d --name spy {copied} {image}",
    )
    lab.sh(
        "h02",
        "docker rm -f shop-dev-web; echo a=2 > /tmp/octossh-looking.conf; docker network create other; docker network connect other shop-dev-worker",
    )
    assert found(hub) == {
        ("h01", "shop-dev-web", "stopped"),
        ("h01", "shop-dev-worker", "another configuration"),
        ("h01", "spy", "extra"),
        ("h02", "shop-dev-web", "missing"),
        ("h02", "/tmp/octossh-looking.conf", "another configuration"),
        ("h02", "shop-dev-worker", "another configuration"),
    }
    standing = hub.status().standings[0]
    assert (standing.seen, standing.release) == ("unhealthy", "0.0.1")
    hub.deploy(hub.release(), "Dev")
    # What does no harm is left alone: a limit that was changed, a network more, and what nobody deployed.
    assert found(hub) == {
        ("h01", "shop-dev-worker", "another configuration"),
        ("h01", "spy", "extra"),
        ("h02", "shop-dev-worker", "another configuration"),
    }
    assert hub.status().standings[0].seen == "drifted"


def test_a_container_of_somebody_else_under_the_name_of_ours_is_seen_by_its_image(lab: Lab, hub: oc.Space) -> None:
    worker = shops.inspect(lab, "h01", "shop-dev-worker")["Config"]["Image"]
    lab.sh("h01", f"docker rm -f shop-dev-web; docker run -d --name shop-dev-web {worker}")
    (deviation,) = [d for d in hub.drift().places[0].deviations if d.name == "shop-dev-web"]
    assert (deviation.problem.value, deviation.found) == ("another image", "not made by octossh")
    lab.sh("h01", "docker rm -f shop-dev-web")
    hub.deploy(hub.release(), "Dev")


def test_who_runs_a_digest_is_told_by_the_record_and_by_the_hosts(lab: Lab, hub: oc.Space) -> None:
    pin = next(pin for pin in hub.release().pins if pin.image.repository == "acme/web")
    lab.sh("h02", f"docker run -d --name mine {pin.reference}")
    where = hub.who(pin.digest, look=True)
    assert {(r.source, r.target, r.name) for r in where if r.name != "spy"} == {
        ("record", "h01", ""),
        ("record", "h02", ""),
        ("host", "h01", "shop-dev-web"),
        ("host", "h02", "shop-dev-web"),
        ("host", "h02", "mine"),
    }
    assert {r.project for r in where if r.name == "mine"} == {""}
    assert {r.target for r in hub.who("acme/web:1.0.0", look=True) if r.name == "shop-dev-web"} == {"h01", "h02"}


def test_logs_of_two_hosts_a_command_in_their_containers_and_a_terminal_in_one(lab: Lab, hub: oc.Space) -> None:
    lab.sh("h01", "docker rm -f spy; true")  # it bears our labels, and would be listened to as well
    lines = hub.logs("shop", "Dev", steps=["web"], follow=True)
    said = {(line.target, line.text) for line in itertools.islice(lines, 2)}
    assert said == {(host, "acme/web 1.0.0 starting (mode ok)") for host in ("h01", "h02")}
    follows = "pgrep -fc '[d]ocker logs .*--follow'; true"
    assert [lab.sh(host, follows).strip() for host in ("h01", "h02")] == ["1", "1"]
    made = hub.exec("shop", "Dev", ["sh", "-c", "echo said >/proc/1/fd/2; cat /www/version; exit 3"], steps=["web"])
    assert [(item.target, item.exit_code, item.output) for item in made] == [
        ("h01", 3, "1.0.0\n"),
        ("h02", 3, "1.0.0\n"),
    ]
    assert {line.text for line in itertools.islice(lines, 2)} == {"said"}
    lines.close()
    assert [lab.sh(host, follows).strip() for host in ("h01", "h02")] == ["0", "0"]
    assert isinstance(hub._transport, Interactive)
    asks = ["sh", "-c", "tty; cat /www/version; printf 'how?'; read -r code; exit $code"]
    words = hub._transport.terminal(hub.targets[0], terminal(hub.targets[0], "shop-dev-web", asks))
    code, screen = typed(words, Path("/"), dict(os.environ), ("how?",), ["7\n"])
    assert (code, "1.0.0" in screen, "/dev/pts/" in screen) == (7, True, True), screen
    assert [entry.type for entry in hub.audit("shop", limit=2)] == ["command_finished", "command_started"]


def test_hosts_tell_that_the_store_was_put_back_to_an_older_copy(lab: Lab, hub: oc.Space, tmp_path: Path) -> None:
    said = hub.ask_hosts()
    assert said.ok, str(said)
    assert said.compared >= 2
    copy = tmp_path / "octossh.db"
    place = lab.sh("h01", "cat ~deploy/.local/state/octossh/anchors/shop-dev-*").splitlines()
    assert len(place) >= 2, "one line for each deployment that changed the host"
    # A store in which less has happened.
    with oc.Space(
        f"sqlite:///{copy}", projects=list(hub.projects.values()), targets=hub.targets, transport=shops.ssh(lab)
    ) as other:
        other.create_release(versions={"acme/web": "1.0.0"})
        assert other.verify().ok
        assert {m.anchor.target for m in other.ask_hosts().mismatches} == {"h01", "h02"}
