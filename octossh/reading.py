"""What came back: the frames of a result as snapshots and answers. Pure."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from octossh import model
from octossh.errors import ReadError, to_type
from octossh.model import GROUPS, LABELS, grouped
from octossh.model.platforms import platform
from octossh.shell import Secret

if TYPE_CHECKING:
    from octossh.model import Anchor, Resource, Runner, Snapshot
    from octossh.shell import Frame, Result

__all__ = [
    "Answer",
    "read_anchors",
    "read_answer",
    "read_container_line",
    "read_exit_code",
    "read_facts",
    "read_output",
    "read_runners",
    "read_snapshot",
]

_MOST = 1 << 20  # bytes of one output

_ONE_OFF = "com.docker.compose.oneoff"  # what `docker compose run` began belongs to no service
_STACK = "com.docker.stack.namespace"
_CHANGING = {"updating", "paused", "rollback_started", "rollback_paused"}


@frozen(kw_only=True)
class Answer:
    """How a script says that it ended.

    Attributes:
        ended: Whether it said so at all. If not, nobody knows what it did.
        state: ``succeeded``, ``failed`` or ``locked``.
        action: What was done, such as ``created`` or ``put back``.
        changed: Whether the host is another than before.
        why: The reason, in words.
        inspect: Of the container or network, without the values of secrets.
        outputs: What a script gave out: text, or bytes where they are no text in UTF-8.
        secrets: Likewise, what it marked as secret.
    """

    ended: bool = True
    state: str = ""
    action: str = ""
    changed: bool = False
    why: str = ""
    inspect: Mapping[str, Any] = field(factory=dict)
    outputs: Mapping[str, str | bytes] = field(factory=dict)
    secrets: Mapping[str, Secret] = field(factory=dict, repr=False)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Whatever else is wrong with a frame, than what has a message of its own."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReadError(f"the host answered something that is not what a script of octossh writes: {error}") from error


def read_answer(result: Result) -> Answer:
    """The answer in *result*.

    Raises:
        ReadError: A frame is not what a script of ours writes.
    """
    with _readable():
        return _answer(result)


def _answer(result: Result) -> Answer:
    ended: dict[str, Any] = {"ended": False}
    inspect: Mapping[str, Any] = {}
    outputs: dict[str, str | bytes] = {}
    secrets: dict[str, Secret] = {}
    faults = []
    for frame in result.frames:
        # Secrets come in the other stream, which may be behind this one.
        if ended["ended"] and frame.kind != "secret":
            continue
        if frame.kind == "inspect":
            inspect = _inspected(_json(frame.text))
        elif frame.kind == "files":
            files, fault = read_files(frame)
            outputs |= files
            faults += [fault] if fault else []
        elif frame.kind in {"output", "secret"}:
            name, value, fault = read_output(frame)
            if fault:
                faults.append(fault)
            elif isinstance(value, Secret):
                secrets[name] = value
            else:
                outputs[name] = value
        elif frame.kind == "end":
            ended = _ended(frame.text)
    if faults and ended.get("state") == "succeeded":
        ended |= {"state": "failed", "why": faults[0]}
    return Answer(**ended, inspect=inspect, outputs=outputs, secrets=secrets)


def _ended(text: str) -> dict[str, Any]:
    state, action, changed, *why = text.split(" ", 3)
    return {
        "ended": True,
        "state": state,
        "action": {"none": "", "put-back": "put back"}.get(action, action),
        "changed": changed == "yes",
        "why": "".join(why),
    }


def read_output(frame: Frame) -> tuple[str, str | bytes | Secret, str]:
    """Name and value of an output, and what is wrong with it, if anything.

    Raises:
        ReadError: The frame is not what a script of ours writes.
    """
    name, _, encoded = frame.text.partition(" ")
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ReadError(f"output {name!r} is not base64: {error}") from None
    value = _text_or_bytes(data)
    if len(data) > _MOST:
        return name, "", f"octossh_output {name}: the value is larger than 1 MiB; keep it in a file, and give its path"
    if frame.kind == "output":
        return name, value, ""
    if isinstance(value, bytes) or "\0" in value:
        return name, "", f"octossh_output --secret {name}: the value is no text without NUL; give it in base64"
    return name, Secret(value), ""


def read_files(frame: Frame) -> tuple[dict[str, str | bytes], str]:
    """The files of a folder, as docker packs it, by name; and what is wrong with one, if anything."""
    made: dict[str, str | bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(frame.text))) as tar:
            for member in tar:
                name = member.name.rpartition("/")[2]
                if not member.isfile():
                    continue
                if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                    return made, f"output {name!r} is no name; use letters, digits and _"
                if member.size > _MOST:
                    return made, f"output {name}: the value is larger than 1 MiB; give the path of a file instead"
                content = tar.extractfile(member)
                made[name] = _text_or_bytes(content.read() if content else b"")
    except (tarfile.TarError, EOFError, OSError) as error:
        return made, f"the folder with the outputs cannot be read ({error}), or holds more than 20 MB"
    return made, ""


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def read_snapshot(result: Result, target: str) -> Snapshot:
    """What an observing script saw on *target*.

    Raises:
        ReadError: It did not come to its end, or what it says cannot be read. A failed look is never an
            empty snapshot.
    """
    _check_seen(result, target)
    with _readable():
        resources = [
            _resource(frame.kind, _json(frame.text))
            for frame in result.frames
            if frame.kind in {"container", "network", "volume"}
        ]
        resources += [_image(frame.text) for frame in result.frames if frame.kind == "image"]
        resources += [_file(frame.text) for frame in result.frames if frame.kind == "file"]
        tasks = dict(frame.text.split(" ", 1) for frame in result.frames if frame.kind == "replicas")
        resources += [_service(_json(frame.text), tasks) for frame in result.frames if frame.kind == "service"]
    swarm = next((frame.text for frame in result.frames if frame.kind == "swarm"), "")
    said = next((frame.text for frame in result.frames if frame.kind == "docker"), "")
    docker, system, architecture, *_ = (*said.split(), "", "", "")
    return model.Snapshot(
        target=target,
        observed_at=result.started_at,
        docker=docker,
        platform=platform(system, architecture) if architecture else "",
        swarm=swarm,
        resources=tuple({(seen.kind, seen.id, seen.name): seen for seen in resources}.values()),
    )


def _check_seen(result: Result, target: str) -> None:
    answer = read_answer(result)
    if not result.frames:
        raise ReadError(_no_shell(result, target))
    if answer.state != "succeeded":
        early = f"the script ended early with exit code {result.exit_code}: {result.log.strip()[-300:]}"
        raise ReadError(f"{target}: the host could not be looked at: {_with_advice(answer.why) or early}")


def _with_advice(why: str) -> str:
    return f"{why}; see what to do: {to_type('check')}" if why.startswith("docker does not answer") else why


def read_facts(result: Result, target: str) -> dict[str, str]:
    """What a checking script told of *target*: texts by name.

    Raises:
        ReadError: It did not come to its end; the host may have no POSIX shell.
    """
    if not read_answer(result).ended:
        raise ReadError(_no_shell(result, target))
    facts = (frame.text.partition(" ") for frame in result.frames if frame.kind == "fact")
    return {name: value for name, _, value in facts}


def read_anchors(result: Result, target: str) -> tuple[Anchor, ...]:
    """The anchors on *target*, the oldest of each place first.

    Raises:
        ReadError: It did not come to its end, or a line is no anchor.
    """
    _check_seen(result, target)
    with _readable():
        words = [frame.text.split(" ") for frame in result.frames if frame.kind == "anchor"]
        return tuple(
            model.Anchor(
                target=target,
                place=place,
                seq=int(seq),
                hash=hash_,
                deployment=deployment,
                at=datetime.fromisoformat(at),
            )
            for place, seq, hash_, deployment, at in words
        )


def read_runners(result: Result, target: str) -> tuple[tuple[Runner, frozenset[str]], ...]:
    """The running containers of *target*, each with all references to its image, and the image's id.

    Raises:
        ReadError: It did not come to its end, or what it says cannot be read.
    """
    _check_seen(result, target)
    with _readable():
        images = [_json(frame.text) for frame in result.frames if frame.kind == "image"]
        known = {str(seen["Id"]): [*(seen["RepoTags"] or ()), *(seen["RepoDigests"] or ())] for seen in images}
        seen = [_json(frame.text) for frame in result.frames if frame.kind == "runner"]
        return tuple(_runner(container, known.get(str(container["Image"]), []), target) for container in seen)


def _runner(seen: Mapping[str, Any], references: Sequence[str], target: str) -> tuple[Runner, frozenset[str]]:
    labels = {key: str(seen["Labels"].get(LABELS[key]) or "") for key in ("project", "environment", "step", "release")}
    name, _, digest = str(seen["Ref"]).partition("@")
    tag = str(_fields(seen["Labels"]).get("tag") or "")
    # What octossh made was made by digest; its label knows the tag.
    image = f"{name}:{tag}" if digest and tag else name
    digests = [reference.partition("@")[2] for reference in references if "@" in reference]
    made = model.Runner(
        source="host",
        target=target,
        name=str(seen["Name"]).removeprefix("/"),
        image=image,
        digest=digest or next(iter(digests), ""),
        since=_moment(str(seen["Created"])),
        **labels,
    )
    return made, frozenset({str(seen["Image"]), image, str(seen["Ref"]), *references})


def read_container_line(line: str) -> tuple[datetime | None, str]:
    """The time that docker puts in front of what a container says, and the rest; a piece of a long line has none."""
    front, _, rest = line.partition(" ")
    at = _moment(front) if front.endswith("Z") else None
    return (None, line) if at is None else (at, rest)


def read_exit_code(result: Result, target: str) -> int:
    """How the command of an executing script ended.

    Raises:
        ReadError: It did not come to its end; docker may not be there.
    """
    _check_seen(result, target)
    with _readable():
        return next(int(frame.text) for frame in result.frames if frame.kind == "code")


def _moment(text: str) -> datetime | None:
    """A time as docker writes it: with nine decimals."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]*", r"\1", text))
    return None


def _no_shell(result: Result, target: str) -> str:
    said = result.log.strip()[-300:] or "nothing"
    return (
        f"{target}: no POSIX shell ran the script (exit code {result.exit_code}; it said: {said}); octossh needs "
        "a Linux host, reached over SSH, and a user whose login shell runs 'sh'"
    )


def _json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ReadError(f"docker's answer is not JSON: {text[:80]!r}: {error}") from None
    if not isinstance(data, dict):
        raise ReadError(f"docker's answer is not an object: {text[:80]!r}")
    return data


def _labels(inspect: Mapping[str, Any]) -> Mapping[str, str]:
    if "Spec" in inspect:
        return inspect["Spec"].get("Labels") or {}
    return inspect.get("Labels") or (inspect.get("Config") or {}).get("Labels") or {}


def _fields(labels: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        fields = json.loads(labels.get(LABELS["fields"], "{}"))
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _without_secrets(inspect: dict[str, Any]) -> dict[str, Any]:
    """*inspect* with ``***`` for the environment variables that our label says are secrets."""
    env = _fields(_labels(inspect)).get("env")
    if not isinstance(env, Mapping):
        return inspect
    secret = {name for name, value in env.items() if isinstance(value, Mapping)}
    if "Spec" in inspect:
        # Of the secrets in what it was before, no label tells any more.
        inspect.pop("PreviousSpec", None)
        config = inspect["Spec"].get("TaskTemplate", {}).get("ContainerSpec")
    else:
        config = inspect.get("Config")
    if secret and isinstance(config, dict) and config.get("Env"):
        pairs = (pair.partition("=") for pair in config["Env"])
        config["Env"] = [f"{name}=***" if name in secret else f"{name}{sep}{value}" for name, sep, value in pairs]
    return inspect


def _image(text: str) -> Resource:
    name, _, inspect = text.partition(" ")
    seen = _json(inspect)
    return model.Resource(kind="image", name=name, id=str(seen.get("Id", "")), inspect=seen)


def _file(text: str) -> Resource:
    name, end = json.JSONDecoder().raw_decode(text)
    status, content, looks, *_ = (*text[end:].split(maxsplit=2), "", "")
    if status not in {"there", "unproven"} or not looks:
        return model.Resource(kind="file", name=name, id=name, status=status)
    mode, uid, gid, user, group = looks.split("/", 4)
    what: dict[str, Any] = {"Same": content == "same"} if content in {"same", "other"} else {}
    if not what:
        what = {"Sha256": f"sha256:{content}"}
    seen = {"Name": name, "Mode": f"{int(mode, 8):04o}", "Uid": int(uid), "Gid": int(gid), "User": user, "Group": group}
    return model.Resource(kind="file", name=name, id=name, status=status, inspect={**seen, **what})


def _inspected(inspect: dict[str, Any]) -> Mapping[str, Any]:
    """What was inspected, without the values of secrets; of a group of containers, by service."""
    if "Containers" in inspect and "Id" not in inspect:
        return grouped(inspect["Name"], [_resource("container", container) for container in inspect["Containers"]])
    if "Members" in inspect:
        return grouped(inspect["Name"], [_service(service, {}) for service in inspect["Members"]])
    return _without_secrets(inspect)


def _service(inspect: dict[str, Any], tasks: Mapping[str, str]) -> Resource:
    """A service of a swarm. Its status is ``running`` where all of its tasks run and swarm is not changing it."""
    labels, name = _labels(inspect), str(inspect["Spec"]["Name"])
    made = _resource("service", {**inspect, "Name": name, "Id": inspect["ID"]})
    state = str((inspect.get("UpdateStatus") or {}).get("State", ""))
    up, _, of = tasks.get(name, "").partition(" ")[0].partition("/")
    changing = state if state in _CHANGING else f"{up} of {of} running"
    stack = labels.get(_STACK, "")
    return attrs.evolve(
        made,
        status="running" if up == of and state not in _CHANGING else changing,
        inspect=_without_secrets(inspect) if made.project else {},
        group=stack,
        member=name.removeprefix(f"{stack}_"),
    )


def _resource(kind: str, inspect: dict[str, Any]) -> Resource:
    labels = _labels(inspect)
    ours = {
        key: labels.get(LABELS[key], "") for key in ("project", "environment", "step", "release", "deployment", "spec")
    }
    state = inspect.get("State") or {}
    of = next((key for key in GROUPS if key in labels), None) if labels.get(_ONE_OFF) != "True" else None
    return model.Resource(
        kind=kind,
        name=str(inspect.get("Name", "")).removeprefix("/"),
        id=str(inspect.get("Id") or inspect.get("Name", "")),  # a volume has a name only
        fields=_fields(labels),
        status=str(state.get("Status", "")),
        health=str((state.get("Health") or {}).get("Status", "")),
        # What is not ours may hold secrets that no label tells of.
        inspect=_without_secrets(inspect) if ours["project"] else {},
        group=labels[of] if of else "",
        member=labels.get(GROUPS[of], "") if of else "",
        **ours,
    )
