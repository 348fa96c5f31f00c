"""`RunContainer`: keep one container of an image running."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import checked, of
from octossh.model.images import Image  # noqa: F401 - inherited fields: at the constructor, their types are sought here
from octossh.model.steps.container_steps import ContainerStep
from octossh.model.steps.fields import check_docker_name, check_restart_policy, seconds
from octossh.model.steps.flagging import flag, normalised
from octossh.model.steps.parts import HealthCheck  # noqa: F401 - see Image
from octossh.model.steps.probes import Probe
from octossh.model.steps.strategies import Replace, Strategy

__all__ = ["RunContainer"]


@frozen(field_transformer=normalised)
class RunContainer(ContainerStep):
    """Keep one container of an image running.

    Fields have the names of ``docker run``'s options. A container whose description and digest are the
    wanted ones, and which runs, is left alone.

    Attributes:
        restart: ``no``, ``always``, ``unless-stopped`` or ``on-failure[:N]``.
        container_name: Default: project, environment and step joined by ``-``.
        health: `Http`, `Tcp`, `Command` or `LogLine`. None: its health check if it has one, else that it runs.
        healthy_timeout_s: Seconds that a new container has to become healthy.
        monitor_s: Seconds that it must then stay so, without a restart (5, as in Swarm's ``--update-monitor``).
        strategy: How the old container makes way: `Replace` or `StartFirst`.
    """

    kind: ClassVar[str] = "run_container"
    keeps: ClassVar[str] = "container"

    restart: str = field(
        default="no", kw_only=True, validator=checked(check_restart_policy), metadata=flag("--restart", by_hand=True)
    )
    container_name: str | None = field(
        default=None,
        kw_only=True,
        validator=checked(check_docker_name, optional=True),
        metadata=flag("--name", by_hand=True, kept=False),
    )
    health: Probe | None = field(
        default=None,
        kw_only=True,
        validator=of(Probe, optional=True, advice="give octossh.Http(8080), Tcp, Command or LogLine"),
    )
    healthy_timeout_s: float = field(default=60.0, kw_only=True, validator=seconds)
    monitor_s: float = field(default=5.0, kw_only=True, validator=seconds)
    strategy: Strategy = field(
        factory=Replace, kw_only=True, validator=of(Strategy, advice="give octossh.Replace() or octossh.StartFirst()")
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for objection in self.strategy.objections(self):
            raise ModelError(f"RunContainer {self.name!r}: {objection}")

    @property
    def given_name(self) -> str | None:
        """Docker's name for the container, where the user gave one."""
        return self.container_name
