"""Hosts that are full, crowded, set wrong, or somebody else's: each is deployed to, or refused with what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import shops
from integration.faults.grounds import NEW, Fault, Ground

import octossh as oc


@contextmanager
def changed(ground: Ground, do: str, undo: str) -> Iterator[None]:
    """Between two commands on the host."""
    ground.sh(do)
    try:
        yield
    finally:
        ground.sh(undo)


def works(do: str, undo: str, ground: Ground) -> None:
    """On a host like that all goes as ever."""
    ground.stand()
    with changed(ground, do, undo):
        ground.settles()


def fails(do: str, undo: str, why: str, ground: Ground) -> None:
    """On a host like that a deployment fails, says *why*, and the old container runs on; afterwards it succeeds."""
    repository = ground.fresh()
    step = ground.web(repository)
    ground.stand(step, repository=repository)
    before = shops.inspect(ground.lab, ground.host, "shop-dev-web")["State"]["StartedAt"]
    with changed(ground, do, undo):
        with ground.space(step) as space:
            made = ground.deploy(space, NEW, repository).outcomes[0]
        assert made.state is not oc.State.SUCCEEDED
        assert why in made.why, made
        assert not made.changed
    ground.holds(step, stood=True)
    assert shops.inspect(ground.lab, ground.host, "shop-dev-web")["State"]["StartedAt"] == before
    ground.settles(step, repository=repository)


def has_a_small_disk(ground: Ground) -> None:
    """Docker's data are on a small file system, which is full when a new image is to be pulled."""
    ground.docker("stop")
    ground.sh("mount -t tmpfs -o size=24m tmpfs /var/lib/docker")
    try:
        ground.docker("start")
        fill = "dd if=/dev/zero of=/var/lib/docker/ballast bs=4k 2>/dev/null || true"
        fails(fill, "rm /var/lib/docker/ballast", "no space left on device", ground)
        ground.lab.clean(ground.host)
    finally:
        ground.docker("stop")
        ground.sh("umount -l /var/lib/docker")
        ground.docker("start")


def puts_back(why: str, fields: dict[str, object], ground: Ground) -> None:
    """The new container cannot run like that: the old one is put back."""
    ground.stand()
    step = ground.web(**fields)
    with ground.space(step) as space:
        made = ground.deploy(space, NEW).outcomes[0]
    assert (made.state, made.action) == (oc.State.FAILED, "put back"), made
    assert why in made.why
    ground.holds(stood=True)
    ground.settles()


def port_is_taken(ground: Ground) -> None:
    """Somebody else's container listens there."""
    with changed(ground, STRANGER.format("other", "-p 9090:8080", ground.lab.registry), "docker rm -f other"):
        puts_back("port is already allocated", {"publish": ["9090:8080"]}, ground)


STRANGER = "docker run -d --name {} {} {}/acme/web:1.0.0"


def name_is_taken(name: str, ground: Ground) -> None:
    """Somebody else's container has a name that is needed: neither that one nor ours is touched."""
    if name == "shop-dev-web":
        with changed(ground, STRANGER.format(name, "", ground.lab.registry), f"docker rm -f {name}"):
            with ground.space() as space:
                made = ground.deploy(space, NEW).outcomes[0]
            assert "was not made by this step" in made.why
            assert shops.containers(ground.lab, ground.host)[name].endswith("running")
            ground.holds()
    else:
        fails(STRANGER.format(name, "", ground.lab.registry), f"docker rm -f {name}", "is not ours", ground)


def has_another_key(ground: Ground) -> None:
    """Between two deployments its keys are made anew: nobody logs in, and nothing is asked."""
    ground.stand()
    keys = "/etc/ssh/ssh_host_*_key"
    make = f"for key in {keys}; do cp -p $key $key.kept; yes | ssh-keygen -q -t ed25519 -N '' -f $key >/dev/null; done"
    anew = f"for key in {keys}; do mv $key.kept $key; ssh-keygen -y -f $key >$key.pub; done"
    restart = "pkill -HUP -o -x sshd"
    logins = ground.lab.ssh_connections(ground.host)
    with changed(ground, f"{make}; {restart}", f"{anew}; {restart}"), ground.space() as space:
        release = space.create_release(versions={"acme/web": NEW})
        with pytest.raises(oc.HostKeyError, match=ground.host) as refused:
            space.deploy(release, "Dev")
        assert refused.value.hosts is oc.Hosts.UNTOUCHED
        assert len(space.history()) == 1
    assert ground.lab.ssh_connections(ground.host) == logins
    ground.settles()


def says_much(script: str, check: Callable[[oc.Outcome, list[str]], object], ground: Ground) -> None:
    """A step says more, or other things, than anybody wants to hear."""
    lines: list[str] = []
    steps = [oc.RunScript("say", script=script), ground.web()]

    def on_event(event: oc.Event) -> None:
        if event.type == "output" and event.step == "say":
            lines.append(event.data["line"])

    ground.stand(ground.web())
    with ground.space(*steps, on_event=on_event) as space:
        ended = ground.deploy(space, NEW)
    assert ended.ok, str(ended)
    check(ended.outcomes[0], lines)
    assert dict(ended.outcomes[0].outputs) == {"said": "all"}
    ground.settles(*steps)


def much(made: oc.Outcome, lines: list[str]) -> None:
    assert lines[0] == "y" * 63
    assert lines[-1] == "the end"
    assert len(made.log) < 2_000_000
    assert made.log.endswith("the end\n")


def binary(made: oc.Outcome, lines: list[str]) -> None:
    assert "\\x" in made.log
    assert lines[-1] == "the end"


def two_deploy(ground: Ground) -> None:
    """Two controllers with stores of their own deploy to it at once: they take turns, and none is lost."""
    ground.stand()
    script = "echo in >>/tmp/turns; sleep 0.5; echo out >>/tmp/turns"
    steps = [oc.RunScript("turn", script=script), ground.web()]

    def deploy(number: int) -> bool:
        other = Ground(ground.lab, ground.host, ground.folder / f"controller{number}")
        other.folder.mkdir()
        with other.space(*steps) as space:
            return other.deploy(space, NEW).ok

    with shops.beside() as start:
        for one in [start(partial(deploy, number)) for number in range(3)]:
            assert one.result()
    assert ground.sh("cat /tmp/turns; rm /tmp/turns").split() == ["in", "out"] * 3
    assert list(shops.containers(ground.lab, ground.host)) == ["shop-dev-web"]
    with ground.space(*steps) as space:
        assert ground.deploy(space, NEW).outcomes[1].action == "unchanged"
    ground.settles(*steps)


def bashrc(text: str) -> tuple[str, str]:
    """Commands that put *text* before what is in it, and take it out again."""
    at = "/home/deploy/.bashrc"
    return f"cp -p {at} {at}.kept; {{ echo {text!r}; cat {at}.kept; }} >{at}", f"mv {at}.kept {at}"


def shell(path: str) -> tuple[str, str]:
    """Commands that make *path* the login shell, and bash again."""
    return f"usermod -s {path} deploy", "usermod -s /bin/bash deploy"


CLOCK = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def clock(years: str) -> tuple[str, str]:
    """Commands that put the clock of all that its user runs off, and right again."""
    off = f"LD_PRELOAD={CLOCK}\nFAKETIME={years}\nDONT_FAKE_MONOTONIC=1"
    check = "su - deploy -c true"
    return f"test -e {CLOCK}; cp /etc/environment /tmp/kept; printf '{off}\n' >/etc/environment; {check}", (
        "cp /tmp/kept /etc/environment"
    )


MEMORY = {"command": ["tail", "/dev/zero"], "memory": "16m", "memory_swap": "16m", "monitor_s": 30}
# What an earlier run has left there stays: a smaller place than that there is none, and all of a host's memory is ours, too.
SHM = """used=$(df -k --output=used /dev/shm | tail -n 1)
mount -o remount,size=$((used + 64))k /dev/shm || exit 1
dd if=/dev/zero of=/dev/shm/ballast bs=4k 2>/dev/null || true"""
CASES: dict[str, Fault] = {
    "the disk of docker is full": has_a_small_disk,
    "the memory for runs is full": partial(
        fails, SHM, "rm -f /dev/shm/ballast; mount -o remount,size=512m /dev/shm", "on this host is full"
    ),
    "a container wants too much memory": partial(puts_back, "killed for want of memory", MEMORY),
    "a port is taken": port_is_taken,
    **{
        f"the name {name} is taken": partial(name_is_taken, name)
        for name in ("shop-dev-web", "shop-dev-web--next", "shop-dev-web--old")
    },
    "the clock is a year ahead": partial(works, *clock("+1y")),
    "the clock is a year behind": partial(works, *clock("-1y")),
    "its .bashrc prints": partial(works, *bashrc("echo hello; echo hello >&2; printf half")),
    "its .bashrc sets noclobber": partial(works, *bashrc("set -o noclobber")),
    "its .bashrc exits": partial(fails, *bashrc("exit 3"), "exit code 3"),
    "its login shell is fish": partial(works, *shell("/usr/bin/fish")),
    "its login shell is nologin": partial(fails, *shell("/usr/sbin/nologin"), "not available"),
    "its keys are others": has_another_key,
    "a step says 64 MB": partial(
        says_much, f"yes {'y' * 63} | head -c 64000000; echo the end; octossh_output said all", much
    ),
    "a step says bytes": partial(
        says_much, "head -c 100000 /dev/urandom; echo; echo the end; octossh_output said all", binary
    ),
    "two deploy at once": two_deploy,
}
