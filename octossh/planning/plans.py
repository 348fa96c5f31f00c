"""Plans: what a deployment does on which host, and why."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from octossh.model import CONTROLLER, Described, Mode, Release, Step, Target, Templates
from octossh.planning.wanting import Wanted

__all__ = ["Action", "Change", "Plan", "Stage", "Task", "changes_between"]


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
        return self.action is not Action.KEEP and not self.step.reads_only

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


@frozen
class Stage:
    """One step over its hosts: waves one after the other, the hosts of a wave beside each other."""

    step: Step
    waves: tuple[tuple[Task, ...], ...]


@frozen(kw_only=True)
class Plan(Described):
    """What would happen on which host, and why. The same object is applied.

    Attributes:
        release: What is deployed.
        environment: Where to.
        mode: What it is, beside what succeeded there last.
        targets: All targets of the environment.
        tasks: In the order of the process, and of the targets.
        observed: Whether the hosts were looked at. If not, each host decides when its turn comes.
        notes: What else there is to know.
        templates: Of the user, with which it was made and is applied.
    """

    release: Release
    environment: str
    mode: Mode = Mode.DEPLOY
    targets: tuple[Target, ...] = ()
    tasks: tuple[Task, ...] = ()
    observed: bool = False
    notes: tuple[str, ...] = ()
    templates: Templates = field(factory=Templates)

    @property
    def has_changes(self) -> bool:
        """Whether applying it may change a host."""
        return any(task.changing for task in self.tasks)

    @property
    def refusals(self) -> tuple[Task, ...]:
        """What cannot be done; a plan with such is not applied."""
        return tuple(task for task in self.tasks if task.action is Action.REFUSE)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The tasks by step and wave."""
        return tuple(self._stages())

    def _stages(self) -> Iterator[Stage]:
        for step in self.release.process.steps:
            tasks = [task for task in self.tasks if task.step.name == step.name]
            if not tasks:
                continue
            waves, start = [], 0
            # Until one of them is a manager, which only they know.
            each = [1] * len(tasks) if step.runs_on == "manager" else [len(tasks)]
            for size in step.rolling.waves(len(tasks)) if step.rolling else each:
                waves.append(tuple(tasks[start : start + size]))
                start += size
            yield Stage(step, tuple(waves))

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "project": self.release.project,
            "release": self.release.number,
            "environment": self.environment,
            "mode": self.mode.value,
            "observed": self.observed,
            "has_changes": self.has_changes,
            "tasks": [task.to_dict() for task in self.tasks],
            "notes": list(self.notes),
        }

    @property
    def summary(self) -> str:
        """One line: how many of what."""
        if not self.has_changes:
            return "no changes"
        counts = {action: sum(task.action is action for task in self.tasks) for action in Action}
        return ", ".join(f"{count} {_counted(action)}" for action, count in counts.items() if count)

    def __str__(self) -> str:
        head = f"{self.release.project} {self.release.number} -> {self.environment} ({self.mode.value}): {self.summary}"
        lines = [head]
        for target in (*self.targets, CONTROLLER):
            tasks = [task for task in self.tasks if task.target == target]
            if not tasks:
                continue
            roles = f" ({', '.join(target.roles)})" if target.roles else ""
            lines.append(f"  {target.name}{roles}")
            for task in tasks:
                why = f"  {task.why}" if task.why else ""
                lines.append(f"    {_MARKS[task.action]} {task.action.value:9} {task.step.name}{why}")
                lines += [f"        {change}" for change in task.changes]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _counted(action: Action) -> str:
    return {Action.KEEP: "unchanged", Action.DECIDE: "to decide on the host", Action.REFUSE: "refused"}.get(
        action, f"to {action.value}"
    )


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
