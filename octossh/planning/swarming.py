"""What a step keeps in a swarm: the services of a stack as a compose file has them, and the files that they get."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from octossh.model import SecretRef, is_swarm_service
from octossh.planning.composing import service_fields

if TYPE_CHECKING:
    from octossh.model import Release, SwarmService, SwarmStack, SwarmUpdate

__all__ = ["file_contents", "file_names", "service_document", "stack_fields", "swarm_fields"]

Mark = Callable[[str | SecretRef], Any]


def _version(mark: Any) -> str:
    text = mark if isinstance(mark, str) else f"{mark['secret']} {mark['version']}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_names(step: SwarmService | SwarmStack, stack: str, mark: Mark) -> dict[str, str]:
    """Docker's name for each secret and config, by ``secret KEY`` and ``config KEY``.

    Neither can be changed in a swarm: each version is one of its own, and the name says which.
    """
    owner = step.name if is_swarm_service(step) else ""
    made = {}
    for place, content in file_contents(step).items():
        short = hashlib.sha256(f"{owner} {place}".encode()).hexdigest()[:8]
        made[place] = f"{stack}_{short}-{_version(mark(content))}"
    return made


def file_contents(step: SwarmService | SwarmStack) -> dict[str, str | SecretRef]:
    """What is in each secret and config, by ``secret KEY`` and ``config KEY``."""
    secrets = {f"secret {key}": ref for key, ref in step.secret_files.items()}
    configs = step.configs if is_swarm_service(step) else {}
    return {**secrets, **{f"config {path}": content for path, content in configs.items()}}


def stack_fields(step: SwarmStack, release: Release, mark: Mark) -> dict[str, dict[str, Any]]:
    """All that matters of each service of the file."""
    made = service_fields(step, release, mark)
    for fields in made.values():
        for name in fields.get("shared", {}).get("secrets", {}):
            if name in step.secret_files:
                fields["shared"]["secrets"][name] = mark(step.secret_files[name])
    return made


def swarm_fields(step: SwarmService, release: Release, mark: Mark) -> dict[str, Any]:
    """All that matters of the one service."""
    pin = release.pin(step.image)
    return {
        **service_document(step),
        "image": pin.reference,
        "tag": pin.tag,
        "env": {name: mark(value) for name, value in step.env.items()},
        "networks": list(step.networks),
        "aliases": list(step.aliases),
        "secret_files": {name: mark(ref) for name, ref in step.secret_files.items()},
        "configs": {path: _version(mark(content)) for path, content in step.configs.items()},
    }


def service_document(step: SwarmService) -> dict[str, Any]:
    """The service as a compose file has it, without image, environment, networks and files."""
    made: dict[str, Any] = {
        "command": list(step.command),
        "entrypoint": list(step.entrypoint),
        "ports": [_port(text, step.publish_mode) for text in step.publish],
        "volumes": list(step.volumes),
        "labels": dict(step.container_labels),
        "user": step.user,
        "stop_grace_period": f"{step.stop_grace_s}s",
        **step.extra,
        "deploy": _deploy(step),
    }
    kept: dict[str, Any] = _without_nothing(made)
    return kept


def _port(text: str, mode: str) -> dict[str, Any]:
    ports, _, protocol = text.partition("/")
    outer, _, inner = ports.rpartition(":")
    made = {"target": int(inner), "protocol": protocol or "tcp", "mode": mode}
    return {**made, "published": int(outer)} if outer else made


def _deploy(step: SwarmService) -> dict[str, Any]:
    back = step.rollback or step.update
    limits = {"cpus": step.cpus, "memory": step.memory}
    reserved = {"cpus": step.reserve_cpus, "memory": step.reserve_memory}
    return {
        "mode": step.mode,
        **({"replicas": step.replicas} if step.mode == "replicated" else {}),
        "labels": dict(step.labels),
        "placement": {"constraints": list(step.constraints)},
        "resources": {"limits": limits, "reservations": reserved},
        "update_config": _update(step.update, step.update.failure_action),
        "rollback_config": _update(back, "pause" if back.failure_action == "rollback" else back.failure_action),
    }


def _update(update: SwarmUpdate, action: str) -> dict[str, Any]:
    return {
        "parallelism": update.parallelism,
        "delay": f"{update.delay_s:g}s",
        "order": update.order,
        "failure_action": action,
        "monitor": f"{update.monitor_s:g}s",
        "max_failure_ratio": update.max_failure_ratio,
    }


def _without_nothing(value: Any) -> Any:
    """*value* without what is empty; numbers stay."""
    if not isinstance(value, Mapping):
        return value
    made = {key: _without_nothing(item) for key, item in value.items()}
    return {key: item for key, item in made.items() if item not in (None, "", [], {}) or isinstance(item, bool | int)}
