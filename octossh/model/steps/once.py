"""`RunOnce`: run a container to its end, on one host."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen
from attrs.validators import optional

from octossh.errors import ModelError
from octossh.model._values import checked
from octossh.model.images import Image  # noqa: F401 - inherited fields: at the constructor, their types are sought here
from octossh.model.steps.container_steps import ContainerStep
from octossh.model.steps.fields import check_idle, matching, seconds
from octossh.model.steps.flagging import normalised
from octossh.model.steps.parts import HealthCheck  # noqa: F401 - see Image

__all__ = ["RunOnce"]


@frozen(field_transformer=normalised)
class RunOnce(ContainerStep):
    """Run a container to its end, on the first of its targets: to migrate a database, say.

    Its exit code decides, and its log goes to the record. It runs once in each deployment: after a lost link it is
    found again and waited for, not started a second time. Once its end has been seen, it is removed. What an earlier
    deployment left of it is removed before it starts; where that still runs, its end is waited for.

    Attributes:
        outputs: A folder in the container. Each file in it makes ``steps.<name>.outputs.FILE`` for later steps, as
            text or as bytes, at most 1 MiB each. Not in memory (``tmpfs``), since it is read after the end.
        timeout_s: Seconds after which it is stopped, and the step fails.
        idle_timeout_s: Seconds for which it may print nothing. Then it is stopped, and the step fails, whether the link
            is there or not. Docker is asked for its last line; where its log driver keeps none, it is never silent.
            None: ``timeout_s`` alone counts.
    """

    kind: ClassVar[str] = "run_once"
    leaves: ClassVar[bool] = True

    outputs: str | None = field(
        default=None,
        kw_only=True,
        validator=checked(matching(r"/[^\0]*[^/\0]", "the path of a folder, such as '/outputs'"), optional=True),
    )

    idle_timeout_s: float | None = field(default=None, kw_only=True, validator=optional(seconds))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_idle(self, self.idle_timeout_s)
        if self.idle_timeout_s is not None and self.log_driver == "none":
            raise ModelError(
                f"RunOnce {self.name!r}: with log_driver='none' docker does not tell what it says, so nobody can see "
                "its silence; leave out idle_timeout_s, or choose another driver"
            )
        if self.rolling:
            raise ModelError(f"RunOnce {self.name!r}: it runs on one target, so there are no waves; leave out rolling")

    @property
    def runs_on(self) -> str:
        """``one`` of its targets."""
        return "one"

    @property
    def makes(self) -> str:
        """A container, for as long as it runs."""
        return "container"

    @property
    def purpose(self) -> str:
        """That it runs in one place only."""
        return "once"

    @property
    def patience_s(self) -> float:
        """Seconds after which a host that has not answered is given up: it is stopped before that."""
        return self.timeout_s + self.stop_grace_s + 60
