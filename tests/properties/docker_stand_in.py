"""A stand-in for docker, as far as our scripts use it. Its ways were looked up on real docker (28.2 and 20.10).

It lives in the process of the test: `stand.Host` hands it each call, and takes its answer back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from properties.docker_calls import Call
from properties.go_templates import Refused


@define
class Docker:
    """The daemon: what it knows, and how it is today.

    Attributes:
        containers: By id, each as ``docker inspect`` shows it.
        networks: Likewise.
        volumes: By name.
        services: Of the swarm whose manager it is, by id; None: it is no manager.
        images: What has been pulled; *registry* is what can be.
        ways: How a container of an image behaves: ``ends``, ``exits``, ``hungry``, ``sick``, ``refuses``, ``slow``, ``chatty`` or ``healthy``.
        started: The names of containers, each time that one is started.
        noise: Whether each call complains about its configuration on standard error.
        down: Whether it does not answer.
        fails: A call that fails, such as ``network_connect``; ``update:2``: from the second one on.
        wrong: What must never be, and was.
        together: Whether two of one step may run beside each other.
        goes_on: Whether an archive may leave out the layers that are there.
        front: A network in which, from the first on, there always is a container that works.
    """

    containers: dict[str, Any] = field(factory=dict)
    networks: dict[str, Any] = field(factory=lambda: {"b" * 64: {"Id": "b" * 64, "Name": "bridge", "Labels": {}}})
    volumes: dict[str, Any] = field(factory=dict)
    services: dict[str, Any] | None = None
    images: list[str] = field(factory=list)
    registry: list[str] = field(factory=list)
    ways: dict[str, str] = field(factory=dict)
    started: list[str] = field(factory=list)
    noise: bool = False
    down: bool = False
    fails: str = ""
    done: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)
    together: bool = False
    front: str = ""
    goes_on: bool = True

    def call(self, args: list[str], environ: Mapping[str, str], stdin: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of one call."""
        before, served = self._up(), self._served()
        call = Call(self, environ, stdin)
        if self.noise:
            call.complaints.append("WARNING: Error loading config file: /root/.docker/config.json: permission denied")
        try:
            code, said = 0, call.run(args)
        except Refused as error:
            code, said = 1, "".join(error.args[1:])
            # Docker's own oddity: an inspect that finds nothing prints an empty line.
            said = said or "\n" * args.count("inspect")
            call.complaints.append(str(error.args[0]))
        self._watch(args[:4], before)
        if served and not self._served():
            self.wrong.append(f"{args[:4]}: nobody answers in {self.front} any more")
        return code, f"{said.rstrip()}\n" if said else "", "".join(f"{line}\n" for line in call.complaints)

    def reboot(self) -> None:
        """The host goes down and comes back: as docker 20.10 does it, at its worst."""
        before = list(self.containers.values())
        for seen in self.containers.values():
            state, policy = seen["State"], seen["HostConfig"]["RestartPolicy"]["Name"]
            was, stopped = state["Status"], seen.get("stopped", False)
            if was == "created":
                continue
            # on-failure: also one that was stopped, where that made it end with another code than 0.
            again = policy in {"always", "on-failure"} or (policy == "unless-stopped" and not stopped)
            state["Status"] = "running" if again else "exited"
        self._watch(["reboot"], [])
        # What has such a policy and ran, runs again; or what took its place, or was to.
        if self.containers and not self._up() and self._lasting(before):
            self.wrong.append(f"after a reboot nothing runs of what ran before: {self._lasting(before)}")

    def _up(self) -> list[Any]:
        labelled = [seen for seen in self.containers.values() if "octossh.step" in seen["Config"]["Labels"]]
        return [seen for seen in labelled if seen["State"]["Status"] == "running"]

    def _lasting(self, seen: list[Any]) -> list[str]:
        """The names of those that are to come back after a reboot."""
        policies = [(one, one["Config"]["Labels"].get("octossh.restart", "no")) for one in seen]
        return [one["Name"] for one, policy in policies if policy != "no" and one["State"]["StartedAt"]]

    def _served(self) -> list[Any]:
        """Who answers in the network *front*."""
        return [seen for seen in self._up() if self.front in seen["NetworkSettings"]["Networks"] and self._works(seen)]

    def _works(self, seen: Any) -> bool:
        return self.ways.get(seen["Config"]["Image"], "healthy") == "healthy"

    def _watch(self, args: list[str], before: list[Any]) -> None:
        up = self._up()
        of_step = Counter(
            tuple(seen["Config"]["Labels"][f"octossh.{key}"] for key in ("project", "step")) for seen in up
        )
        self.wrong += [
            f"{args}: two of {step} run together" for step, count in of_step.items() if count > 1 + self.together
        ]
        good = [seen for seen in before if self._works(seen)]
        if good and not up and not self.containers and args[0] == "rm":
            self.wrong.append(f"{args}: {good[0]['Name']} is gone, and nothing can take its place")
