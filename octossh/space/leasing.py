"""One deployment of a project to an environment at a time: the lease that a deployment holds while it runs."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from octossh.errors import OctosshError, RecordError, Refused
from octossh.promises import NoThreads, started

if TYPE_CHECKING:
    from octossh.recording import Lease, Store

__all__ = ["held"]

_log = logging.getLogger("octossh")

TTL_S = 60.0
"""After so many seconds without a sign of life a lease can be taken over."""

_POLL_S = 0.5


@contextlib.contextmanager
def held(store: Store, project: str, environment: str, *, wait_s: float = 0) -> Iterator[Lease]:
    """Hold the lease of *project* and *environment*; a thread of its own says that this process lives.

    Args:
        store: Keeps leases.
        project: What is deployed.
        environment: Where to.
        wait_s: Seconds to wait where somebody else holds it.

    Raises:
        Refused: Somebody else holds it, and goes on doing so.
        RecordError: The store cannot be read or written.
        OctosshError: There is no thread for that.
    """
    lease = _taken(store, project, environment, time.monotonic() + wait_s)
    ended = threading.Event()
    beat = None
    try:
        if (beat := started(functools.partial(_beat, store, lease, ended), "octossh-lease")) is None:
            raise OctosshError(
                f"the lease to deploy {project!r} to {environment!r} cannot be kept: {NoThreads()}; end something, "
                "and deploy again"
            )
        yield lease
    finally:
        ended.set()
        if beat is not None:
            beat.join()
        _give_back(store, lease)


def _give_back(store: Store, lease: Lease) -> None:
    """Give *lease* back; a server that was started anew tells so once. Else it ends by itself, in a minute."""
    for _ in range(2):
        with contextlib.suppress(RecordError):
            store.give_back(lease)
            return


def _taken(store: Store, project: str, environment: str, deadline: float) -> Lease:
    while True:
        try:
            return store.lease(project, environment, ttl_s=TTL_S)
        except Refused as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Refused(f"{error}, such as with --wait SECONDS") from None
            time.sleep(min(_POLL_S, left))


def _beat(store: Store, lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(TTL_S / 4):
        try:
            store.renew(lease, ttl_s=TTL_S)
        except RecordError as error:
            # What is written under a lease that was taken over is refused, so the deployment ends there.
            _log.warning("the lease to deploy %r to %r: %s", lease.project, lease.environment, error)
