"""Dockerd, or the whole host, dies at a named moment of a replacement: the moment is an event, and not a time."""

from __future__ import annotations

from functools import partial

import pytest
from integration.faults.grounds import NEW, Fault, Ground

import octossh as oc


def dies(word: str, how: str, ground: Ground) -> None:
    """Dockerd freezes, is asked for *word*, and dies over it; it is back at once, or when the deployment is over."""
    repository = ground.fresh()
    steps = [ground.web(repository)]
    ground.stand(*steps, repository=repository)

    def strike() -> None:
        ground.freeze_asked()
        ground.docker("die")
        if how == "restarted":
            ground.docker("start")

    with ground.space(*steps) as space:
        ended = ground.struck(space, word, strike, repository=repository)
    if how == "killed":
        ground.docker("start")
    assert not ended.ok, str(ended)
    ground.settles(*steps, repository=repository)


def freezes(word: str, ground: Ground) -> None:
    """Dockerd freezes when it is asked for *word*, for longer than the step has; what was asked is done when it thaws."""
    repository = ground.fresh()
    steps = [ground.web(repository)]
    ground.stand(*steps, repository=repository)
    with ground.space(ground.web(repository, timeout_s=4)) as space:  # nothing else has so little time
        ended = ground.struck(space, word, ground.freeze_asked, repository=repository)
    ground.docker("thaw")
    assert ended.outcomes[0].state is oc.State.UNKNOWN, str(ended)
    ground.settles(*steps, repository=repository)


def reboots(word: str, moment: str, ground: Ground) -> None:
    """The host is switched off and on again just before or after *word*: the deployment finds its way back."""
    repository = ground.fresh()
    steps = [ground.web(repository)]
    ground.stand(*steps, repository=repository)
    with ground.space(*steps) as space:
        strike = partial(ground.lab.reboot, ground.host)
        ended = ground.struck(space, word, strike, after=moment == "after", repository=repository)
    assert ended.ok, str(ended)
    ground.settles(*steps, repository=repository)


# Dockerd, that starts when it is missed and not before.
LATE = """#!/bin/sh
until pgrep -u deploy -x docker >/dev/null; do sleep 0.02; done
rm -f /usr/local/sbin/dockerd
exec /usr/sbin/dockerd "$@"
"""


def starts_late(ground: Ground) -> None:
    """After a reboot the host lets people in before docker answers: it is waited for."""
    ground.stand()
    ground.sh(f"cat >/usr/local/sbin/dockerd <<'END'\n{LATE}END\nchmod 755 /usr/local/sbin/dockerd")
    with ground.space() as space:
        ended = ground.struck(space, "stop", partial(ground.lab.reboot, ground.host))
    assert ended.ok, str(ended)
    ground.settles()


def is_judged(how: str, ground: Ground) -> None:
    """Dockerd or the host starts again while the new container is judged, by its own health check or by a probe."""
    repository = ground.fresh(mode="warm" if how == "rebooted" else "ok")
    ready = oc.Command(["test", "-f", "/www/ready"])
    judged = ground.web(repository, healthy_timeout_s=60, health=None if how == "rebooted" else ready)
    ground.stand(ground.web(repository), repository=repository)

    def strike() -> None:
        ground.go_on()
        ground.sh("until docker exec shop-dev-web grep -q 1.0.1 /www/version; do sleep 0.05; done 2>/dev/null")
        if how == "rebooted":
            ground.lab.reboot(ground.host)
            return
        ground.docker("stop")
        # The step asks for docker's version, and for nothing else, when it has noticed.
        ground.sh("until pgrep -u deploy -f 'docker version' >/dev/null; do :; done")
        ground.docker("start")
        is_new = "grep -q 1.0.1 /www/version && touch /www/ready"
        ground.sh(f"until docker exec shop-dev-web sh -c '{is_new}'; do sleep 0.1; done 2>/dev/null")

    with ground.space(judged) as space:
        ended = ground.struck(space, "start", strike, repository=repository)
    assert ended.ok, str(ended)
    if how == "restarted":
        assert ended.outcomes[0].action == "replaced"
        assert "docker was away for a moment" in ended.outcomes[0].log
    assert ended.duration_s is not None
    ground.settles(judged, repository=repository)


def script_dies(word: str, moment: str, ground: Ground) -> None:
    """All that runs of the step on the host is killed just before or after *word*."""
    ground.stand()
    with ground.space() as space:
        kill = "pkill -9 -u deploy -x sh; pkill -9 -u deploy -x docker"
        ended = ground.struck(space, word, lambda: ground.sh(kill), after=moment == "after")
    assert ended.outcomes[0].state is oc.State.UNKNOWN, str(ended)
    # Between the stop of the old one and the start of the new one, and only there, none runs.
    ground.settles(stood=(word, moment) not in {("stop", "after"), ("start", "before")})


def is_down(ground: Ground) -> None:
    """Dockerd does not run: that is said, whether one looks or deploys, and nothing is touched."""
    ground.stand()
    with ground.space() as space:
        release = space.create_release(versions={"acme/web": NEW})
        ground.docker("stop")
        try:
            with pytest.raises(oc.ReadError, match="docker does not answer"):
                space.plan(release, "Dev")
            with pytest.raises(oc.DeployFailed, match="docker does not answer") as failed:
                space.deploy(release, "Dev")
        finally:
            ground.docker("start")
    assert failed.value.hosts is oc.Hosts.UNTOUCHED
    ground.settles()


WORDS = ("pull", "create", "start", "stop")
CASES: dict[str, Fault] = {
    **{f"dockerd is {how} in a {word}": partial(dies, word, how) for how in ("killed", "restarted") for word in WORDS},
    **{f"dockerd is frozen in a {word}": partial(freezes, word) for word in WORDS},
    **{
        f"the host is rebooted {moment} a {word}": partial(reboots, word, moment)
        for word in WORDS
        for moment in ("before", "after")
    },
    "dockerd starts late after a reboot": starts_late,
    "dockerd is restarted while a container is judged": partial(is_judged, "restarted"),
    "the host is rebooted while a container is judged": partial(is_judged, "rebooted"),
    **{
        f"the script is killed {moment} a {word}": partial(script_dies, word, moment)
        for word in ("create", "update", "rename", "stop", "start")
        for moment in ("before", "after")
    },
    "dockerd is down": is_down,
}
