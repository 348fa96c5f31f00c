"""What was seen on a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.model._values import Described, as_json

__all__ = ["GROUPS", "LABELS", "Resource", "Snapshot", "grouped"]

LABELS = {
    key: f"octossh.{key}"
    for key in ("project", "environment", "step", "release", "deployment", "spec", "fields", "restart", "strategy")
}
"""The labels on all that octossh creates. ``spec`` is a hash of what was wanted, ``fields`` the same in full;
``restart`` is the restart policy of a container, which it gets back when it was put aside and is put back;
``strategy`` is ``start-first`` on a container that got its name only once it was healthy."""

GROUPS = {"com.docker.compose.project": "com.docker.compose.service"}
"""The labels by which compose knows its containers: of the project, and of the service."""


@frozen(kw_only=True)
class Resource(Described):
    """A container, a network, a volume, an image or a file on a host.

    Attributes:
        kind: ``container``, ``network``, ``volume``, ``image`` or ``file``.
        name: Docker's name for it; of an image its reference with the digest, of a file its path.
        id: Docker's id for it; of a volume its name, of a file its path.
        project: From its labels; empty where octossh did not make it. Likewise the next five.
        fields: What was wanted when it was made.
        status: Of a container: ``running``, ``exited``, ``restarting``, ...
            Of a file: ``there``, or what is in the way.
        health: ``healthy``, ``unhealthy``, ``starting``, or empty without a health check.
        inspect: The output of ``docker inspect``, without the values of secrets.
        group: The compose project to which a container belongs, or the stack to which a service of a swarm does.
        member: The service of that project, or the service's name in that stack.
    """

    kind: str
    name: str
    id: str
    project: str = ""
    environment: str = ""
    step: str = ""
    release: str = ""
    deployment: str = ""
    spec: str = ""
    fields: Mapping[str, Any] = field(factory=dict, eq=as_json, repr=False)
    status: str = ""
    health: str = ""
    inspect: Mapping[str, Any] = field(factory=dict, eq=as_json, repr=False)
    group: str = ""
    member: str = ""

    @property
    def running(self) -> bool:
        """Whether a container runs and is not known to be ill."""
        return self.status == "running" and self.health != "unhealthy"


@frozen(kw_only=True)
class Snapshot(Described):
    """What one look at one host saw: all of one project in one environment, and what bears a wanted name.

    Attributes:
        target: The name of the target.
        observed_at: When.
        docker: The version of its docker.
        platform: What its docker runs, such as ``linux/amd64``; empty: not known.
        swarm: ``manager`` or ``worker`` of a swarm, or ``none``; empty: not asked.
        resources: Containers, networks, volumes, images, and services of a swarm.
    """

    target: str
    observed_at: datetime
    docker: str = ""
    platform: str = ""
    swarm: str = ""
    resources: tuple[Resource, ...] = ()

    def find(self, kind: str, name: str) -> Resource | None:
        """The resource of that kind and name."""
        return next((seen for seen in self.resources if (seen.kind, seen.name) == (kind, name)), None)


def grouped(name: str, members: Iterable[Resource]) -> dict[str, Any]:
    """What the members of a group say of themselves, by service: ``{"Name": ..., "Services": {"web": [...]}}``."""
    services: dict[str, list[Any]] = {}
    for resource in sorted(members, key=lambda resource: (resource.member, resource.name)):
        services.setdefault(resource.member, []).append(resource.inspect)
    return {"Name": name, "Services": services}
