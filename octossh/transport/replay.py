"""A transport that goes nowhere: the public fake for tests of whatever stands on a transport."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self

from attrs import frozen

from octossh.errors import ConnectError
from octossh.model.targets import Target
from octossh.shell import Frame, Result, Script, Secret, payload
from octossh.transport.contract import NO_SECRETS, Feed, new_nonce

__all__ = ["Answer", "Call", "Replay"]

_log = logging.getLogger(__name__)

Answer = Result | Sequence[Frame] | str | int | None


@frozen
class Call:
    """One call of `Replay.run`.

    Attributes:
        target: The host that was meant.
        script: What would have been sent.
        secrets: Names of the secrets that came with it.
        timeout_s: Seconds that it was given.
    """

    target: Target
    script: Script
    secrets: tuple[str, ...]
    timeout_s: float


class Replay:
    """Answers by a function instead of a host, and remembers what it was asked.

    Args:
        handler: Called with the target and the script. It returns a `Result`, the frames of a successful one,
            a log (str), an exit code (int), or None for success without a word; what it raises, `run` raises.
        on_connect: Called with the target by `connect`, and by the first `run` on a target; it raises a
            `ConnectError` for a host that cannot be reached.
        plays_controller: Whether it answers for the machine that deploys, too, so that nothing runs there.

    Attributes:
        calls: Every call of `run` that reached the handler, in order.
        connected: Names of the targets that are connected.
        closed: Whether `close` was called.
    """

    def __init__(
        self,
        handler: Callable[[Target, Script], Answer],
        on_connect: Callable[[Target], None] | None = None,
        *,
        plays_controller: bool = False,
    ) -> None:
        self._handler = handler
        self._on_connect = on_connect
        self.plays_controller = plays_controller
        self._lock = threading.Lock()
        self.calls: list[Call] = []
        self.connected: set[str] = set()
        self.closed = False

    def connect(self, target: Target) -> None:
        """Ask ``on_connect``, once per target.

        Raises:
            ConnectError: It is closed.
        """
        if self.closed:
            raise ConnectError(f"{target}: this Replay() is closed; make a new one")
        if target.name in self.connected:
            return
        if self._on_connect is not None:
            self._on_connect(target)
        with self._lock:
            self.connected.add(target.name)

    def run(
        self,
        target: Target,
        script: Script,
        *,
        secrets: Mapping[str, Secret] = NO_SECRETS,
        timeout_s: float = 900.0,
        on_line: Callable[[str], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        feed: Feed | None = None,  # noqa: ARG002 - nobody asks for anything
    ) -> Result:
        """Give the handler's answer. See `Transport.run`.

        Raises:
            ModelError: A secret that the script wants is missing, as on a real transport.
        """
        self.connect(target)
        payload(script, new_nonce(), secrets)
        with self._lock:
            self.calls.append(Call(target, script, tuple(sorted(secrets)), timeout_s))
        result = _as_result(self._handler(target, script))
        try:
            for frame in result.frames if on_frame else ():
                on_frame(frame)  # type: ignore[misc]
            for line in result.log.splitlines() if on_line else ():
                on_line(line)  # type: ignore[misc]
        except Exception:  # noqa: BLE001 - whoever only watches must not end what is watched
            _log.warning("on_line or on_frame raised; the run goes on without it", exc_info=True)
        return result

    def close(self) -> None:
        """Forget the connections."""
        self.connected.clear()
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Replay({len(self.calls)} calls)"


def _as_result(answer: Answer) -> Result:
    if isinstance(answer, Result):
        return answer
    log = answer if isinstance(answer, str) else ""
    code = answer if isinstance(answer, int) else 0
    frames = () if answer is None or isinstance(answer, str | int) else tuple(answer)
    return Result(frames, log, code, datetime.now(UTC), 0.0)
