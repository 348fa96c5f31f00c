"""Values of the model as rows of a store, and back; canonical JSON and the hashes over it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from octossh.errors import ModelError, RecordError
from octossh.model import Deployment, Event, Mode, Options, Outcome, Pairs, Pin, Release, State
from octossh.model.serialising import from_dict, to_dict

__all__ = [
    "GENESIS",
    "TOMBSTONE",
    "Row",
    "canonical",
    "clean",
    "deployment_of",
    "deployment_row",
    "event_hash",
    "event_of",
    "event_row",
    "is_tombstone",
    "moment_of",
    "outcome_of",
    "outcome_row",
    "pins_of",
    "release_fault",
    "release_of",
    "release_row",
    "sha256",
    "subject_hash",
    "time_text",
    "tombstone",
]

Row = dict[str, Any]

GENESIS = "0" * 64
"""What the first event follows."""

_NO_OPTIONS = Options()
_UNHASHED = {"hash", "position", "seq", "token"}
_TRUTH = {0: False, 1: True}  # SQLite has no other


def clean(text: str) -> str:
    r"""*text* without what some database does not take: it becomes ``\udc80`` or ``\x00`` in letters.

    Lone surrogates come from output that was not UTF-8, and NUL from programs that write binary data; a record
    that is a little ugly is better than none.
    """
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def canonical(data: object, what: str = "this") -> str:
    """*data* as JSON that is the same wherever it is made: ASCII, keys sorted, no blanks, no NaN.

    Raises:
        ModelError: JSON cannot hold it.
    """
    try:
        return json.dumps(
            data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"{what} cannot be recorded, since JSON cannot hold it: {error}") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def sha256(text: str) -> str:
    """The SHA-256 of *text* in UTF-8, in hex."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def time_text(moment: datetime, what: str = "a time") -> str:
    """*moment* in UTC, in ISO 8601 with six decimals, so that text sorts as time does.

    Raises:
        ModelError: It does not say its time zone.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ModelError(f"{what} {moment.isoformat()} does not say its time zone; use datetime.now(UTC)")
    try:
        return moment.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        raise ModelError(f"{what} {moment.isoformat()} is outside of the calendar in UTC") from None


def moment_of(text: str) -> datetime:
    """The time that `time_text` wrote."""
    return datetime.fromisoformat(text)


def _optional(moment: datetime | None, what: str) -> str | None:
    return None if moment is None else time_text(moment, what)


def _cleaned(row: Row) -> Row:
    return {name: clean(value) if isinstance(value, str) else value for name, value in row.items()}


def release_row(release: Release) -> Row:
    """The row of *release*, without ``seq``."""
    body = canonical(to_dict(release), f"release {release.number!r}")
    return _cleaned(
        {
            "project": release.project,
            "number": release.number,
            "created_at": time_text(release.created_at, "the release's created_at"),
            "body": body,
            "sha256": sha256(body),
        }
    )


TOMBSTONE = '{"number":'
"""How the body begins of a release that was removed; that of any other begins with another field."""


def tombstone(project: str, number: str, at: datetime) -> str:
    """What stays of a release that was removed: its number, so that nobody gives it again."""
    return clean(canonical({"number": number, "project": project, "removed_at": time_text(at)}))


def is_tombstone(row: Row) -> bool:
    """Whether the release of *row* was removed."""
    return str(row["body"]).startswith(TOMBSTONE)


def release_fault(row: Row) -> str:
    """What was changed in the row of a release, or nothing."""
    try:
        if sha256(row["body"]) != row["sha256"]:
            return "its text is not what was recorded"
        body = json.loads(row["body"])
        if (clean(body["project"]), clean(body["number"])) != (row["project"], row["number"]):
            return "it was recorded under another name"
    except (AttributeError, KeyError, TypeError, ValueError):
        return "its text is not what was recorded"
    return ""


def release_of(row: Row, where: str) -> Release:
    """The release of *row*.

    Raises:
        RecordError: It is not what was recorded.
    """
    fault = release_fault(row)
    if not fault and is_tombstone(row):
        at = json.loads(row["body"])["removed_at"][:10]
        raise ModelError(
            f"release {row['number']!r} of {row['project']!r} was removed from {where} on {at}, as the lifecycle says; "
            "take another one"
        )
    if not fault:
        try:
            return _release(row["body"])
        except ModelError as error:
            fault = str(error)
    raise _unusable(row, where, fault)


def pins_of(row: Row, where: str) -> tuple[Pin, ...]:
    """What the release of *row* pins, without putting the rest of it together; of one that was removed, nothing.

    Raises:
        RecordError: It is not what was recorded.
    """
    fault = release_fault(row)
    if not fault and is_tombstone(row):
        return ()
    if not fault:
        try:
            body = json.loads(row["body"])
            return from_dict(tuple[Pin, ...], body["pins"]) if "pins" in body else _release(row["body"]).pins
        except ModelError as error:
            fault = str(error)
    raise _unusable(row, where, fault)


def _unusable(row: Row, where: str, fault: str) -> RecordError:
    return RecordError(
        f"store {where}: release {row['number']!r} of {row['project']!r} cannot be used: {fault}; "
        "create a new release, and see what 'octossh audit verify' finds"
    )


@functools.lru_cache(maxsize=16)
def _release(body: str) -> Release:
    """What stands in *body*. A release never changes, and a process that stays deploys the same ones again."""
    return from_dict(Release, json.loads(body))


def deployment_row(deployment: Deployment) -> Row:
    """The row of *deployment*, without ``seq`` and without its outcomes."""
    return _cleaned(
        {
            "id": deployment.id,
            "project": deployment.project,
            "release": deployment.release,
            "environment": deployment.environment,
            "mode": deployment.mode.value,
            "state": deployment.state.value,
            "started_at": time_text(deployment.started_at, "the deployment's started_at"),
            "finished_at": _optional(deployment.finished_at, "the deployment's finished_at"),
            "by": deployment.by,
            "controller": deployment.controller,
            "error": deployment.error,
            "said": _said(deployment),
        }
    )


def _said(deployment: Deployment) -> str | None:
    """What was said for it, and what it left out; None, as in rows from before there was such a thing, if nothing."""
    if not deployment.options and not deployment.left_out:
        return None
    data = {"options": to_dict(deployment.options), "left_out": list(deployment.left_out)}
    return canonical(data, f"what was said for deployment {deployment.id!r}")


def deployment_of(row: Row, outcomes: Iterable[Outcome]) -> Deployment:
    """The deployment of *row*, with the state that stands there."""
    said = {} if row["said"] is None else json.loads(row["said"])
    return Deployment(
        id=row["id"],
        project=row["project"],
        release=row["release"],
        environment=row["environment"],
        mode=Mode(row["mode"]),
        state=State(row["state"]),
        started_at=moment_of(row["started_at"]),
        finished_at=None if row["finished_at"] is None else moment_of(row["finished_at"]),
        by=row["by"],
        controller=row["controller"],
        error=row["error"],
        outcomes=tuple(outcomes),
        options=from_dict(Options, said["options"]) if said else _NO_OPTIONS,
        left_out=tuple(said["left_out"]) if said else (),
    )


def outcome_row(deployment: str, position: int, outcome: Outcome) -> Row:
    """The row of *outcome*, as the *position*-th to end."""
    what = f"the outcome of {outcome.step!r} on {outcome.target!r}"
    return _cleaned(
        {
            "deployment": deployment,
            "step": outcome.step,
            "target": outcome.target,
            "position": position,
            "state": outcome.state.value,
            "action": outcome.action,
            "changed": bool(outcome.changed),
            "why": outcome.why,
            "started_at": _optional(outcome.started_at, f"{what}: started_at"),
            "finished_at": _optional(outcome.finished_at, f"{what}: finished_at"),
            "exit_code": outcome.exit_code,
            "script": outcome.script,
            "log": outcome.log,
            "inspect": canonical(outcome.inspect, f"{what}: inspect"),
            "outputs": canonical(to_dict(outcome.outputs), f"{what}: outputs"),
        }
    )


def outcome_of(row: Row) -> Outcome:
    """The outcome of *row*."""
    return Outcome(
        step=row["step"],
        target=row["target"],
        state=State(row["state"]),
        action=row["action"],
        changed=_TRUTH[row["changed"]],
        why=row["why"],
        started_at=None if row["started_at"] is None else moment_of(row["started_at"]),
        finished_at=None if row["finished_at"] is None else moment_of(row["finished_at"]),
        exit_code=row["exit_code"],
        script=row["script"],
        log=row["log"],
        inspect=json.loads(row["inspect"]),
        outputs=from_dict(Pairs[str | bytes], json.loads(row["outputs"])),
    )


def event_row(event: Event, seq: int, prev_hash: str, subject_sha256: str) -> Row:
    """The row of *event* as the *seq*-th of the chain, with its hash."""
    row = _cleaned(
        {
            "seq": seq,
            "version": event.version,
            "type": event.type,
            "at": time_text(event.at, "the event's time"),
            "deployment": event.deployment or None,
            "step": event.step,
            "target": event.target,
            "data": canonical(event.data, f"the data of event {event.type!r}"),
            "subject_sha256": subject_sha256,
            "prev_hash": prev_hash,
        }
    )
    return {**row, "hash": event_hash(row)}


def event_of(row: Row) -> Event:
    """The event of *row*."""
    return Event(
        type=row["type"],
        at=moment_of(row["at"]),
        deployment=row["deployment"] or "",
        step=row["step"],
        target=row["target"],
        data=json.loads(row["data"]),
        version=row["version"],
    )


def event_hash(row: Row) -> str:
    """The SHA-256 over the canonical JSON of all columns of an event but ``hash``; so over ``prev_hash`` too.

    ``data`` goes in as the text that it is, so that nothing hangs on how a number is written.
    """
    return sha256(canonical({name: value for name, value in row.items() if name != "hash"}))


def subject_hash(row: Row, outcomes: Iterable[Row] = ()) -> str:
    """The SHA-256 over what an event speaks of: an outcome, or a deployment with its outcomes in order."""
    rows = [
        # A column that came later is hashed where something stands in it: what was recorded before keeps its hash.
        {
            name: _TRUTH[value] if name == "changed" else value
            for name, value in item.items()
            if name not in _UNHASHED and (name, value) != ("said", None)
        }
        for item in (row, *outcomes)
    ]
    return sha256(canonical(rows))
