"""`SwarmService` and `SwarmStack`: what a Docker Swarm shall run, through one of its managers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Pairs, as_json, checked, of, slug, telling, words
from octossh.model.images import Image
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import LITERAL, MAY_BE_SECRET, Part, Step
from octossh.model.steps.compose import ComposeStep
from octossh.model.steps.compose_files import active_document
from octossh.model.steps.fields import (
    check_host_name,
    check_network_name,
    check_plain,
    env_pairs,
    label_pairs,
    matching,
    seconds,
)
from octossh.model.steps.normal import cpu_count, publish, size, target_of, volume

__all__ = ["SwarmService", "SwarmStack", "SwarmUpdate"]

_check_stack = matching(
    r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,38}[a-zA-Z0-9])?", "a name of a stack (at most 40 letters, digits, _ and -)"
)
_check_order = matching(r"stop-first|start-first", "an order; write 'stop-first' or 'start-first'")
_check_action = matching(r"rollback|pause|continue", "an action; write 'rollback', 'pause' or 'continue'")
_check_mode = matching(r"replicated|global", "a mode; write 'replicated' or 'global'")
_check_file_name = matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}", "the name of a file in /run/secrets")


def _stack_name(made: str) -> str:
    """The name *made* of project, environment and perhaps step, as swarm takes it for a stack."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", made)[:40].strip("-_")


def _share(_instance: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ModelError(f"{attribute.name} is {value!r}; give a share, from 0 to 1")


def _count(instance: Any, attribute: Any, value: Any) -> None:
    of(int)(instance, attribute, value)
    if not 0 <= value <= 10_000:
        raise ModelError(f"{attribute.name} is {value!r}; give a number from 0 to 10000")


def _files(value: Any) -> Pairs[SecretRef]:
    pairs: Pairs[Any] = Pairs(value)
    for name, ref in pairs.items():
        _check_file_name(name)
        if not isinstance(ref, SecretRef):
            raise ModelError(f"{name} is a {type(ref).__name__}; write octossh.secret('NAME')")
    return pairs


def _configs(value: Any) -> Pairs[str | SecretRef]:
    pairs: Pairs[Any] = Pairs(value)
    for path, content in pairs.items():
        target_of(path)
        if not isinstance(content, str | SecretRef):
            raise ModelError(f"{path}: {content!r} is neither text nor octossh.secret(...)")
    return pairs


def _check_publish(text: str) -> None:
    if not re.fullmatch(r"(\d+:)?\d+(/\w+)?", publish(text)):
        raise ModelError(f"{text!r}: swarm publishes single ports, on each address of a node; write '8080:80'")


@frozen(kw_only=True, field_transformer=telling)
class SwarmUpdate(Part):
    """How swarm goes over the tasks of a service when it changes them, or takes a change back.

    Attributes:
        parallelism: How many at once; 0 is all.
        delay_s: Seconds between two of them.
        order: ``stop-first``, or ``start-first``: the new task runs before the old one is stopped.
        failure_action: What follows on too many failures: ``rollback``, ``pause`` or ``continue``.
        monitor_s: Seconds after its start in which the end of a task counts as a failure.
        max_failure_ratio: The share of tasks that may fail.
    """

    parallelism: int = field(default=1, validator=_count)
    delay_s: float = field(default=0.0, validator=seconds)
    order: str = field(default="stop-first", validator=checked(_check_order))
    failure_action: str = field(default="rollback", validator=checked(_check_action))
    monitor_s: float = field(default=5.0, validator=seconds)
    max_failure_ratio: float = field(default=0.0, validator=_share)


@frozen(field_transformer=telling)
class SwarmService(Step):
    """Keep a service running in a Docker Swarm.

    It goes through one of the targets of its roles that is a manager of the swarm; the swarm decides on which nodes
    the tasks run. Where the service is the wanted one and all of its tasks run, nothing is done. Otherwise swarm
    updates it, and the step waits until that is complete; where the new tasks fail, swarm takes the old ones back,
    and the step fails and says so.

    Attributes:
        image: From `Registry.image`; the release says which tag and digest.
        command: Words that replace the image's command.
        entrypoint: Words that replace the image's entrypoint.
        env: Environment variables: text, numbers, or `octossh.secret`; everybody who may inspect the service sees
            them. For what nobody shall see there is *secret_files*.
        mode: ``replicated``, or ``global``: one task on each node.
        replicas: How many tasks; of the mode ``replicated``.
        publish: Ports, such as ``8080:80`` or ``53:53/udp``.
        publish_mode: ``ingress``: on each node, for all tasks; ``host``: on the node of a task only.
        networks: Overlay networks that are there, by name. None: one that all services of the stack share.
        aliases: Further names by which others in these networks find it; one is the name of the step.
        volumes: ``/on/node:/in/container`` or ``name:/in/container``, and ``:ro``.
        secret_files: Secrets by the name of their file in ``/run/secrets``. They are kept by swarm, encrypted; another
            value is another secret there, and the one before is removed once the new tasks run.
        configs: Files by their path in the container: text, or `octossh.secret`. Swarm keeps them likewise.
        constraints: Which nodes it may run on, such as ``node.role==worker``.
        labels: Further labels of the service.
        container_labels: Labels of its containers.
        cpus: The most that a task may use, such as ``0.5``.
        memory: The most that a task may use, such as ``256m``.
        reserve_cpus: What a node must have free for a task.
        reserve_memory: Likewise.
        user: By whom the command is run.
        stop_grace_s: Seconds between SIGTERM and SIGKILL.
        update: How swarm goes over the tasks.
        rollback: The same for taking a change back. None: as *update*.
        extra: Further keys of the service as a compose file of version 3.8 writes them, such as
            ``{"healthcheck": {"test": ["CMD", "true"]}}``.
        stack: The stack that it belongs to; the service is called ``STACK_STEP``. Default: project and environment
            joined by ``-``.
        converge_timeout_s: Seconds in which all tasks have to run.
        monitor_s: Seconds that they must then go on running.
    """

    kind: ClassVar[str] = "swarm_service"
    keeps: ClassVar[str] = "stack"

    image: Image = field(
        kw_only=True, validator=of(Image, advice="make one with octossh.Registry(...).image('acme/web')")
    )
    command: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_plain))
    entrypoint: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_plain))
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=env_pairs, metadata=MAY_BE_SECRET)
    mode: str = field(default="replicated", kw_only=True, validator=checked(_check_mode))
    replicas: int = field(default=1, kw_only=True, validator=_count)
    publish: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_check_publish))
    publish_mode: str = field(
        default="ingress",
        kw_only=True,
        validator=checked(matching(r"ingress|host", "a mode; write 'ingress' or 'host'")),
    )
    networks: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_network_name))
    aliases: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_host_name))
    volumes: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(volume))
    secret_files: Pairs[SecretRef] = field(factory=Pairs, kw_only=True, converter=_files)
    configs: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=_configs, metadata=MAY_BE_SECRET)
    constraints: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_plain))
    labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=label_pairs)
    container_labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=label_pairs)
    cpus: str | None = field(default=None, kw_only=True, validator=checked(cpu_count, optional=True))
    memory: str | None = field(default=None, kw_only=True, validator=checked(size, optional=True))
    reserve_cpus: str | None = field(default=None, kw_only=True, validator=checked(cpu_count, optional=True))
    reserve_memory: str | None = field(default=None, kw_only=True, validator=checked(size, optional=True))
    user: str | None = field(default=None, kw_only=True, validator=checked(check_plain, optional=True))
    stop_grace_s: int = field(default=10, kw_only=True, validator=[of(int), seconds])
    update: SwarmUpdate = field(factory=SwarmUpdate, kw_only=True, validator=of(SwarmUpdate))
    rollback: SwarmUpdate | None = field(default=None, kw_only=True, validator=of(SwarmUpdate, optional=True))
    extra: Mapping[str, Any] = field(factory=dict, kw_only=True, eq=as_json, metadata=LITERAL)
    stack: str | None = field(default=None, kw_only=True, validator=checked(_check_stack, optional=True))
    converge_timeout_s: float = field(default=300.0, kw_only=True, validator=seconds)
    monitor_s: float = field(default=5.0, kw_only=True, validator=seconds)

    def __attrs_post_init__(self) -> None:
        where = f"SwarmService {self.name!r}"
        _check_place(where, self)
        if self.mode == "global" and self.replicas != 1:
            raise ModelError(f"{where}: mode 'global' runs one task on each node; leave replicas out")
        if self.aliases and not self.networks:
            raise ModelError(f"{where}: aliases need a network of your own; add networks=[...]")
        if self.rollback is not None and self.rollback.failure_action == "rollback":
            raise ModelError(f"{where}: a rollback that fails is not rolled back; give it failure_action='pause'")
        if not isinstance(self.extra, Mapping) or "image" in self.extra or "deploy" in self.extra:
            raise ModelError(f"{where}: extra is a mapping of keys of a compose service, without image and deploy")

    @property
    def runs_on(self) -> str:
        """A manager."""
        return "manager"

    @property
    def given_name(self) -> str | None:
        """The stack, where the user gave one."""
        return self.stack

    @classmethod
    def docker_name(cls, project: str, environment: str, _step: str) -> str:
        """The stack."""
        return _stack_name(f"{project}-{environment}")

    @property
    def service(self) -> str:
        """Its name in the stack."""
        return re.sub(r"[^a-z0-9_-]", "-", slug(self.name))


def _check_place(where: str, step: Step) -> None:
    if step.rolling is not None:
        raise ModelError(
            f"{where}: swarm itself goes over its nodes; leave rolling out, and see update_config or update="
        )


@frozen(field_transformer=telling)
class SwarmStack(ComposeStep):
    """Keep the services of a compose file running in a Docker Swarm, as ``docker stack deploy`` does.

    It goes through one of the targets of its roles that is a manager. Where all services are the wanted ones and their
    tasks run, nothing is done. Otherwise the stack is deployed, and the step waits until each service has converged.
    What follows on tasks that fail is said by ``deploy.update_config`` in the file: with ``failure_action: rollback``
    swarm takes the old ones back, and the step fails and says so.

    Attributes:
        secret_files: Values for ``secrets`` at the top of the file, by their name there; swarm keeps them, encrypted.
            Another value is another secret, and the one before is removed once the new tasks run.
        prune: Remove services that are not in the file any more.
        stack: Docker's name of the stack. Default: project, environment and step joined by ``-``.
        converge_timeout_s: Seconds in which all tasks have to run.
        monitor_s: Seconds that they must then go on running.
    """

    kind: ClassVar[str] = "swarm_stack"
    keeps: ClassVar[str] = "stack"

    secret_files: Pairs[SecretRef] = field(factory=Pairs, kw_only=True, converter=_files)
    prune: bool = field(default=True, kw_only=True, validator=of(bool))
    stack: str | None = field(default=None, kw_only=True, validator=checked(_check_stack, optional=True))
    converge_timeout_s: float = field(default=300.0, kw_only=True, validator=seconds)
    monitor_s: float = field(default=5.0, kw_only=True, validator=seconds)

    def _check(self) -> None:
        _check_place("a stack", self)
        known = active_document(self.file).get("secrets") or {}
        if unknown := next((name for name in self.secret_files if name not in known), None):
            raise ModelError(
                f"the compose file has no secret {unknown!r} at its top; write it there, and which service uses it; "
                f"{did_you_mean(unknown, known)}"
            )
        super()._check()

    @property
    def runs_on(self) -> str:
        """A manager."""
        return "manager"

    @property
    def given_name(self) -> str | None:
        """Docker's name of the stack, where the user gave one."""
        return self.stack

    @classmethod
    def docker_name(cls, project: str, environment: str, step: str) -> str:
        """Swarm takes no dots, and no long names."""
        return _stack_name(f"{project}-{environment}-{step}")
