"""Hosts as values: what the scripts of octossh do to a host, without a host.

`Fleet` holds a snapshot for each target and runs the steps of a release on them by the rules of the templates, so
that what a plan says can be held against what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

import octossh as oc
from octossh.planning import Facts, Resolver, Wanted

SWARM = {"h01": "worker", "h02": "manager"}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def inspect(wanted: Wanted) -> dict[str, Any]:
    """What docker would tell of it, as far as octossh reads it."""
    if wanted.kind != "container":
        return {"Name": wanted.name, "Id": f"id-of-{wanted.name}"}
    given = wanted.fields.get("env", {})
    env = [f"{name}={value if isinstance(value, str) else '***'}" for name, value in given.items()]
    joined = {text.split(" ")[0]: {} for text in wanted.fields.get("networks", [])}
    return {
        "Name": f"/{wanted.name}",
        "Id": f"id-of-{wanted.name}",
        "Config": {"Env": ["PATH=/bin", *env]},
        "NetworkSettings": {"Networks": joined or {"bridge": {}}},
    }


def with_members(seen: oc.Resource, there: list[oc.Resource]) -> oc.Resource:
    """A network with the containers that are in it, as docker tells of them."""
    if seen.kind != "network":
        return seen
    members = {
        other.id: {"Name": other.name}
        for other in there
        if other.kind == "container" and seen.name in other.inspect["NetworkSettings"]["Networks"]
    }
    return attrs.evolve(seen, inspect={**seen.inspect, "Containers": members})


class Fleet:
    """Targets of one environment, and what is on them."""

    def __init__(self, targets: tuple[oc.Target, ...], environment: str = "Dev") -> None:
        self.targets, self.environment = targets, environment
        self.there: dict[str, list[oc.Resource]] = {target.name: [] for target in targets}
        self.number = 0

    def look(self) -> dict[str, oc.Snapshot]:
        """What `octossh.deploying.observe` would have seen."""
        return {
            name: oc.Snapshot(
                target=name,
                observed_at=MOMENT,
                swarm=SWARM.get(name, "none"),
                resources=tuple(with_members(seen, there) for seen in there),
            )
            for name, there in self.there.items()
        }

    def change(self, target: str, number: int, how: Callable[[oc.Resource], list[oc.Resource]]) -> None:
        """Something happens behind octossh's back."""
        there = self.there[target]
        if there:
            there += how(there.pop(number % len(there)))

    def run(self, release: oc.Release, secrets: Mapping[str, oc.Secret] | None = None) -> list[tuple[str, str, str]]:
        """Deploy: step, target and what was done, until a step has failed on a host."""
        resolver = Resolver(release, self.environment, self.targets, secrets or {})
        known: dict[tuple[str, str], Facts] = {}
        did = []
        for step in release.process.steps:
            for target in resolver.hosts(step):
                resolved = resolver.resolve(step, target, known)
                action, facts = self._step(resolver, resolved, target.name)
                known[step.name, target.name] = facts
                did.append((step.name, target.name, action))
            if any(action == "failed" for _, _, action in did):
                break
        return did

    def _step(self, resolver: Resolver, step: oc.Step, target: str) -> tuple[str, Facts]:
        if isinstance(step, oc.RunScript):
            return "ran", Facts(outputs={"NUMBER": "1"})
        if isinstance(step, oc.StopResource):
            return self._stop(resolver, step, target), Facts()
        wanted = resolver.wanted(step)
        assert wanted is not None
        if wanted.kind == "compose":
            return self._compose(resolver, step, wanted, target), Facts()
        if wanted.kind == "stack":
            return self._stack(resolver, step, wanted) if SWARM.get(target) == "manager" else "unchanged", Facts()
        ways = {"network": self._network, "volume": self._volume, "image": self._image, "container": self._container}
        return ways[wanted.kind](resolver, step, wanted, target), Facts(inspect(wanted))

    def _find(self, target: str, kind: str, name: str) -> oc.Resource | None:
        return next((seen for seen in self.there[target] if (seen.kind, seen.name) == (kind, name)), None)

    def _put(self, resolver: Resolver, step: oc.Step, wanted: Wanted, target: str) -> None:
        self._remove(target, wanted.kind, wanted.name)
        self.number += 1
        made = oc.Resource(
            kind=wanted.kind,
            name=wanted.name,
            id=str(self.number),
            project=resolver.release.project,
            environment=self.environment,
            step=step.name,
            release=resolver.release.number,
            spec=wanted.spec,
            fields=wanted.marks,
            status="running" if wanted.kind == "container" else "",
            inspect=inspect(wanted),
        )
        self.there[target].append(made)

    def _remove(self, target: str, kind: str, name: str) -> None:
        self.there[target] = [seen for seen in self.there[target] if (seen.kind, seen.name) != (kind, name)]

    def _ours(self, resolver: Resolver, seen: oc.Resource, step: str) -> bool:
        return (seen.project, seen.environment, seen.step) == (resolver.release.project, self.environment, step)

    def _network(self, resolver: Resolver, step: oc.Step, wanted: Wanted, target: str) -> str:
        seen = self._find(target, "network", wanted.name)
        if seen is None:
            self._put(resolver, step, wanted, target)
            return "created"
        if not self._ours(resolver, seen, step.name):
            return "failed"
        if seen.spec == wanted.spec:
            return "unchanged"
        if not step.replaces:
            return "failed"
        for other in self.there[target]:
            joined = other.kind == "container" and wanted.name in other.inspect["NetworkSettings"]["Networks"]
            if joined and (other.project, other.environment) != (resolver.release.project, self.environment):
                return "failed"
        self.there[target] = [self._let_go(other, wanted.name) for other in self.there[target]]
        self._put(resolver, step, wanted, target)
        return "replaced"

    def _let_go(self, seen: oc.Resource, network: str) -> oc.Resource:
        if seen.kind != "container":
            return seen
        joined = {name: facts for name, facts in seen.inspect["NetworkSettings"]["Networks"].items() if name != network}
        return attrs.evolve(seen, inspect={**seen.inspect, "NetworkSettings": {"Networks": joined}})

    def _volume(self, resolver: Resolver, step: oc.Step, wanted: Wanted, target: str) -> str:
        assert isinstance(step, oc.CreateVolume)
        seen = self._find(target, "volume", wanted.name)
        action = "created" if seen is None else "replaced"
        if seen is not None:
            if not self._ours(resolver, seen, step.name) or (seen.spec != wanted.spec and not step.replace):
                return "failed"
            if seen.spec == wanted.spec:
                return "unchanged"
        self._put(resolver, step, wanted, target)
        return action

    def _image(self, resolver: Resolver, step: oc.Step, wanted: Wanted, target: str) -> str:
        if self._find(target, "image", wanted.name):
            return "unchanged"
        made = oc.Resource(kind="image", name=wanted.name, id=wanted.name, inspect=inspect(wanted))
        self.there[target].append(made)
        return "pulled"

    def _container(self, resolver: Resolver, step: oc.Step, wanted: Wanted, target: str) -> str:
        old = self._find(target, "container", f"{wanted.name}--old")
        if old is not None:
            seen = self._find(target, "container", wanted.name)
            if not self._ours(resolver, old, step.name):
                return "failed"
            if seen is not None and not self._ours(resolver, seen, step.name):
                return "failed"
            self._remove(target, "container", old.name)
            if seen is None or seen.spec != wanted.spec:
                self._remove(target, "container", wanted.name)
                self.there[target].append(attrs.evolve(old, name=wanted.name, status="running", health=""))
            if seen is not None and seen.spec == wanted.spec:
                self._put(resolver, step, wanted, target)
                return "replaced"
            if old.spec == wanted.spec:
                return "started"
        seen = self._find(target, "container", wanted.name)
        if seen is not None:
            if not self._ours(resolver, seen, step.name):
                return "failed"
            if seen.spec == wanted.spec and seen.status == "running" and seen.health != "unhealthy":
                if seen.inspect["NetworkSettings"]["Networks"].keys() >= set(step.network_names):
                    return "unchanged"
                self._put(resolver, step, wanted, target)
                return "updated"
            if seen.spec == wanted.spec and seen.status not in {"running", "created"}:
                self._put(resolver, step, wanted, target)
                return "started"
        replaced = seen is not None and not (seen.spec == wanted.spec and seen.status == "created")
        self._put(resolver, step, wanted, target)
        return "replaced" if replaced else "created"

    def _current(self, resolver: Resolver, seen: oc.Resource, target: str) -> bool:
        kept, spared = resolver.kept(next(one for one in self.targets if one.name == target))
        made_here = seen.release == resolver.release.number
        return made_here or (seen.kind, seen.name) in kept or seen.step in spared

    def _compose(self, resolver: Resolver, step: oc.Step, wanted: Wanted, target: str) -> str:
        seen = [resource for resource in self.there[target] if resource.group == wanted.name]
        if any(not self._ours(resolver, resource, step.name) for resource in seen):
            return "failed"
        specs = {name: part.spec for name, part in wanted.parts.items()}
        differ = [(r.member, r.spec) for r in seen if specs.get(r.member) != r.spec] or specs.keys() - {
            r.member for r in seen
        }
        down = [resource for resource in seen if resource.status != "running"]
        unhealthy = [resource for resource in seen if resource.health == "unhealthy" and resource not in down]
        if not differ and not down and not unhealthy and len(seen) == len(specs):
            return "unchanged"
        self.there[target] = [resource for resource in self.there[target] if resource not in seen]
        for name, part in wanted.parts.items():
            self._put(resolver, step, attrs.evolve(part, name=f"{wanted.name}-{name}-1"), target)
            self.there[target][-1] = attrs.evolve(self.there[target][-1], group=wanted.name, member=name)
        return "created" if not seen else "replaced" if differ or unhealthy else "started"

    def _stack(self, resolver: Resolver, step: oc.Step, wanted: Wanted) -> str:
        target = next(name for name, part in SWARM.items() if part == "manager")
        seen = [r for r in self.there[target] if r.kind == "service" and r.group == wanted.name]
        seen = [r for r in seen if r.member in wanted.parts or "orphans" not in wanted.fields]
        if any(not self._ours(resolver, resource, step.name) for resource in seen):
            return "failed"
        right = {(name, part.spec) for name, part in wanted.parts.items()} == {(r.member, r.spec) for r in seen}
        if right and all(resource.status != "paused" for resource in seen):
            return "unchanged"
        self.there[target] = [resource for resource in self.there[target] if resource not in seen]
        for name, part in wanted.parts.items():
            self._put(resolver, step, attrs.evolve(part, name=f"{wanted.name}_{name}"), target)
            made = attrs.evolve(self.there[target][-1], group=wanted.name, member=name, status="running")
            self.there[target][-1] = made
        return "replaced" if seen else "created"

    def _stop(self, resolver: Resolver, step: oc.StopResource, target: str) -> str:
        matched = [
            seen
            for seen in self.there[target]
            if {"container": True, "network": step.networks, "volume": step.volumes}.get(seen.kind)
            and (seen.project, seen.environment) == (resolver.release.project, self.environment)
            and (not step.steps or seen.step in step.steps)
            and (step.remove or seen.status in {"running", "restarting", "paused"})
            and not (step.releases == "older" and self._current(resolver, seen, target))
        ]
        for seen in matched:
            self._remove(target, seen.kind, seen.name)
            if not step.remove:
                self.there[target].append(attrs.evolve(seen, status="exited"))
        return ("removed" if step.remove else "stopped") if matched else "unchanged"
