"""One step on one host: what it does there, and why."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from octossh.model import Described, Step, Target
from octossh.planning.wanting import Wanted

__all__ = ["Action", "Change", "Task", "changes_between"]


class Action(enum.Enum):
    """What one step does on one host."""

    CREATE = "create"
    PULL = "pull"
    REPLACE = "replace"
    START = "start"
    UPDATE = "update"
    STOP = "stop"
    RUN = "run"
    WAIT = "wait"
    ASK = "ask"
    KEEP = "unchanged"
    DECIDE = "decide"
    REFUSE = "refuse"
    SKIP = "skip"

    @property
    def mark(self) -> str:
        """One character for it."""
        return _MARKS[self]


_MARKS = {
    Action.CREATE: "+",
    Action.PULL: "+",
    Action.REPLACE: "~",
    Action.START: "^",
    Action.UPDATE: "~",
    Action.STOP: "-",
    Action.RUN: ">",
    Action.WAIT: ".",
    Action.ASK: "*",
    Action.KEEP: "=",
    Action.DECIDE: "?",
    Action.REFUSE: "!",
    Action.SKIP: "/",
}


@frozen
class Change(Described):
    """A field whose value differs: as text, None where there is none."""

    field: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.field}: {_short(self.old)} -> {_short(self.new)}"


def _short(text: str | None) -> str:
    if text is None:
        return "(none)"
    text = text.replace("\n", "\\n")
    return text if len(text) <= 60 else text[:57] + "..."


@frozen(kw_only=True)
class Task(Described):
    """One step on one host.

    Attributes:
        step: As the release has it, or with its expressions evaluated where that was possible.
        why: The reason for the action.
        changes: What differs from what was seen.
        wanted: What it will keep there; None for a script, or where it is not known yet.
        after: The step that has to run before this one can be worked out; empty where it is.
    """

    step: Step
    target: Target
    action: Action
    why: str = ""
    changes: tuple[Change, ...] = ()
    wanted: Wanted | None = None
    after: str = ""

    @property
    def changing(self) -> bool:
        """Whether it may change the host."""
        idle = self.action in {Action.KEEP, Action.SKIP} or self.step.when == "failure"
        return not idle and not self.step.reads_only

    def to_dict(self) -> dict[str, Any]:
        """The task as plain data."""
        return {
            "step": self.step.name,
            "kind": self.step.kind,
            "target": self.target.name,
            "action": self.action.value,
            "why": self.why,
            "changes": [change.to_dict() for change in self.changes],
            "name": self.wanted.name if self.wanted else None,
            "spec": self.wanted.spec if self.wanted else None,
            "after": self.after or None,
        }


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """The fields in which two descriptions differ, and for mappings such as ``env`` the names in them."""
    changes: list[Change] = []
    shown = [_with_image(old), _with_image(new)]
    if shown[0].get("image") == shown[1].get("image") and old.get("image") != new.get("image"):
        # The same tag and digest in another registry.
        shown = [{**fields, "image": full.get("image")} for fields, full in zip(shown, (old, new), strict=True)]
    old, new = shown
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if name not in _SEQUENCES and isinstance(before or [], list) and isinstance(after or [], list):
            changes += _items(name, before or [], after or [])
        elif isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping):
            was, will = dict(before or {}), dict(after or {})
            keys: Iterable[str] = sorted(was.keys() | will.keys())
            changes += [
                Change(f"{name} {key}", *_secret_change(was.get(key), will.get(key)))
                for key in keys
                if was.get(key) != will.get(key)
            ]
        else:
            changes.append(Change(name, _shown(before), _shown(after)))
    return tuple(changes)


_SEQUENCES = {"command", "entrypoint", "extra_args"}
"""Lists whose items mean nothing without the others."""


def _items(name: str, before: list[Any], after: list[Any]) -> list[Change]:
    """What a list has lost and won, one item each; the whole of it where only the order differs."""
    gone = [Change(name, _shown(item), None) for item in before if item not in after]
    come = [Change(name, None, _shown(item)) for item in after if item not in before]
    return gone + come or [Change(name, _shown(before), _shown(after))]


def _with_image(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with image, tag and digest as one short text."""
    made = {name: value for name, value in fields.items() if name not in {"tag", "v"}}
    if "@" in str(made.get("image", "")):
        name, _, digest = str(made["image"]).partition("@")
        made["image"] = f"{name.partition('/')[2]}:{fields.get('tag', '?')} ({digest.removeprefix('sha256:')[:12]})"
    return made


def _secret_change(old: Any, new: Any) -> tuple[str | None, str | None]:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.get("secret") == new.get("secret"):
        return _facts(old), "(another value)" if old.get("version") != new.get("version") else _facts(new)
    return _shown(old), _shown(new)


def _facts(value: Mapping[str, Any]) -> str:
    """A secret with what else is said of it, such as the mode of a file."""
    more = [f"{name} {item}" for name, item in value.items() if name not in {"secret", "version"}]
    return f"(secret {', '.join([str(value.get('secret')), *more])})"


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, Mapping) and "secret" in value:
        return f"(secret {value['secret']})"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
