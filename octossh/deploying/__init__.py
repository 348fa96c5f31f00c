"""Looking at hosts and applying plans: the road from a plan to what happened."""

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.deploying.anchoring import Anchored, places_of, seek_anchors
    from octossh.deploying.applying import apply
    from octossh.deploying.approving import Approver, asks_approval, check_beforehand
    from octossh.deploying.asking import Decider, policy
    from octossh.deploying.checking import check
    from octossh.deploying.ending import given_up
    from octossh.deploying.entering import Container, Wanted, execute_in, find_containers, listen
    from octossh.deploying.listening import heard
    from octossh.deploying.observing import connect, find_runners, look_again, observe, offline
    from octossh.deploying.orders import scripts
    from octossh.deploying.pauses import Waited, how_to_go_on, layout, waits_in_words
    from octossh.deploying.settling import settle

__all__ = [
    "Anchored",
    "Approver",
    "Container",
    "Decider",
    "Waited",
    "Wanted",
    "apply",
    "asks_approval",
    "check",
    "check_beforehand",
    "connect",
    "execute_in",
    "find_containers",
    "find_runners",
    "given_up",
    "heard",
    "how_to_go_on",
    "layout",
    "listen",
    "look_again",
    "observe",
    "offline",
    "places_of",
    "policy",
    "scripts",
    "seek_anchors",
    "settle",
    "waits_in_words",
]
