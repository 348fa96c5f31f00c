"""What to send: steps rendered as POSIX sh. Templates are in ``templates/``, one for each kind of step."""

from octossh.rendering.anchors import anchor, anchor_place, anchors
from octossh.rendering.orders import Order
from octossh.rendering.own_templates import read_templates
from octossh.rendering.scripts import check, forget, observe, render, runners

__all__ = [
    "Order",
    "anchor",
    "anchor_place",
    "anchors",
    "check",
    "forget",
    "observe",
    "read_templates",
    "render",
    "runners",
]
