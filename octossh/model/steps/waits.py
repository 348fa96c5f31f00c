"""`WaitFor`: wait until something answers."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import checked, of, telling
from octossh.model.steps.base import LITERAL, Step, check_controller
from octossh.model.steps.fields import check_container, check_host, check_place, seconds
from octossh.model.steps.probes import Command, LogLine, Probe

__all__ = ["WaitFor"]


@frozen(field_transformer=telling)
class WaitFor(Step):
    """Wait until something answers as it shall: HTTP, a port, a command, or a line in a container's log.

    It changes nothing. Until then the host asks again and again; after ``timeout_s`` the step fails with what was
    said last.

    Attributes:
        probe: `Http`, `Tcp`, `Command` or `LogLine`.
        container: Ask this container, by name or id, at its own address, such as ``{{ steps.web.inspect.Id }}``;
            a `Command` runs in it. None: ask *address*; a `Command` runs on the host.
        address: Host name or IP address.
        where: ``host``; or ``controller``: from the machine that deploys, once.
        interval_s: Seconds between two tries.
        timeout_s: Seconds until the step fails.
    """

    kind: ClassVar[str] = "wait_for"
    verb: ClassVar[str] = "wait"

    probe: Probe = field(validator=of(Probe, advice="give Http, Tcp, Command or LogLine"))
    container: str | None = field(default=None, kw_only=True, validator=checked(check_container, optional=True))
    address: str = field(default="127.0.0.1", kw_only=True, validator=checked(check_host))
    where: str = field(default="host", kw_only=True, validator=checked(check_place), metadata=LITERAL)
    interval_s: float = field(default=1.0, kw_only=True, validator=seconds)
    timeout_s: float = field(default=60.0, kw_only=True, validator=seconds)

    def __attrs_post_init__(self) -> None:
        check_controller(self, self.where)
        if self.where == "controller" and self.container is not None:
            raise ModelError(f"WaitFor {self.name!r}: the controller has no containers; leave out one of the two")
        if isinstance(self.probe, LogLine) and self.container is None:
            raise ModelError(f"WaitFor {self.name!r}: a line of which container? Add container='...'")

    @property
    def runs_on(self) -> str:
        """``each`` of its targets, or the ``controller``."""
        return "controller" if self.where == "controller" else "each"

    @property
    def reads_only(self) -> bool:
        """It changes nothing."""
        return True

    @property
    def purpose(self) -> str:
        """What it waits for, and how long at most."""
        place = "" if isinstance(self.probe, Command) else f" on {self.address}"
        return f"for {self.probe.kind}{f' in {self.container}' if self.container else place}, {self.timeout_s:g} s"

    @property
    def patience_s(self) -> float:
        """Seconds after which a host that has not answered is given up."""
        return self.timeout_s + float(getattr(self.probe, "timeout_s", 0)) + 30
