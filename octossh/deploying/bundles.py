"""Steps that were sent to a host together: what comes back, told apart by step."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from octossh.deploying.following import Told, begin
from octossh.errors import ConnectionLost
from octossh.model import Step
from octossh.promises import promised
from octossh.rendering import fused
from octossh.shell import Frame, Result, Script, Secret

if TYPE_CHECKING:
    from octossh.deploying.control import Control
    from octossh.model import Target
    from octossh.transport import Transport

__all__ = ["Bundle", "Fate", "Part"]

_BESIDE = {"gap", "log", "secret", "tick"}
"""Frames that come in the stream of the log."""

_PASSING = _BESIDE - {"secret"}


class Fate(enum.Enum):
    """What became of a step whose end has not been heard."""

    NOT_BEGUN = enum.auto()
    LOST = enum.auto()


@frozen(kw_only=True)
class Part:
    """One step of a bundle, resolved, with all that its script needs."""

    step: Step
    script: Script
    run: str
    values: Mapping[str, Secret] = field(repr=False)
    told: Told


@define
class _Heard:
    """What has come of one part."""

    lines: list[str] = field(factory=list)
    frames: list[Frame] = field(factory=list)
    end: Future[Result | Fate] = field(factory=Future)
    began: datetime = field(factory=lambda: datetime.now(UTC))

    def result(self, exit_code: int) -> Result:
        log = "".join(f"{line}\n" for line in self.lines)
        spent = (datetime.now(UTC) - self.began).total_seconds()
        return Result(tuple(self.frames), log, exit_code, self.began, spent)


class Bundle:
    """Several steps for one host in one script, which it does one after the other until one does not succeed.

    Args:
        target: The host.
        parts: In their order.
        transport: Carries them.
        control: Whether they shall begin at all still.
        claim: What they hold on the host. See `octossh.rendering.fused`; so is *last*.
    """

    def __init__(
        self,
        target: Target,
        parts: Sequence[Part],
        transport: Transport,
        control: Control,
        *,
        claim: str = "",
        last: bool = False,
    ) -> None:
        self._target, self._parts, self._transport, self._control = target, parts, transport, control
        self._claim, self._last = claim, last
        self._heard = [_Heard() for _ in parts]
        self._out = self._err = self._ended = 0
        self._sent = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the steps behind the first one."""
        return tuple(part.step.name for part in self._parts[1:])

    @property
    def parts(self) -> Sequence[Part]:
        """What is in it."""
        return self._parts

    def send(self) -> None:
        """Send it, in a thread of its own if there is one to be had: whoever waits hears of its end either way."""
        self._sent = True
        promised(self._run, f"octossh {self._target} {self._parts[0].step.name}", or_here=True)

    def begins(self, number: int) -> bool:
        """Whether part *number* has begun, or may do so still."""
        end = self._heard[number].end
        return self._sent and not (end.done() and end.exception() is None and end.result() is Fate.NOT_BEGUN)

    def wait(self, number: int) -> Result | Fate:
        """What came of part *number*, once it has ended; what is wrong with it is raised."""
        return self._heard[number].end.result()

    def _script(self) -> Callable[[], Result]:
        """What sends it."""
        script = fused([(part.script, part.run) for part in self._parts], claim=self._claim, last=self._last)
        values = {
            f"{number}/{name}": value
            for number, part in enumerate(self._parts, 1)
            for name, value in part.values.items()
        }
        patience_s = sum(part.step.patience_s for part in self._parts)

        def send() -> Result:
            return self._transport.run(
                self._target, script, secrets=values, timeout_s=patience_s, on_line=self._line, on_frame=self._frame
            )

        return send

    def _run(self) -> None:
        try:
            result = begin(self._transport, self._target, self._script(), self._parts[0].told, self._control)
        except ConnectionLost:
            self._rest(lambda heard: heard.end.set_result(Fate.LOST), Fate.LOST)
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits for it
            failure = error
            self._rest(lambda heard: heard.end.set_exception(failure), Fate.NOT_BEGUN)
        else:
            self._rest(lambda heard: heard.end.set_result(heard.result(result.exit_code)), Fate.NOT_BEGUN)

    def _rest(self, end: Callable[[_Heard], None], others: Fate) -> None:
        """End the part that ran last, and those behind it: these first, since the other is what is waited for."""
        last, *behind = self._heard[self._ended :]
        for heard in behind:
            heard.end.set_result(others)
        end(last)

    def _line(self, line: str) -> None:
        self._heard[self._err].lines.append(line)
        self._parts[self._err].told.line(line)

    def _frame(self, frame: Frame) -> None:
        if frame.kind == "part":
            number, _, stream = frame.text.partition(" ")
            self._goes_on(int(number) - 1, out=stream == "out")
            return
        at = self._err if frame.kind in _BESIDE else self._out
        if frame.kind not in _PASSING:
            self._heard[at].frames.append(frame)
        self._parts[at].told.frame(frame)

    def _goes_on(self, number: int, *, out: bool) -> None:
        """Both streams of a part have ended when both say that the next one begins."""
        self._out, self._err = (number, self._err) if out else (self._out, number)
        while self._ended < min(self._out, self._err):
            heard = self._heard[self._ended]
            self._ended += 1
            self._heard[self._ended].began = datetime.now(UTC)
            heard.end.set_result(heard.result(0))
