"""Where faults are provoked: a host and a store of its own for each, and a deployment that stands still when told to."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shops
from integration.faults import checker
from lab.lab import Lab

import octossh as oc

__all__ = ["DOCKER", "NEW", "OLD", "TOKEN", "Fault", "Ground"]

TOKEN = "t0ken-of-the-faults"
OLD, NEW = "1.0.0", "1.0.1"

# First on the PATH: docker, that stands still once, at the word that is asked for, until it is told to go on.
DOCKER = r"""#!/bin/sh
at=/run/gate
if [ -e $at/word ] && read -r word when 2>/dev/null <$at/word; then
    case " $* " in
        *" $word "*)
            if mv $at/word $at/taken 2>/dev/null; then
                code=''
                [ "$when" = before ] || { /usr/bin/docker "$@"; code=$?; }
                echo here >$at/here
                read -r _ <$at/go
                [ -z "$code" ] || exit "$code"
            fi
            ;;
    esac
fi
exec /usr/bin/docker "$@"
"""
_IS_UNCLAIMED = f'while [ -n "$({checker.CLAIMS})" ]; do sleep 0.05; done'
_GATE = "rm -rf /run/gate; mkdir -m 777 /run/gate; cd /run/gate; mkfifo -m 666 here go"
_IS_MET = "timeout 60 cat /run/gate/here >/dev/null"
_GO_ON = "timeout 60 sh -c 'echo >/run/gate/go'"
# The request of a docker command waits at the socket of a daemon that takes none.
_WAITS = "ss -xlH | awk '/docker.sock/ && $3 > 0 { found = 1 } END { exit !found }'"
_IS_ASKED = f"timeout 60 sh -c {shlex.quote(f'until {_WAITS}; do sleep 0.02; done')}"


class Ground:
    """One host on which one fault is provoked.

    Attributes:
        lab: Where it is.
        host: Its name.
        folder: Of the store, and of what else is kept here.
    """

    def __init__(self, lab: Lab, host: str, folder: Path) -> None:
        self.lab, self.host, self.folder = lab, host, folder
        self.target = oc.Target(host, lab.hosts[host], roles=["web"], environments=["Dev"])

    def sh(self, command: str) -> str:
        """A command as root, past SSH."""
        return self.lab.sh(self.host, command)

    def web(self, image: str = "acme/web", **fields: Any) -> oc.RunContainer:
        """A container with a secret, that a host which starts again brings back."""
        return shops.web(self.lab, image, **{"restart": "always", "env": {"TOKEN": oc.secret("TOKEN")}, **fields})

    def space(self, *steps: oc.Step, **options: Any) -> oc.Space:
        """Steps on this host; a link that is dead is noticed within seconds."""
        options.setdefault("transport", shops.ssh(self.lab, keepalive_s=1, connect_timeout_s=3))
        options.setdefault("secrets", {"TOKEN": TOKEN})
        made = shops.project(*(steps or (self.web(),)))
        return shops.space(self.lab, made, [self.target], self.folder, anchors=False, **options)

    def fresh(self, mode: str = "ok") -> str:
        """A repository that no host has pulled from, named after this fault, with images of a *mode* of the lab."""
        repository = f"{self.folder.name}/web"
        for tag in (OLD, NEW):
            self.lab.push(repository, tag, mode)
        return repository

    def deploy(self, space: oc.Space, tag: str, repository: str = "acme/web") -> oc.Deployment:
        """Deploy *tag*, whatever comes of it."""
        return space.deploy(space.create_release(versions={repository: tag}), "Dev", check=False)

    def stand(self, *steps: oc.Step, repository: str = "acme/web") -> None:
        """What is to be replaced comes up."""
        with self.space(*steps) as space:
            ended = self.deploy(space, OLD, repository)
            assert ended.ok, str(ended)

    def struck(
        self, space: oc.Space, word: str, strike: Callable[[], object], *, after: bool = False, **given: str
    ) -> oc.Deployment:
        """Deploy what replaces it, and *strike* while docker is about to do *word*, or has just done it."""
        self.sh(f"{_GATE}; echo {word} {'after' if after else 'before'} >word; chmod 666 word")

        def met() -> None:
            self.sh(_IS_MET)
            strike()

        with shops.beside() as start:
            meeting = start(met)
            ended = self.deploy(space, NEW, **given)
            meeting.result()
        return ended

    def go_on(self) -> None:
        """The docker that stands still goes on."""
        self.sh(_GO_ON)

    def docker(self, what: str) -> None:
        """Dockerd is to freeze, thaw, die, or start."""
        if what == "die":
            self.sh("kill -9 $(cat /run/docker.pid)")
        else:
            self.lab.service(self.host, "dockerd", what)  # type: ignore[arg-type]

    def freeze_asked(self) -> None:
        """Dockerd freezes; then it is asked for what stands still."""
        self.docker("freeze")
        self.go_on()
        self.sh(_IS_ASKED)

    def holds(self, *steps: oc.Step, stood: bool | None = None) -> oc.Deployment | None:
        """See that what must hold does, once nothing runs on the host any more; the newest deployment."""
        shops.docker_is_up(self.lab, self.host)
        self.sh("for lock in /dev/shm/octossh-*.lock; do [ ! -f $lock ] || flock -w 60 $lock true; done")
        self.sh(f"timeout 30 sh -c {shlex.quote(_IS_UNCLAIMED)} || true")
        with self.space(*steps) as space:
            checker.check(self.lab, self.host, space, stood=stood)
            past = space.history(limit=1)
        checker.check_secrets(self.lab, self.host, self.folder, TOKEN)
        return past[0] if past else None

    def settles(self, *steps: oc.Step, repository: str = "acme/web", stood: bool = True) -> None:
        """What must hold does, also where something *stood*; the next deployment sets right whatever was left."""
        self.holds(*steps, stood=stood)
        with self.space(*steps) as space:
            ended = self.deploy(space, NEW, repository)
            assert ended.ok, str(ended)
        self.holds(*steps)
        (found,) = (one for one in checker.containers(self.lab, self.host) if "step" in one.labels)
        assert (found.name, found.state, found.restart) == ("shop-dev-web", "running", "always")


Fault = Callable[[Ground], None]
