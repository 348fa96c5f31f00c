"""Links that are lost between two steps: the next one begins, once, when its host is there again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc
from octossh.transport.spares import FRESH_S

pytestmark = pytest.mark.lab

LOST = "octossh: the link was lost before the step began; connecting again to begin it"


@pytest.fixture(params=[oc.SSH, oc.OpenSSH])
def transport(request: pytest.FixtureRequest, clean_lab: Lab) -> Iterator[oc.SSH | oc.OpenSSH]:
    made = request.param(
        known_hosts=clean_lab.known_hosts, identity=clean_lab.key, user="deploy", keepalive_s=1, config=False
    )
    with made:
        yield made


def end_sessions(lab: Lab) -> None:
    lab.sh("h01", "pkill -f '[s]shd: deploy' || true")


def start_sshd_anew(lab: Lab) -> Callable[[], None]:
    lab.service("h01", "sshd", "stop")
    end_sessions(lab)
    return lambda: lab.service("h01", "sshd", "start")


def cut(lab: Lab) -> Callable[[], None]:
    lab.cut("h01")
    return lambda: lab.mend("h01")


@pytest.mark.parametrize(
    ("fault", "for_s", "told"), [(end_sessions, 0, False), (start_sshd_anew, 3, True), (cut, 6, None)]
)
def test_a_step_begins_once_when_its_host_is_there_again(
    transport: oc.SSH | oc.OpenSSH, clean_lab: Lab, tmp_path: Path,
    fault: Callable[[Lab], Callable[[], None] | None], for_s: float, told: bool | None,
) -> None:  # fmt: skip
    lines: list[str] = []
    mending: list[threading.Timer] = []

    def heard(event: oc.Event) -> None:
        lines.extend(filter(None, [event.data.get("line")]))
        if event.type != "step_finished" or event.step != "first":
            return
        if (mend := fault(clean_lab)) is not None:
            mending.append(threading.Timer(for_s, mend))
            mending[0].start()
        time.sleep(2 * FRESH_S)  # a session that was granted before tells nothing of its host any more

    clean_lab.sh("h01", "rm -f /tmp/said")
    steps = [oc.RunScript(name, script=f"echo {name} >>/tmp/said") for name in ("first", "second", "third")]
    hosts = shops.targets(clean_lab, "Dev")
    with shops.space(clean_lab, shops.project(*steps), hosts, tmp_path, transport=transport, on_event=heard) as space:
        assert space.deploy(space.create_release(), "Dev").ok
        assert space.verify().ok
    for timer in mending:
        timer.join()
    assert clean_lab.sh("h01", "cat /tmp/said").split() == ["first", "second", "third"]
    assert told is None or (LOST in lines) is told
