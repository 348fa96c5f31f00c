"""Whoever listens to what happens: told of it, and able to do no harm."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from octossh.model import Event

__all__ = ["heard"]

_log = logging.getLogger("octossh")


def heard(on_event: Callable[[Event], None] | None, event: Event) -> None:
    """Pass *event* on to *on_event*, if there is somebody; what is raised there is logged."""
    if on_event is None:
        return
    try:
        on_event(event)
    except Exception:  # noqa: BLE001 - whatever the user's callback raises
        _log.exception("the callback for events failed; the deployment goes on")
