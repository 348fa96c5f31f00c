"""`Approve`: stop until somebody says that the deployment may go on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import of, sorted_names, telling
from octossh.model.steps.base import LITERAL, Step

__all__ = ["Approve"]


@frozen(field_transformer=telling)
class Approve(Step):
    """Stop until somebody approves: what comes after it runs only then.

    Who is asked is up to the space: ``Space(approve=...)``, or the command at a terminal, or its ``--approve``. Where
    nobody can be asked, the deployment waits there in the store until somebody has answered; see `Space.go_on`. The
    answer stands in the record, with who gave it and why, and in ``steps.<name>.outputs.by`` and ``.notes``. Nothing is
    sent to a host, and no host is locked meanwhile. ``timeout_s`` does not count here.

    Attributes:
        instructions: What to look at before answering; Markdown.
        approvers: Who may answer: names, of the user who runs the command or as ``Space(approve=...)`` gives them;
            ``@ops``: whoever is in the group ``ops`` of the operating system there. None: anybody.
    """

    kind: ClassVar[str] = "approve"
    verb: ClassVar[str] = "ask"
    scripted: ClassVar[bool] = False

    instructions: str = field(default="", kw_only=True, validator=of(str))
    approvers: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names, metadata=LITERAL)

    def __attrs_post_init__(self) -> None:
        if self.roles or self.rolling:
            raise ModelError(f"Approve {self.name!r}: it runs on no target; leave out roles and rolling")

    @property
    def runs_on(self) -> str:
        """The ``controller``."""
        return "controller"

    @property
    def reads_only(self) -> bool:
        """It changes nothing itself."""
        return True

    @property
    def purpose(self) -> str:
        """Who is asked."""
        return ", ".join(self.approvers) or "anybody"

    def admits(self, by: str, groups: Iterable[str] = ()) -> bool:
        """Whether *by* may answer, who is in these groups; ``ada@desk`` is ``ada``."""
        names = {by, by.partition("@")[0], *(f"@{group}" for group in groups)}
        return not self.approvers or not names.isdisjoint(self.approvers)
