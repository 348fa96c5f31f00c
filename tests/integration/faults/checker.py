"""What must hold on a host whatever has died: looked up on the host itself, past SSH, and held against the record."""

from __future__ import annotations

import json
import time

from attrs import frozen
from lab.lab import Lab

import octossh as oc

# Everything of the user who logs in, but for connections that are still open.
_PROCESSES = "ps -u deploy -o pid=,args= | grep -v '[s]shd: deploy' || true"
_RUNS = "ls -d /dev/shm/octossh-run-* 2>/dev/null || true"
_LOCKS = 'for lock in /dev/shm/octossh-*.lock; do [ ! -f "$lock" ] || flock -n "$lock" true || echo "$lock"; done'
_CONTAINERS = "docker ps -a --no-trunc --format '{{json .Names}} {{json .State}} {{json .Labels}}'"


@frozen
class Seen:
    """A container on a host."""

    name: str
    state: str
    labels: dict[str, str]


def containers(lab: Lab, host: str) -> list[Seen]:
    """All of them."""
    made = []
    decoder = json.JSONDecoder()
    for line in lab.sh(host, _CONTAINERS).splitlines():
        words, at = [], 0
        while at < len(line):
            word, at = decoder.raw_decode(line, at)
            words.append(word)
            at += 1
        labels = dict(pair.partition("=")[::2] for pair in words[2].split(",octossh."))
        made.append(Seen(words[0], words[1], {key.removeprefix("octossh."): text for key, text in labels.items()}))
    return made


def check(lab: Lab, host: str, space: oc.Space, step: str = "web") -> None:
    """One container of *step* runs on *host*, once there was one; it is the one that the record tells of; no lock is held.

    For when nothing runs there any more.
    """
    assert space.verify().ok
    past = space.history(limit=None)
    assert all(deployment.state is not oc.State.RUNNING for deployment in past)
    seen = containers(lab, host)
    running = [one for one in seen if one.state == "running"]
    known = [outcome for one in past if (outcome := one.outcome(step, host)) is not None]
    if any(outcome.state is oc.State.SUCCEEDED for outcome in known):
        assert len(running) == 1, seen
    assert len(running) <= 1, seen
    for deployment in past:
        outcome = deployment.outcome(step, host)
        if outcome is None or outcome.state is oc.State.SKIPPED:
            continue
        if outcome.state is oc.State.UNKNOWN:
            assert outcome.why
            break
        if outcome.changed and outcome.state is oc.State.SUCCEEDED:
            assert running[0].labels["deployment"] == deployment.id
            break
    assert lab.sh(host, _LOCKS) == ""


def check_nothing_stays(lab: Lab, host: str) -> None:
    """Within the minute for which runs are kept, no process, no folder of a run and no lock is left."""
    deadline = time.monotonic() + 90
    while left := lab.sh(host, f"{_PROCESSES}; {_RUNS}; {_LOCKS}"):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
