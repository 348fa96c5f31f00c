"""Planning for files on hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octossh.planning.tasks import Action, changes_between

if TYPE_CHECKING:
    from octossh.model import Resource
    from octossh.planning.tasks import Change
    from octossh.planning.wanting import Wanted

__all__ = ["file_facts", "judge_file"]

_IN_THE_WAY = {
    "folder": "is a folder",
    "link": "is a symbolic link",
    "other": "is no plain file",
    "unreadable": "cannot be read by the user who logs in",
}


def judge_file(wanted: Wanted, there: Resource | None) -> tuple[Action, str, tuple[Change, ...]]:
    """What is to be done where *there* is what stands at the path of the file."""
    if there is None:
        return Action.CREATE, f"file {wanted.name} is not there", ()
    if there.status in _IN_THE_WAY:
        return Action.REFUSE, f"{wanted.name} {_IN_THE_WAY[there.status]}; {advice(there.status)}", ()
    if changes := changes_between(_seen(wanted, there), _shown(wanted.fields)):
        return Action.REPLACE, "", changes
    if there.status == "unproven":
        return Action.REPLACE, "an earlier run was cut short", ()
    return Action.KEEP, "", ()


def advice(status: str) -> str:
    """What to do about what is in the way of a file."""
    return "let that user read it" if status == "unreadable" else "move it away, or give another path"


def file_facts(wanted: Wanted, inspect: Mapping[str, Any]) -> dict[str, Any]:
    """What later steps may know of a file that stays as it is."""
    return {"Version": version(wanted), **{name: inspect[name] for name in ("Name", "Mode", "Uid", "Gid")}}


def version(wanted: Wanted) -> str:
    """What differs where the content does: its SHA-256, or the fingerprint of a secret."""
    content = wanted.fields["content"]
    return str(content["version"] if isinstance(content, Mapping) else content)


def _shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    content = fields["content"]
    return {**fields, "content": f"(secret {content['secret']})" if isinstance(content, Mapping) else content}


def _seen(wanted: Wanted, there: Resource) -> dict[str, Any]:
    """The fields of the file that is there, as far as this one has them."""
    inspect = there.inspect
    # Whether it is the secret was decided on the host.
    content = inspect.get("Sha256", "(another)")
    seen = {"content": _shown(wanted.fields)["content"] if inspect.get("Same") else content, "mode": inspect["Mode"]}
    for name, number, text in (("owner", "Uid", "User"), ("group", "Gid", "Group")):
        if name in wanted.fields:
            seen[name] = str(inspect[number if str(wanted.fields[name]).isdigit() else text])
    return seen
