"""Planning for what is kept as a group: the services of a compose file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from octossh.model import Resource
from octossh.planning.composing import count_of
from octossh.planning.plans import Action, Change, changes_between
from octossh.planning.wanting import Wanted

__all__ = ["judge_group"]


def judge_group(wanted: Wanted, there: Sequence[Resource]) -> tuple[Action, str, tuple[Change, ...]]:
    """What is to be done where *there* is what bears the name of the group; all of it is ours."""
    if not there:
        return Action.CREATE, f"{wanted.kind} {wanted.name} is not there", ()
    members: dict[str, list[Resource]] = {}
    for resource in there:
        members.setdefault(resource.member, []).append(resource)
    changes: list[Change] = []
    ill = ""
    for name, part in wanted.parts.items():
        seen = members.get(name, [])
        if not seen:
            changes.append(Change(f"service {name}", None, str(part.fields["image"])))
        elif differing := next((resource for resource in seen if resource.spec != part.spec), None):
            found = changes_between(differing.fields, part.marks)
            changes += [Change(f"{name} {change.field}", change.old, change.new) for change in found]
            ill = ill or f"{name} differs"
        else:
            ill = ill or _ill(part, seen)
    gone = wanted.fields.get("orphans", "removed") == "removed" and sorted(members.keys() - wanted.parts.keys())
    changes += [Change(f"service {name}", str(members[name][0].fields.get("image", "?")), None) for name in gone or ()]
    if changes or ill.endswith(" differs"):
        return Action.REPLACE, "", tuple(changes)
    if ill.endswith(" is unhealthy"):
        return Action.REPLACE, ill, ()
    return (Action.START, ill, ()) if ill else (Action.KEEP, "", ())


_WELL = {"", "healthy", "starting"}


def _ill(part: Wanted, seen: Sequence[Resource]) -> str:
    """Why the containers of one service are not as they shall be, though they are the right ones."""
    up = [resource for resource in seen if resource.running]
    if part.fields.get("job"):
        done = [resource for resource in seen if resource.status == "exited" and _exit_code(resource) == 0]
        return "" if up or done else f"{part.name} is {seen[0].status}"
    if len(up) < len(seen):
        down = [resource.health if resource.status == "running" else resource.status for resource in seen]
        return f"{part.name} is {'unhealthy' if 'unhealthy' in down else next(s for s in down if s not in _WELL)}"
    if (count := count_of(part.fields)) and count != len(seen):
        return f"{part.name} has {len(seen)} of {count} containers"
    return ""


def _exit_code(resource: Resource) -> int | None:
    state = resource.inspect.get("State")
    return state.get("ExitCode") if isinstance(state, Mapping) else None
