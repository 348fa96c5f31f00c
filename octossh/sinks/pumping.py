"""Sending what the record holds to sinks, in a thread of its own: nothing waits for it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from octossh.errors import ModelError
from octossh.model import Described
from octossh.promises import started

if TYPE_CHECKING:
    from octossh.model import AuditEntry
    from octossh.recording import Store

__all__ = ["Backlog", "Pump", "Sink"]

_log = logging.getLogger("octossh.sinks")

_BATCH = 100


class Sink(Protocol):
    """Somewhere to send events.

    Attributes:
        name: Under which the store remembers how far it has been sent.
    """

    @property
    def name(self) -> str:
        """The name."""

    def send(self, entries: Sequence[AuditEntry]) -> None:
        """Send *entries*; whatever is raised says that they were not taken, and they are sent again later."""


@frozen(kw_only=True)
class Backlog(Described):
    """What a sink has not got.

    Attributes:
        sink: Its name.
        events: How many.
        why: What was wrong when they were sent last; empty where they were not sent yet.
    """

    sink: str
    events: int
    why: str = ""

    def __str__(self) -> str:
        return f"{self.sink}: {self.events} events not sent" + (f": {self.why}" if self.why else "")


class Pump:
    """Sends each event of *store* to each of *sinks* at least once, in order, from the first one on.

    Args:
        store: Where the events are, and where it is remembered how far they have been sent.
        sinks: With names that differ.

    Raises:
        ModelError: Something is no sink, or two have one name.
    """

    def __init__(self, store: Store, sinks: Iterable[Sink]) -> None:
        self._store, self._sinks = store, tuple(sinks)
        for sink in self._sinks:
            if not callable(getattr(sink, "send", None)) or not getattr(sink, "name", None):
                raise ModelError(f"{sink!r} is no sink; give a SyslogSink, an HttpSink, or what has a name and send()")
        names = [sink.name for sink in self._sinks]
        if double := next((name for name in names if names.count(name) > 1), None):
            raise ModelError(f"two sinks are named {double!r}; give one of them another name=")
        self._faults: dict[str, str] = {}
        self._woken, self._ending = threading.Event(), False
        self._one, self._starting = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There is something new to send. It returns at once."""
        if not self._sinks or self._ending:
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = started(self._run, "octossh-sinks")  # or by the next event
        self._woken.set()

    def send(self) -> tuple[Backlog, ...]:
        """Send now what was not sent yet, and say what could not be."""
        for sink in self._sinks:
            self._deliver(sink)
        return self.backlog()

    def backlog(self) -> tuple[Backlog, ...]:
        """What the sinks have not got."""
        last = self._store.head()[0] if self._sinks else 0
        left = [(sink.name, last - self._store.sent(sink.name)) for sink in self._sinks]
        return tuple(
            Backlog(sink=name, events=count, why=self._faults.get(name, "")) for name, count in left if count > 0
        )

    def close(self, timeout_s: float = 5.0) -> None:
        """Give what is on its way *timeout_s* seconds, then say what was not sent: the next one sends it."""
        thread, self._ending = self._thread, True
        if thread is None:
            return
        self._woken.set()
        thread.join(timeout_s)
        try:
            for left in self.backlog():
                _log.warning("audit: %s; they are sent when this store is used with this sink again", left)
        except Exception as error:  # noqa: BLE001 - closing goes on
            _log.warning("audit: whether all events were sent cannot be said: %s", error)

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            ending = self._ending
            for sink in self._sinks:
                self._deliver(sink)
            if ending:
                return

    def _deliver(self, sink: Sink) -> None:
        try:
            with self._one:
                entries = self._store.audit(after=self._store.sent(sink.name))
                while batch := list(itertools.islice(entries, _BATCH)):
                    sink.send(batch)
                    self._store.note_sent(sink.name, batch[-1].seq)
            self._faults.pop(sink.name, None)
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, the deployment goes on
            why = str(error) or type(error).__name__
            if self._faults.get(sink.name) != why:
                _log.warning("audit: events could not be sent to %s: %s; it is tried again", sink.name, why)
            self._faults[sink.name] = why
