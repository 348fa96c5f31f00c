"""What a step keeps on a target, as a whole that can be hashed and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from octossh.errors import PlanError
from octossh.model import Release, kept
from octossh.planning.composing import service_fields
from octossh.planning.swarming import file_names, stack_fields, swarm_fields
from octossh.shell import Secret

if TYPE_CHECKING:
    from octossh.model import (
        ComposeUp,
        ContainerStep,
        PullImage,
        PutFile,
        RunContainer,
        RunScript,
        SecretFile,
        SecretRef,
        Step,
        SwarmService,
        SwarmStack,
    )

__all__ = ["Wanted", "differing", "next_name", "old_name", "wanted_of"]


def old_name(name: str) -> str:
    """What a container is called while its successor has to prove itself; it stays where a run was cut short."""
    return f"{name}--old"


def next_name(name: str) -> str:
    """What a container is called before it takes the place of another."""
    return f"{name}--next"


@frozen
class Wanted:
    """A container, a network, a volume, an image, a group of containers or a file as it shall be.

    Attributes:
        kind: ``container``, ``network``, ``volume``, ``image``, ``compose`` or ``file``.
        name: Docker's name for it; of an image its reference, of a file its path.
        fields: All that matters, without what is left at its default; secrets by name and fingerprint.
    """

    kind: str
    name: str
    fields: Mapping[str, Any] = field(eq=False)

    @property
    def parts(self) -> Mapping[str, Wanted]:
        """What a group consists of, by the name of the service; empty for what is no group."""
        services = self.fields.get("services", {})
        kind = "service" if self.kind == "stack" else "container"
        return {name: Wanted(kind, name, fields) for name, fields in services.items()}

    @property
    def marks(self) -> Mapping[str, Any]:
        """The fields as they may stand in a label: of an environment variable a hash, not its value."""
        env = {name: _mark(value) for name, value in self.fields.get("env", {}).items()}
        return {**self.fields, "env": env} if env else self.fields

    @property
    def text(self) -> str:
        """The marks as canonical JSON."""
        return _canonical(self.marks)

    @property
    def spec(self) -> str:
        """``sha256:`` and 64 hex digits of the fields: equal where nothing that matters differs.

        The tag does not matter: the digest says what runs.
        """
        matters = {name: value for name, value in self.fields.items() if name not in {"tag", "services"}}
        if self.parts:
            matters["services"] = {name: part.spec for name, part in self.parts.items()}
        return "sha256:" + hashlib.sha256(_canonical(matters).encode()).hexdigest()


_HOLDS = {"network": "containers hang on it", "volume": "it holds data"}


def differing(wanted: Wanted) -> str:
    """The refusal where what is there differs and is not replaced."""
    return f"the {wanted.kind} {wanted.name} differs; {_HOLDS[wanted.kind]}, so remove it yourself first"


def _mark(value: Any) -> Any:
    return hashlib.sha256(value.encode()).hexdigest()[:16] if isinstance(value, str) else value


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _canonical(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@frozen
class _Context:
    """What the fields of a kind are made with, besides the step."""

    name: str
    release: Release
    secrets: Mapping[str, Secret]

    def env(self, value: str | SecretRef) -> Any:
        """A value as it may stand among the fields: of a secret its name and version."""
        if isinstance(value, str):
            return value
        if value.name not in self.secrets:
            raise PlanError(f"secret {value.name!r} has no value; set the environment variable, or give secrets=...")
        return {"secret": value.name, "version": self.secrets[value.name].fingerprint(value.name)}


def wanted_of(step: Step, name: str, release: Release, secrets: Mapping[str, Secret], template: str = "") -> Wanted:
    """What the resolved *step* keeps under the docker name *name*; *template* is a digest of the user's own.

    Raises:
        PlanError: A secret has no value.
    """
    more = _MORE.get(step.kind)
    fields = {**kept(step), **(more(step, _Context(name, release, secrets)) if more else {})}
    if template and step.makes != "file":  # a file is what it holds, however it came there
        fields["template"] = template
        if "services" in fields:
            fields["services"] = {key: {**part, "template": template} for key, part in fields["services"].items()}
    return Wanted(step.makes, name, {"v": _TEMPLATES, **fields})


_TEMPLATES = 1
"""Goes up when the templates make something else of the same fields, so that all that they made before is replaced."""


def _stack(step: SwarmStack, context: _Context) -> dict[str, Any]:
    services = stack_fields(step, context.release, context.env)
    files = file_names(step, context.name, context.env)
    made = {name: {"v": _TEMPLATES, **fields} for name, fields in services.items()}
    return _given({"services": made, "files": files, "orphans": "" if step.prune else "left"})


def _service(step: SwarmService, context: _Context) -> dict[str, Any]:
    fields = swarm_fields(step, context.release, context.env)
    files = file_names(step, context.name, context.env)
    return _given({"services": {step.service: {"v": _TEMPLATES, **_given(fields)}}, "files": files, "orphans": "left"})


def _compose(step: ComposeUp, context: _Context) -> dict[str, Any]:
    jobs = step.all_jobs
    services = {
        name: {"v": _TEMPLATES, **fields, **({"job": True} if name in jobs else {})}
        for name, fields in service_fields(step, context.release, context.env).items()
    }
    return _given({"services": services, "orphans": "" if step.remove_orphans else "left"})


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    # What is at its default is left out, so that a field that octossh learns later changes no hash made before.
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, 0, False)}


def _container(step: RunContainer, context: _Context) -> dict[str, Any]:
    late = getattr(step.strategy, "network", None)
    return {**_once(step, context), **({"joins_when_healthy": late} if late else {})}


def _file(item: SecretFile, context: _Context) -> dict[str, Any]:
    if isinstance(item.secret, str):
        raise PlanError("a secret file is made of a variable that is no secret; define it as octossh.secret('NAME')")
    return {**context.env(item.secret), **kept(item)}


def _once(step: ContainerStep, context: _Context) -> dict[str, Any]:
    env = {name: context.env(value) for name, value in step.env.items()}
    files = {path: _file(item, context) for path, item in step.secret_files.items()}
    texts = {path: f"{_sha256(item.content)} {item.mode} {item.owner}" for path, item in step.files.items()}
    more = {"env": env, "secret_files": files, "files": texts}
    return {**_image(step, context), **{name: value for name, value in more.items() if value}}


def _image(step: PullImage | ContainerStep, context: _Context) -> dict[str, Any]:
    pin = context.release.pin(step.image)
    return {"image": pin.reference, "tag": pin.tag}


def _script(step: RunScript, context: _Context) -> dict[str, Any]:
    # For the labels of its container, which say which of its variables are secret.
    assert step.image is not None
    pin = context.release.pin(step.image)
    env = {name: context.env(value) for name, value in step.env.items()}
    return {"image": pin.reference, "tag": pin.tag, "env": env}


def _put(step: PutFile, context: _Context) -> dict[str, Any]:
    content = context.env(step.content)
    if isinstance(content, str):
        content = _sha256(content)
    owners = {name: value for name in ("owner", "group") if (value := getattr(step, name)) is not None}
    return {"content": content, "mode": f"{int(step.mode, 8):04o}", **owners}


_MORE: dict[str, Callable[[Any, _Context], dict[str, Any]]] = {
    "compose_up": _compose,
    "pull_image": _image,
    "put_file": _put,
    "run_container": _container,
    "run_once": _once,
    "run_script": _script,
    "swarm_service": _service,
    "swarm_stack": _stack,
}
"""What is kept besides what the fields say."""
