"""`CreateVolume`: keep a volume."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.model._values import Pairs, checked, of, telling
from octossh.model.steps.base import Step
from octossh.model.steps.fields import check_docker_name, check_driver_name, label_pairs, option_pairs
from octossh.model.steps.flagging import flag

__all__ = ["CreateVolume"]


@frozen(field_transformer=telling)
class CreateVolume(Step):
    """Keep a volume.

    A volume holds data, so one that is there and differs is left as it is: the step fails and says what differs.
    No deployment removes a volume, unless `StopResource` is told to.

    Attributes:
        driver: ``local``, or that of a plugin.
        options: Of the driver, by name, such as ``{"type": "tmpfs", "device": "tmpfs"}``. They are readable by
            everyone who may talk to docker, so a secret cannot stand in them.
        labels: Further labels.
        volume_name: Default: project, environment and step joined by ``-``.
        replace: Remove a volume that differs, with all that is in it, and make it anew. Docker refuses while a
            container has it.
    """

    kind: ClassVar[str] = "create_volume"
    keeps: ClassVar[str] = "volume"

    driver: str = field(
        default="local", kw_only=True, validator=checked(check_driver_name), metadata=flag("--driver", by_hand=True)
    )
    options: Pairs[str] = field(factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("--opt"))
    labels: Pairs[str] = field(
        factory=Pairs, kw_only=True, converter=label_pairs, metadata=flag("--label", by_hand=True)
    )
    volume_name: str | None = field(
        default=None,
        kw_only=True,
        validator=checked(check_docker_name, optional=True),
        metadata=flag("NAME", by_hand=True, kept=False),
    )
    replace: bool = field(default=False, kw_only=True, validator=of(bool))

    @property
    def given_name(self) -> str | None:
        """Docker's name for the volume, where the user gave one."""
        return self.volume_name

    @property
    def replaces(self) -> bool:
        """Only where that was asked for."""
        return self.replace
