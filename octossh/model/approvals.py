"""Approvals: what somebody is asked before a deployment goes on, and what they answer."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, of, sorted_names, telling

__all__ = ["Approval", "ApprovalRequest"]


@frozen(kw_only=True)
class ApprovalRequest(Described):
    """What is asked.

    Attributes:
        step: The name of the step.
        instructions: What to look at before answering; Markdown.
        approvers: Who may answer; none: anybody.
        project: What is deployed; so are release and environment.
        deployment: The id of the deployment, which has begun.
        by: Who deploys.
    """

    step: str
    instructions: str
    approvers: tuple[str, ...]
    project: str
    release: str
    environment: str
    deployment: str
    by: str


def _check_by(_instance: Any, _attribute: Any, by: Any) -> None:
    if not isinstance(by, str) or not by.strip() or "\n" in by:
        raise ModelError(f"an approval needs the name of whoever gives it, on one line, not {by!r}")


@frozen(field_transformer=telling)
class Approval(Described):
    """What somebody answered.

    Attributes:
        approved: Whether the deployment goes on.
        by: Who says so.
        notes: Why; stands in the record.
        groups: Of the operating system, that whoever says so is in.
    """

    approved: bool = field(validator=of(bool))
    by: str = field(kw_only=True, validator=_check_by)
    notes: str = field(default="", kw_only=True, validator=of(str))
    groups: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
