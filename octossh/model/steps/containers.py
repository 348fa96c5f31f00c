"""`RunContainer`: keep one container of an image running."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of, telling, words
from octossh.model.images import Image
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import MAY_BE_SECRET, Step
from octossh.model.steps.fields import (
    check_docker_name,
    check_host_name,
    check_network_name,
    check_plain,
    check_port_mapping,
    check_restart_policy,
    check_volume,
    env_pairs,
    label_pairs,
    seconds,
)
from octossh.model.steps.probes import Probe
from octossh.model.steps.strategies import Replace, Strategy

__all__ = ["RunContainer"]


@frozen(field_transformer=telling)
class RunContainer(Step):
    """Keep one container of an image running.

    Fields have the names of ``docker run``'s options. A container whose description and digest are the
    wanted ones, and which runs, is left alone.

    Attributes:
        image: From `Registry.image`; the release says which tag and digest.
        command: Words that replace the image's command.
        env: Environment variables: text, numbers, or `octossh.secret`.
        publish: Ports, such as ``8080:80``.
        networks: Networks by name; the container joins all of them.
        aliases: Names by which other containers in these networks find it.
        volumes: ``/on/host:/in/container`` or ``name:/in/container``, and ``:ro``.
        labels: Further labels.
        restart: ``no``, ``always``, ``unless-stopped`` or ``on-failure[:N]``.
        extra_args: Further options of ``docker create``, one word each.
        container_name: Default: project, environment and step joined by ``-``.
        health: `Http`, `Tcp`, `Command` or `LogLine`. None: the image's HEALTHCHECK if it has one, else that it runs.
        healthy_timeout_s: Seconds that a new container has to become healthy.
        monitor_s: Seconds that it must then stay so, without a restart (5, as in Swarm's ``--update-monitor``).
        stop_grace_s: Seconds between SIGTERM and SIGKILL when it is stopped.
        strategy: How the old container makes way.
    """

    kind: ClassVar[str] = "run_container"
    keeps: ClassVar[str] = "container"

    image: Image = field(
        kw_only=True, validator=of(Image, advice="make one with octossh.Registry(...).image('acme/web')")
    )
    command: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_plain))
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=env_pairs, metadata=MAY_BE_SECRET)
    publish: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_port_mapping))
    networks: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_network_name))
    aliases: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_host_name))
    volumes: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_volume))
    labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=label_pairs)
    restart: str = field(default="no", kw_only=True, validator=checked(check_restart_policy))
    extra_args: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_plain))
    container_name: str | None = field(default=None, kw_only=True, validator=checked(check_docker_name, optional=True))
    health: Probe | None = field(
        default=None,
        kw_only=True,
        validator=of(Probe, optional=True, advice="give octossh.Http(8080), Tcp, Command or LogLine"),
    )
    healthy_timeout_s: float = field(default=60.0, kw_only=True, validator=seconds)
    monitor_s: float = field(default=5.0, kw_only=True, validator=seconds)
    stop_grace_s: int = field(default=10, kw_only=True, validator=[of(int), seconds])
    strategy: Strategy = field(factory=Replace, kw_only=True, validator=of(Strategy, advice="give octossh.Replace()"))

    def __attrs_post_init__(self) -> None:
        if self.aliases and not self.networks:
            raise ModelError(f"RunContainer {self.name!r}: aliases need a network of your own; add networks=[...]")

    @property
    def given_name(self) -> str | None:
        """Docker's name for the container, where the user gave one."""
        return self.container_name
