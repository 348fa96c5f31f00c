"""What must hold on a host whatever has died: looked up on the host itself, past SSH, and held against the record."""

from __future__ import annotations

import json
import time
from pathlib import Path

import shops
from attrs import frozen
from lab.lab import Lab

import octossh as oc
from octossh.rendering.surviving import KEPT_S

# Everything of the user who logs in, but for connections that are still open.
_PROCESSES = "ps -u deploy -o pid=,args= | grep -v '[s]shd: deploy' || true"
_RUNS = "ls -d /dev/shm/octossh-run-* 2>/dev/null || true"
# Of a deployment whose connection is still there.
CLAIMS = (
    'for claim in /dev/shm/octossh-*.claim.*; do read -r pid _ <"$claim" && [ -d "/proc/$pid" ] && echo "$claim"; done '
    "2>/dev/null; true"
)
_LOCKS = 'for lock in /dev/shm/octossh-*.lock; do [ ! -f "$lock" ] || flock -n "$lock" true || echo "$lock"; done'
_CONTAINERS = (
    "docker ps -aq | xargs -r docker inspect "
    "--format '[{{json .Id}},{{json .Name}},{{json .State.Status}},{{json .HostConfig.RestartPolicy.Name}},"
    "{{json .Config.Labels}}]'"
)
# Of all processes there, but for those that do the asking.
_SAID = "for at in /proc/[0-9]*; do [ \"$at\" = /proc/$$ ] || tr '\\0' ' ' <$at/cmdline; echo; done 2>/dev/null"


@frozen
class Seen:
    """A container on a host."""

    id: str
    name: str
    state: str
    restart: str
    labels: dict[str, str]


def containers(lab: Lab, host: str) -> list[Seen]:
    """All of them."""
    made = []
    for line in lab.sh(host, _CONTAINERS).splitlines():
        id_, name, state, restart, labels = json.loads(line)
        ours = {key.removeprefix("octossh."): text for key, text in (labels or {}).items()}
        made.append(Seen(id_, name[1:], state, restart, ours))
    return made


def check(lab: Lab, host: str, space: oc.Space, step: str = "web", *, stood: bool | None = None) -> None:
    """One container of *step* runs on *host*, once there was one; it is the one that the record tells of; nothing is locked.

    For when nothing runs there any more.

    Args:
        lab: Where the host is.
        host: Its name.
        space: With the record.
        step: Keeps the container.
        stood: Whether there was one; None: as the record says.
    """
    assert space.verify().ok
    past = space.history(limit=None)
    assert all(deployment.state is not oc.State.RUNNING for deployment in past)
    seen = [one for one in containers(lab, host) if one.labels.get("step") == step]
    running = [one for one in seen if one.state == "running"]
    if stood is None:
        known = [outcome for one in past if (outcome := one.outcome(step, host)) is not None]
        stood = any(outcome.state is oc.State.SUCCEEDED for outcome in known)
    if stood:
        assert len(running) == 1, seen
    assert len(running) <= 1, seen
    for deployment in past:
        outcome = deployment.outcome(step, host)
        if deployment.state is oc.State.INTERRUPTED and outcome is None:
            break  # the record knows that it does not know
        if outcome is None or outcome.state is oc.State.SKIPPED:
            continue
        if outcome.state is oc.State.UNKNOWN:
            assert outcome.why
        elif outcome.inspect:
            assert outcome.inspect["Id"] == running[0].id, outcome
        else:
            assert not any(one.labels["deployment"] == deployment.id for one in running), outcome
        break
    assert lab.sh(host, f"{_LOCKS}; {CLAIMS}") == ""


def check_secrets(lab: Lab, host: str, folder: Path, *secrets: str) -> None:
    """None of *secrets* stands in a file or a command line on *host*, nor in a file of the one who deploys."""
    files = shops.files_with(lab, host, *secrets)
    assert not files, files
    said = lab.sh(host, _SAID)
    kept = [said.encode(), *(path.read_bytes() for path in folder.rglob("*") if path.is_file())]
    assert not [secret for secret in secrets if any(secret.encode() in text for text in kept)]


def check_nothing_stays(lab: Lab, host: str) -> None:
    """Once the time is over for which runs are kept, no process, no folder of a run, no lock and no claim is left."""
    deadline = time.monotonic() + 90
    # Who has slept through it does not know that it was woken.
    lab.sh(host, f"pkill -x -f 'sleep {KEPT_S}'; true")
    while left := lab.sh(host, f"{_PROCESSES}; {_RUNS}; {_LOCKS}; {CLAIMS}"):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
