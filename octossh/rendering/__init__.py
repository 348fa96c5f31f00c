"""What to send: steps rendered as POSIX sh. Templates are in ``templates/``, one for each kind of step."""

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.rendering.anchoring import anchor, anchor_place, anchors, old_anchor_place
    from octossh.rendering.claims import claim_name, claimed, unclaim
    from octossh.rendering.compose import compose_up
    from octossh.rendering.containers import run_container
    from octossh.rendering.entering import execute, logs, terminal
    from octossh.rendering.networks import create_network
    from octossh.rendering.once import left_behind, run_once
    from octossh.rendering.orders import Order
    from octossh.rendering.own_templates import read_templates
    from octossh.rendering.prunes import prune
    from octossh.rendering.pulls import pull_image
    from octossh.rendering.puts import put_file
    from octossh.rendering.running import run_script
    from octossh.rendering.scripts import check, forget, observe, render, runners
    from octossh.rendering.sources import prepare
    from octossh.rendering.stops import stop_resource
    from octossh.rendering.surviving import attach, end_run, fused, outliving, run_id
    from octossh.rendering.swarm import swarm_service, swarm_stack
    from octossh.rendering.volumes import create_volume
    from octossh.rendering.waits import wait_for

__all__ = [
    "Order",
    "anchor",
    "anchor_place",
    "anchors",
    "attach",
    "check",
    "claim_name",
    "claimed",
    "compose_up",
    "create_network",
    "create_volume",
    "end_run",
    "execute",
    "forget",
    "fused",
    "left_behind",
    "logs",
    "observe",
    "old_anchor_place",
    "outliving",
    "prepare",
    "prune",
    "pull_image",
    "put_file",
    "read_templates",
    "render",
    "run_container",
    "run_id",
    "run_once",
    "run_script",
    "runners",
    "stop_resource",
    "swarm_service",
    "swarm_stack",
    "terminal",
    "unclaim",
    "wait_for",
]
