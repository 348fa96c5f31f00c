"""Planning for what is kept as a group: the services of a compose file, or of a stack in a swarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from octossh.planning.composing import count_of
from octossh.planning.tasks import Action, Change, changes_between

if TYPE_CHECKING:
    from octossh.model import Resource
    from octossh.planning.wanting import Wanted

__all__ = ["judge_group", "with_values"]


def judge_group(wanted: Wanted, there: Sequence[Resource]) -> tuple[Action, str, tuple[Change, ...]]:
    """What is to be done where *there* is what bears the name of the group; all of it is ours."""
    if not there:
        return Action.CREATE, f"{wanted.kind} {wanted.name} is not there", ()
    members: dict[str, list[Resource]] = {}
    for resource in there:
        members.setdefault(resource.member, []).append(resource)
    changes: list[Change] = []
    differs, states = False, []
    for name, part in wanted.parts.items():
        seen = members.get(name, [])
        if not seen:
            changes.append(Change(f"service {name}", None, str(part.fields["image"])))
        elif other := next((resource for resource in seen if resource.spec != part.spec), None):
            differs = True
            found = changes_between(with_values(other), part.fields)
            changes += [Change(f"{name} {change.field}", change.old, change.new) for change in found]
        else:
            states.append(_task_state(name, seen[0]) if part.kind == "service" else _state(part, seen))
    gone = sorted(members.keys() - wanted.parts.keys()) if "orphans" not in wanted.fields else []
    changes += [Change(f"service {name}", str(members[name][0].fields.get("image", "?")), None) for name in gone]
    if changes or differs:
        return Action.REPLACE, "", tuple(changes)
    for action in (Action.REPLACE, Action.START):
        if why := next((why for what, why in states if what is action), ""):
            return action, why, ()
    return Action.KEEP, next((why for _, why in states if why), ""), ()


def _task_state(name: str, service: Resource) -> tuple[Action, str]:
    """What a service of a swarm needs that is the wanted one: swarm itself starts what does not run."""
    if service.status in {"running", ""}:
        return Action.KEEP, ""
    stuck = service.status in {"paused", "rollback_started", "rollback_paused"}
    return Action.REPLACE if stuck else Action.KEEP, f"{name}: {service.status}"


def _state(part: Wanted, seen: Sequence[Resource]) -> tuple[Action, str]:
    """What the containers of one service need that are the wanted ones."""
    states = [resource.health if resource.status == "running" else resource.status for resource in seen]
    if "unhealthy" in states:
        return Action.REPLACE, f"{part.name} is unhealthy"
    if part.fields.get("job"):
        done = any(resource.status == "exited" and _exit_code(resource) == 0 for resource in seen)
        return (Action.KEEP, "") if done or _WELL & set(states) else (Action.START, f"{part.name} is {states[0]}")
    if down := next((state for state in states if state not in _WELL), None):
        return Action.START, f"{part.name} is {down}"
    if (count := count_of(part.fields)) and count != len(seen):
        return Action.START, f"{part.name} has {len(seen)} of {count} containers"
    return Action.KEEP, ""


_WELL = {"", "healthy", "starting"}


def _exit_code(resource: Resource) -> int | None:
    state = resource.inspect.get("State")
    return state.get("ExitCode") if isinstance(state, Mapping) else None


def with_values(there: Resource) -> dict[str, Any]:
    """The fields in the label of *there*, with the values of its environment, of which the label has hashes only."""
    service = ((there.inspect.get("Spec") or {}).get("TaskTemplate") or {}).get("ContainerSpec")
    pairs = (pair.partition("=") for pair in (service or there.inspect.get("Config") or {}).get("Env") or ())
    values = {name: value for name, _, value in pairs}
    marks = there.fields.get("env") or {}
    env = {name: values.get(name, mark) if isinstance(mark, str) else mark for name, mark in marks.items()}
    return {**there.fields, "env": env} if env else dict(there.fields)
