"""Anchors on hosts: leaving the head of the audit chain there, and reading it back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from octossh import model
from octossh.deploying.observing import QUESTION_S, on_each
from octossh.errors import ConnectionLost, RecordError
from octossh.model import State
from octossh.reading import read_anchors, read_answer
from octossh.rendering import anchor, anchor_place, anchors, old_anchor_place

if TYPE_CHECKING:
    from octossh.errors import OctosshError
    from octossh.model import Anchor, Deployment, Event, Outcome, Target
    from octossh.recording import Record
    from octossh.transport import Transport

__all__ = ["Anchored", "places_of", "seek_anchors"]

_log = logging.getLogger("octossh")

_TIMEOUT_S = 20.0


def places_of(target: Target, projects: Iterable[str]) -> dict[str, None]:
    """The names of the files in which *target* may have anchors."""
    pairs = [(project, name) for project in projects for name in target.environments]
    return dict.fromkeys(place(*pair) for place in (anchor_place, old_anchor_place) for pair in pairs)


class Anchored:
    """A record of a deployment that, once its end stands there, leaves the head of the chain on the hosts it changed.

    It is one question more for each of them, all at once. Where it fails, a warning says so: the deployment is over.

    Attributes:
        comes_back: That it asks, so that a session may be ready for it.

    Args:
        record: What is written to.
        head: Gives the number and the hash of the newest event.
        targets: All that there are.
        transport: How to reach them.
    """

    comes_back = True

    def __init__(
        self, record: Record, head: Callable[[], tuple[int, str]], targets: Iterable[Target], transport: Transport
    ) -> None:
        self._record, self._head, self._targets, self._transport = record, head, targets, transport

    def start(self, deployment: Deployment) -> None:
        """See `Record`."""
        self._record.start(deployment)

    def record(self, event: Event, outcome: Outcome | None = None) -> None:
        """See `Record`."""
        self._record.record(event, outcome)

    def finish(self, deployment: Deployment) -> None:
        """See `Record`."""
        self._record.finish(deployment)
        # Whoever leaves a deployment has no time for more questions.
        if deployment.state is not State.INTERRUPTED:
            self.leave(deployment)

    def leave(self, deployment: Deployment) -> None:
        """Leave the head of the chain on the hosts that *deployment* has changed."""
        touched = {o.target for o in deployment.outcomes if o.changed or o.state is State.UNKNOWN}
        hosts = [target for target in self._targets if target.name in touched]
        if not hosts:
            return
        try:
            seq, hash_ = self._head()
        except RecordError as error:
            _log.warning("the head of the audit chain could not be left on the hosts: %s", error)
            return
        made = model.Anchor(
            target="",
            place=anchor_place(deployment.project, deployment.environment),
            seq=seq,
            hash=hash_,
            deployment=deployment.id,
            at=datetime.now(UTC),
        )
        script = anchor(deployment.project, deployment.environment, made.line)

        def leave(target: Target) -> str:
            try:
                result = self._transport.run(target, script, timeout_s=_TIMEOUT_S)
            except ConnectionLost:
                # The link may have been gone before it was sent; a line that stands there twice does no harm.
                result = self._transport.run(target, script, timeout_s=_TIMEOUT_S)
            answer = read_answer(result)
            return "" if answer.state == "succeeded" else answer.why or "the script did not come to its end"

        for name, said in on_each(hosts, leave).items():
            if said:
                _log.warning("%s: the head of the audit chain could not be left there: %s", name, said)


def seek_anchors(
    places: Mapping[str, Sequence[str]], targets: Iterable[Target], transport: Transport
) -> dict[str, tuple[Anchor, ...] | OctosshError]:
    """The anchors on *targets*, or the error, by name; *places* are names of files, by target.

    Hosts:
        untouched.
    """

    def seek(target: Target) -> tuple[Anchor, ...]:
        script = anchors(places[target.name])
        return read_anchors(transport.run(target, script, timeout_s=QUESTION_S), target.name)

    return on_each(targets, seek)
