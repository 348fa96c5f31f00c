"""`CreateNetwork`: keep a network."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of, telling
from octossh.model.steps.base import Step
from octossh.model.steps.fields import check_address, check_docker_name, check_driver_name, check_subnet, label_pairs

__all__ = ["CreateNetwork"]


@frozen(field_transformer=telling)
class CreateNetwork(Step):
    """Keep a network.

    A network that is there and differs is not replaced, since containers hang on it: the step fails and
    says what differs.

    Attributes:
        driver: ``bridge``, or that of a plugin.
        subnet: Such as ``172.28.6.0/24``. None: docker picks one.
        gateway: An address of that subnet.
        internal: Without a way out of the host.
        labels: Further labels.
        network_name: Default: project, environment and step joined by ``-``.
    """

    kind: ClassVar[str] = "create_network"
    keeps: ClassVar[str] = "network"

    driver: str = field(default="bridge", kw_only=True, validator=checked(check_driver_name))
    subnet: str | None = field(default=None, kw_only=True, validator=checked(check_subnet, optional=True))
    gateway: str | None = field(default=None, kw_only=True, validator=checked(check_address, optional=True))
    internal: bool = field(default=False, kw_only=True, validator=of(bool))
    labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=label_pairs)
    network_name: str | None = field(default=None, kw_only=True, validator=checked(check_docker_name, optional=True))

    def __attrs_post_init__(self) -> None:
        if self.gateway is not None and self.subnet is None:
            raise ModelError(f"CreateNetwork {self.name!r}: a gateway needs its subnet; add subnet='...'")

    @property
    def given_name(self) -> str | None:
        """Docker's name for the network, where the user gave one."""
        return self.network_name

    @property
    def replaces(self) -> bool:
        """Never: containers hang on it."""
        return False
