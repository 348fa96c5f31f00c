"""Holding what is on hosts against what deployments left there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from octossh.model import Deviation, Problem, State, is_stop_resource
from octossh.planning.wanting import next_name, old_name

if TYPE_CHECKING:
    from octossh.model import Deployment, Release, Resource, Snapshot, Step

__all__ = ["Left", "Legacy", "deviations", "left_by"]

# What `docker update` changes in a container that stays the same.
_SETTINGS = (
    "BlkioWeight",
    "CpuPeriod",
    "CpuQuota",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "NanoCpus",
    "PidsLimit",
    "RestartPolicy",
)
_UP = {"running", "restarting", "paused"}
_STACK = "com.docker.stack.namespace"
_SPEC = "octossh.spec"


@frozen(kw_only=True)
class Left:
    """What a step of a deployment left on a host, and what should still be there.

    Attributes:
        kind: ``container``, ``network``, ``volume``, ``image``, ``file``, ``compose`` or ``stack``.
        name: Docker's name for it, or the path of a file.
        inspect: What docker told of it when the step ended.
        deployment: The id of the deployment.
        stopped: Whether a later step stopped it.
    """

    target: str
    step: str
    kind: str
    name: str
    inspect: Mapping[str, Any]
    deployment: str
    stopped: bool = False

    @property
    def holds_secret(self) -> bool:
        """Whether it is a file with a secret in it."""
        return self.kind == "file" and not str(self.inspect.get("Version", "")).startswith("sha256:")


@frozen
class Legacy:
    """All that the deployments to one environment left.

    Attributes:
        left: What should still be there.
        unknown: Steps and targets of which the record does not tell what is there.
    """

    left: tuple[Left, ...]
    unknown: frozenset[tuple[str, str]]


def left_by(release: Release, past: Iterable[Deployment], find: Callable[[str, str], Release]) -> Legacy:
    """What the steps of *release* left on the hosts.

    Where the newest deployment left a step or a target out, what an earlier one left there counts.

    Args:
        release: What was deployed last.
        past: The deployments that succeeded there, newest first, with their outcomes; as many are taken as it needs.
        find: A release by project and number.
    """
    steps = {step.name: step for step in release.process.steps if step.keeps}
    made: dict[tuple[str, str], Left | None] = {}
    asked: set[tuple[str, str]] = set()
    settled: set[tuple[str, str]] = set()
    for deployment in past:
        asked = asked or {(o.step, o.target) for o in deployment.outcomes if o.step in steps}
        for outcome in deployment.outcomes:
            place = outcome.step, outcome.target
            if outcome.step not in steps or place in settled or outcome.state is not State.SUCCEEDED:
                continue
            if place not in made:
                of = release if deployment.release == release.number else find(release.project, deployment.release)
                kind, name = _named(steps[outcome.step], of, outcome.inspect)
                if not name:
                    continue
                known = Left(
                    target=outcome.target,
                    step=outcome.step,
                    kind=kind,
                    name=name,
                    inspect=outcome.inspect,
                    deployment=deployment.id,
                )
                made[place] = _after_stops(known, release)
            else:
                made[place] = _at_first(made[place], outcome.inspect)
            # What was found unchanged may have been changed by hand: how it was made counts.
            if made[place] is None or outcome.action != "unchanged" or outcome.inspect.get("Id") is None:
                settled.add(place)
        if asked <= settled:
            break
    return Legacy(tuple(left for left in made.values() if left), frozenset(asked - made.keys()))


def _at_first(left: Left | None, inspect: Mapping[str, Any]) -> Left | None:
    """*left* as it was told of by an earlier deployment, where it is the very same thing."""
    if left is None or left.inspect.get("Id") != inspect.get("Id"):
        return left
    return attrs.evolve(left, inspect=inspect)


def _named(step: Step, release: Release, inspect: Mapping[str, Any]) -> tuple[str, str]:
    if not inspect:
        return step.keeps, ""
    if step.keeps == "image":
        return "image", next((pin.reference for pin in release.pins if pin.image in step.needed_images), "")
    if step.keeps == "stack" and "Spec" in inspect:
        return "stack", str((inspect["Spec"].get("Labels") or {}).get(_STACK, ""))
    return step.keeps, str(inspect.get("Name", "")).removeprefix("/" if step.keeps == "container" else "")


def _after_stops(left: Left, release: Release) -> Left | None:
    """*left* as the steps after it leave it."""
    steps = release.process.steps
    place = next(number for number, step in enumerate(steps) if step.name == left.step)
    for step in steps[place + 1 :]:
        if not is_stop_resource(step) or step.releases == "older" or (step.steps and left.step not in step.steps):
            continue
        takes = {"container": True, "compose": True, "network": step.networks, "volume": step.volumes}
        if takes.get(left.kind) and step.remove:
            return None
        if takes.get(left.kind):
            left = attrs.evolve(left, stopped=True)
    return left


def deviations(
    left: Sequence[Left], snapshot: Snapshot, unknown: Iterable[str] = ()
) -> tuple[list[Deviation], list[str]]:
    """What on a host differs from what was *left* there, and what else there is to know.

    Args:
        left: All that deployments left on the host.
        snapshot: What was seen.
        unknown: The steps that left it is not known what there.
    """
    look = _Look(snapshot)
    found = [deviation for item in left for deviation in look.at(item)]
    extra, notes = look.others(set(unknown))
    return [*found, *extra], notes


class _Look:
    """One look at one host; it remembers what belonged to something."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.accounted: set[tuple[str, str]] = set()

    def at(self, item: Left) -> Iterator[Deviation]:
        """How *item* differs."""
        ways = {"container": self._container, "compose": self._group, "stack": self._group, "file": self._file}
        yield from ways.get(item.kind, self._plain)(item)

    def _mine(self, seen: Resource) -> Resource:
        self.accounted.add((seen.kind, seen.id))
        return seen

    def _find(self, item: Left) -> Resource | None:
        """What it is now: the very same by its id, else what bears its name."""
        of_kind = [seen for seen in self.snapshot.resources if seen.kind == item.kind]
        same = next((seen for seen in of_kind if seen.id == item.inspect.get("Id")), None)
        there = same or next((seen for seen in of_kind if seen.name == item.name), None)
        return self._mine(there) if there else None

    def _plain(self, item: Left) -> Iterator[Deviation]:
        there = self._find(item)
        if there is None:
            yield _deviation(item, Problem.MISSING, _what(item.inspect) or item.kind, "nothing of that name")
            return
        if item.kind == "network" and there.id != item.inspect.get("Id", there.id):
            yield _deviation(item, Problem.REPLACED, _short(item.inspect["Id"]), f"{_short(there.id)}, {_whose(there)}")
        spec = (item.inspect.get("Labels") or {}).get(_SPEC, there.spec)
        if item.kind != "image" and there.spec != spec:
            yield _deviation(item, Problem.CONFIG, _short(spec), _short(there.spec) or _whose(there))

    def _file(self, item: Left) -> Iterator[Deviation]:
        there = self._find(item)
        if there is None:
            yield _deviation(item, Problem.MISSING, "a file", "nothing at that path")
            return
        if there.status != "there":
            yield _deviation(item, Problem.REPLACED, "a file", there.status)
            return
        inspect = there.inspect
        if item.inspect.get("Version") != inspect.get("Sha256"):
            yield _deviation(item, Problem.CONFIG, "its content", "another content")
        for name in ("Mode", "Uid", "Gid"):
            if item.inspect.get(name) not in {None, inspect.get(name)}:
                yield _deviation(item, Problem.CONFIG, f"{name} {item.inspect[name]}", f"{name} {inspect.get(name)}")

    def _container(self, item: Left) -> Iterator[Deviation]:
        there = self._find(item)
        image = _what(item.inspect)
        if there is None:
            yield _deviation(item, Problem.MISSING, image, "nothing of that name")
            return
        if there.name != item.name:
            yield _deviation(item, Problem.CONFIG, f"named {item.name}", f"named {there.name}")
        if there.id != item.inspect.get("Id"):
            other = there.inspect.get("Image") != item.inspect.get("Image")
            found = ", ".join(filter(None, (_what(there.inspect) if other else _short(there.id), _whose(there))))
            expected = image if other else _short(str(item.inspect.get("Id", "")))
            yield _deviation(item, Problem.IMAGE if other else Problem.REPLACED, expected, found)
        else:
            for what, old, new in _settings(item.inspect, there.inspect):
                yield _deviation(item, Problem.CONFIG, f"{what} {old}", f"{what} {new}")
        yield from _state(item, there)

    def _group(self, item: Left) -> Iterator[Deviation]:
        """The services of a compose project, or of a stack in a swarm."""
        services: Mapping[str, Any] = item.inspect.get("Services") or {_member(item): [item.inspect]}
        kind = "container" if item.kind == "compose" else "service"
        there = [seen for seen in self.snapshot.resources if seen.kind == kind and seen.group == item.name]
        for name, told in services.items():
            seen = [self._mine(resource) for resource in there if resource.member == name]
            if not told:
                continue
            if len(seen) < len(told):
                few = f"{len(seen)} of them" if seen else "nothing of that name"
                yield _deviation(item, Problem.MISSING, f"{len(told)} x {_what(told[0])}", few, name, kind)
            for resource in seen:
                yield from self._member(item, told[0], resource, kind)

    def _member(self, item: Left, told: Mapping[str, Any], seen: Resource, kind: str) -> Iterator[Deviation]:
        spec = _labels(told).get(_SPEC, seen.spec)
        if kind == "container" and seen.inspect.get("Image", told.get("Image")) != told.get("Image"):
            yield _deviation(item, Problem.IMAGE, _what(told), _what(seen.inspect), seen.name, kind)
        elif kind == "service" and _what(told) != _what(seen.inspect):
            yield _deviation(item, Problem.IMAGE, _what(told), _what(seen.inspect) or _whose(seen), seen.name, kind)
        elif seen.spec != spec:
            yield _deviation(item, Problem.CONFIG, _short(spec), _short(seen.spec) or _whose(seen), seen.name, kind)
        elif kind == "service":
            for what, old, new in _unlike(told.get("Spec") or {}, seen.inspect.get("Spec") or {}):
                yield _deviation(item, Problem.CONFIG, f"{what} {old}", f"{what} {new}", seen.name, kind)
        was_up = kind == "service" or (told.get("State") or {}).get("Status") in _UP
        if was_up:
            yield from _state(item, seen)

    def others(self, unknown: set[str]) -> tuple[list[Deviation], list[str]]:
        """What bears our labels, and no deployment left it there."""
        extra, notes = [], []
        for seen in self.snapshot.resources:
            if not seen.project or seen.kind in {"image", "file"} or (seen.kind, seen.id) in self.accounted:
                continue
            if seen.step in unknown:
                notes.append(f"{seen.kind} {seen.name} was not compared: the record does not tell how it was left")
            elif seen.status in _UP or seen.kind == "service":
                made = Left(
                    target=self.snapshot.target,
                    step=seen.step,
                    kind=seen.kind,
                    name=seen.name,
                    inspect={},
                    deployment="",
                )
                aside = seen.name.endswith((old_name(""), next_name("")))
                why = "left by a run that was cut short" if aside else _whose(seen)
                extra.append(_deviation(made, Problem.EXTRA, "", f"{_what(seen.inspect)}, {why}"))
            else:
                state = f" ({seen.status})" if seen.status else ""
                notes.append(f"{seen.kind} {seen.name}{state} on {self.snapshot.target} is left over: {_whose(seen)}")
        return extra, notes


def _deviation(
    item: Left, problem: Problem, expected: str, found: str, name: str | None = None, kind: str | None = None
) -> Deviation:
    return Deviation(
        target=item.target,
        step=item.step,
        kind=kind or item.kind,
        name=name or item.name,
        problem=problem,
        expected=expected,
        found=found,
    )


def _state(item: Left, there: Resource) -> Iterator[Deviation]:
    if item.stopped:
        return
    if there.status != "running":
        code = (there.inspect.get("State") or {}).get("ExitCode")
        found = f"{there.status}, exit code {code}" if there.status == "exited" else there.status
        yield _deviation(item, Problem.STOPPED, "running", found, there.name, there.kind)
    elif there.health == "unhealthy":
        yield _deviation(item, Problem.UNHEALTHY, "healthy", "unhealthy", there.name, there.kind)


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What was changed in place in a container: limits, and the networks that it is in."""
    was, now = old.get("HostConfig") or {}, new.get("HostConfig") or {}
    for name in _SETTINGS:
        if name in was and name in now and was[name] != now[name]:
            yield name, str(was[name]), str(now[name])
    joined = [set((seen.get("NetworkSettings") or {}).get("Networks") or {}) for seen in (old, new)]
    if joined[0] != joined[1]:
        yield "networks", ", ".join(sorted(joined[0])), ", ".join(sorted(joined[1]))


def _unlike(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Where two trees differ, as far as both have something there: path, old and new."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in old.keys() & new.keys():
            yield from _unlike(old[name], new[name], f"{path}.{name}".lstrip("."))
    elif old != new and "***" not in str(old):
        yield path, str(old), str(new)


def _labels(inspect: Mapping[str, Any]) -> Mapping[str, str]:
    config = inspect.get("Spec") or inspect.get("Config") or {}
    return config.get("Labels") or {}


def _member(item: Left) -> str:
    """The name of a service in its stack."""
    return str((item.inspect.get("Spec") or {}).get("Name", "")).removeprefix(f"{item.name}_")


def _what(inspect: Mapping[str, Any]) -> str:
    """The image of a container or service, short; or what the thing is."""
    service = ((inspect.get("Spec") or {}).get("TaskTemplate") or {}).get("ContainerSpec") or {}
    name, at, digest = str(service.get("Image") or (inspect.get("Config") or {}).get("Image") or "").partition("@")
    return f"{name}@{digest[:19]}" if at else name


def _short(text: str) -> str:
    return text.removeprefix("sha256:")[:12]


def _whose(seen: Resource) -> str:
    if not seen.project:
        return "not made by octossh"
    return f"labelled as step {seen.step} of release {seen.release}, deployment {seen.deployment}"
