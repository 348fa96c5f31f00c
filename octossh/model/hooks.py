"""Hooks: the moments of a deployment at which something of the user's is called, and what it is told."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.model._values import Described, as_json

__all__ = ["HookCall", "Moment"]


class Moment(enum.Enum):
    """When hooks are called. Only the first one can stop anything."""

    BEFORE_DEPLOY = "before_deploy"
    BEFORE_STEP = "before_step"
    AFTER_STEP = "after_step"
    FAILURE = "failure"
    AFTER_DEPLOY = "after_deploy"


@frozen(kw_only=True)
class HookCall(Described):
    """What a hook is told.

    Attributes:
        moment: When.
        at: The same by the clock, in UTC.
        deployment: Its id; so are the next five those of the deployment.
        step: Which step it is about; empty for the whole deployment. So is the next one.
        target: On which host.
        data: What else there is to say, as the event says it.
        version: Of this form; it goes up when a field changes its meaning or goes.
    """

    moment: Moment
    at: datetime
    deployment: str
    project: str
    release: str
    environment: str
    mode: str
    by: str = ""
    step: str = ""
    target: str = ""
    data: Mapping[str, Any] = field(factory=dict, eq=as_json)
    version: int = 1
