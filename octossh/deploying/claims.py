"""What a deployment has claimed on its hosts, as these tell, until it is free again."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from concurrent.futures import wait

from octossh.deploying.observing import MOST_HOSTS_AT_ONCE
from octossh.errors import OctosshError
from octossh.model import Target
from octossh.promises import promised
from octossh.rendering import claimed, unclaim
from octossh.shell import Frame
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
        workers, each = [], functools.partial(self._each, waiting)
        until = time.monotonic() + wait_s
        with contextlib.suppress(RuntimeError):  # there may be no more threads
            for _ in waiting[:MOST_HOSTS_AT_ONCE]:
                workers.append(promised(each, "octossh-unclaim"))  # noqa: PERF401 - those that began are waited for
        wait(workers, max(0.0, until - time.monotonic()))

    def _each(self, waiting: list[Target]) -> None:
        while True:
            with self._lock:
                target = waiting.pop() if waiting else None
            if target is None:
                return
            try:
                self._transport.run(target, unclaim(self.name), timeout_s=60)
            except OctosshError as error:
                _log.debug("%s: its claim could not be freed: %s", target.name, error)
            else:
                self.heard(target, Frame("unclaimed"))
