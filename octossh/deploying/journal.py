"""What happens in a deployment: told to who wants to hear, and recorded before and after each act."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from octossh.deploying.asking import Interrupted
from octossh.deploying.listening import heard
from octossh.errors import RecordError
from octossh.model import CONTROLLER, Event

if TYPE_CHECKING:
    from octossh.deploying.control import Control
    from octossh.model import Deployment, Outcome
    from octossh.recording import Record

__all__ = ["Journal"]

_log = logging.getLogger("octossh")


class Journal:
    """The events and outcomes of one deployment. Safe to use from many threads.

    Attributes:
        outcomes: How steps ended on hosts.
        begun: When steps began on hosts, by step and target.
        started: Whether it stands in the record.
        broken: Why the record cannot be written; nothing more is started then.
    """

    def __init__(
        self,
        record: Record,
        deployment: Deployment,
        on_event: Callable[[Event], None] | None,
        control: Control,
    ) -> None:
        self._control = control
        self._record, self._deployment, self._on_event = record, deployment, on_event
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.begun: dict[tuple[str, str], datetime] = {}
        self.started = False
        self.broken: RecordError | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._telling = threading.Lock()

    def start(self, skipped: Mapping[str, str]) -> None:
        """Record that it begins, and without which hosts, and tell so.

        Raises:
            RecordError: It cannot be recorded.
        """
        self._record.start(self._deployment)
        self.started = True
        data = {"release": self._deployment.release, "mode": self._deployment.mode.value}
        self.tell("deployment_started", data=data)
        for target, why in skipped.items():
            self.record("host_skipped", target=target, data={"why": why})

    def go_on(self, skipped: Mapping[str, str], outcomes: Iterable[Outcome], begun: Mapping[str, datetime]) -> None:
        """Record that a deployment goes on that waited, and without which further hosts, and tell so.

        Args:
            skipped: The hosts, with the reason.
            outcomes: How steps ended before it waited.
            begun: When the steps began that waited for their answer.

        Raises:
            Refused: Somebody else was faster.
            RecordError: It cannot be recorded.
        """
        self.outcomes = {(outcome.step, outcome.target): outcome for outcome in outcomes}
        self.begun = {(step, CONTROLLER.name): at for step, at in begun.items()}
        self._record.start(self._deployment)
        self.started = True
        self.tell("deployment_continued", data={"release": self._deployment.release})
        for target, why in skipped.items():
            self.record("host_skipped", target=target, data={"why": why})

    def begin(self, step: str, target: str, behind: Sequence[str] = ()) -> None:
        """Record that *step* is about to begin on *target*, and that these are sent *behind* it.

        Raises:
            RecordError: It cannot be recorded, so it must not begin.
            Interrupted: The deployment has been left, so it must not begin.
        """
        with self._lock:
            self._check_open()
            self.begun[step, target] = datetime.now(UTC)
        try:
            self.record("step_started", step, target, data={"behind": list(behind)} if behind else None)
        except RecordError:
            with self._lock:
                del self.begun[step, target]
            raise
        with self._lock:
            self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise Interrupted

    def end(self, outcome: Outcome, data: Mapping[str, Any]) -> None:
        """Record how a step ended on a host."""
        with self._lock:
            if self._closed:
                return  # the end of the deployment is recorded without it
            self.outcomes[outcome.step, outcome.target] = outcome
        self.record("step_finished", outcome.step, outcome.target, data=data, outcome=outcome)

    def close(self) -> None:
        """From now on nothing more counts: what still runs on hosts has been left."""
        with self._lock:
            self._closed = True

    def finish(self, ended: Deployment) -> None:
        """Record how it ended, and tell so.

        Raises:
            RecordError: This, or something before it, could not be recorded.
        """
        try:
            if self.broken is not None:
                raise self.broken
            self._record.finish(ended)
        except RecordError as error:
            error.hosts = ended.hosts
            raise
        self.tell("deployment_finished", data={"state": ended.state.value, "error": ended.error})

    def record(
        self,
        kind: str,
        step: str = "",
        target: str = "",
        *,
        data: Mapping[str, Any] | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        """Record an event, and tell it.

        Raises:
            RecordError: It cannot be recorded; `broken` says so to everybody else.
        """
        with self._lock:
            if self._closed:
                return
        event = self._event(kind, step, target, data)
        try:
            self._record.record(event, outcome)
        except RecordError as error:
            with self._lock:
                self.broken = self.broken or error
            raise
        self._pass_on(event)

    def tell(self, kind: str, step: str = "", target: str = "", *, data: Mapping[str, Any] | None = None) -> None:
        """Tell an event that is not recorded."""
        self._pass_on(self._event(kind, step, target, data))

    def _event(self, kind: str, step: str, target: str, data: Mapping[str, Any] | None) -> Event:
        return Event(
            type=kind, at=datetime.now(UTC), deployment=self._deployment.id, step=step, target=target, data=data or {}
        )

    def _pass_on(self, event: Event) -> None:
        with self._telling:
            try:
                heard(self._on_event, event)
            except KeyboardInterrupt:
                self._control.interrupt()
            except BaseException as error:  # noqa: BLE001 - it is raised again when the deployment has its end
                self._control.exit(error, "a listener")
