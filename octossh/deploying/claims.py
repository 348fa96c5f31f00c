"""What a deployment has claimed on its hosts, as these tell, until it is free again."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from octossh.deploying.limits import MOST_HOSTS_AT_ONCE
from octossh.deploying.observing import QUESTION_S
from octossh.errors import OctosshError
from octossh.promises import NoThreads, promised
from octossh.rendering import claimed, unclaim
from octossh.shell import Frame

if TYPE_CHECKING:
    from octossh.model import Target
    from octossh.transport import Transport

__all__ = ["Claims"]

_log = logging.getLogger("octossh")


class Claims:
    """The hosts that a deployment has claimed. Safe to use from many threads.

    Args:
        name: From `octossh.rendering.claim_name`.
        transport: How to reach them.
    """

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._transport = transport
        self._held: dict[str, Target] = {}
        self._lock = threading.Lock()

    def ahead(self, target: Target) -> str:
        """What goes ahead of a script that claims *target*, or holds what is claimed there."""
        silence_s = getattr(self._transport, "silence_s", 0)
        with self._lock:
            return claimed(self.name, silence_s=silence_s, held=target.name in self._held)

    def heard(self, target: Target, frame: Frame) -> None:
        """What a script on *target* tells."""
        with self._lock:
            if frame.kind == "claimed":
                self._held[target.name] = target
            elif frame.kind == "unclaimed":
                self._held.pop(target.name, None)

    def free(self, wait_s: float) -> None:
        """Free what is held still, where the last step of a host has not had its turn; waits no longer than *wait_s*.

        What cannot be freed holds nobody up once the connection has ended.
        """
        with self._lock:
            waiting = list(self._held.values())
        workers: list[Future[None]] = []
        until = time.monotonic() + wait_s
        for _ in waiting[:MOST_HOSTS_AT_ONCE]:
            try:
                workers.append(promised(functools.partial(self._each, waiting), "octossh-unclaim"))
            except NoThreads:
                break
        if not workers:
            self._each(waiting, until)
        wait(workers, max(0.0, until - time.monotonic()))

    def _each(self, waiting: list[Target], until: float = math.inf) -> None:
        while (left_s := until - time.monotonic()) > 0:
            with self._lock:
                target = waiting.pop() if waiting else None
            if target is None:
                return
            try:
                self._transport.run(target, unclaim(self.name), timeout_s=min(QUESTION_S, left_s))
            except OctosshError as error:
                _log.debug("%s: its claim could not be freed: %s", target.name, error)
            else:
                self.heard(target, Frame("unclaimed"))
