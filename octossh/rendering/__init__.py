"""What to send: steps rendered as POSIX sh. Templates are in ``templates/``, one for each kind of step."""

from octossh.rendering.anchors import anchor, anchor_place, anchors, old_anchor_place
from octossh.rendering.claims import claim_name, claimed, unclaim
from octossh.rendering.entering import execute, logs, terminal
from octossh.rendering.orders import Order
from octossh.rendering.outliving import attach, end_run, fused, outliving, run_id
from octossh.rendering.own_templates import read_templates
from octossh.rendering.scripts import check, forget, observe, render, runners
from octossh.rendering.sources import prepare

__all__ = [
    "Order",
    "anchor",
    "anchor_place",
    "anchors",
    "attach",
    "check",
    "claim_name",
    "claimed",
    "end_run",
    "execute",
    "forget",
    "fused",
    "logs",
    "observe",
    "old_anchor_place",
    "outliving",
    "prepare",
    "read_templates",
    "render",
    "run_id",
    "runners",
    "terminal",
    "unclaim",
]
