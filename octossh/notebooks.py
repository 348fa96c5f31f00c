"""Live progress in a notebook: one output, drawn anew while a deployment goes on, that ends as what came of it."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from octossh.errors import OctosshError
from octossh.model import Deployment, Outcome, State
from octossh.promises import started

if TYPE_CHECKING:
    from octossh.model import Event

__all__ = ["Live", "Output", "live"]

_log = logging.getLogger("octossh")

_EVERY_S = 0.5
_MOST_PLACES = 40
"""With more steps on hosts than these, those that went well are only counted."""
_MOST_LETTERS = 70


class Output(Protocol):
    """One output of a cell."""

    def show(self, shown: Deployment) -> None:
        """Show *shown* there, in place of what was shown before."""


@contextlib.contextmanager
def live(
    deployment: Deployment, on_event: Callable[[Event], None] | None, record: Callable[[str], Deployment]
) -> Iterator[Callable[[Event], None] | None]:
    """What hears the events of *deployment*: *on_event*; or, in a notebook where nobody listens, what shows them there.

    Args:
        deployment: As it begins.
        on_event: Who listens; None: nobody.
        record: Gives a deployment as it is recorded, by its id.
    """
    shell = _shell() if on_event is None else None
    if shell is None:
        yield on_event
        return
    made = Live(deployment, _Cell(shell), record)
    try:
        yield made
    finally:
        made.close()


class Live:
    """Hears the events of a deployment, and shows it as it goes. Once it is over, its output is what was recorded.

    Args:
        deployment: As it begins.
        output: Where it is shown. Nothing is shown there before the first event.
        record: Gives a deployment as it is recorded, by its id.
    """

    def __init__(self, deployment: Deployment, output: Output, record: Callable[[str], Deployment]) -> None:
        self._deployment, self._output, self._record = deployment, output, record
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._waits: dict[str, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._ticker: threading.Thread | None = None
        # An output belongs to the cell of its context, which a thread does not have by itself.
        self._context = contextvars.copy_context()

    def __call__(self, event: Event) -> None:
        """Note *event*, which is soon seen."""
        # What was left when it was over may say something still.
        if event.deployment != self._deployment.id or self._over.is_set():
            return
        with self._lock:
            self._note(event)
        if self._ticker is None:
            self._ticker = started(functools.partial(self._context.run, self._run), "octossh-notebook")

    def close(self) -> None:
        """Show how the deployment ended."""
        self._over.set()
        if self._ticker is None:
            return
        self._ticker.join()
        with contextlib.suppress(OctosshError):
            self._show(self._record(self._deployment.id))

    @property
    def shown(self) -> Deployment:
        """The deployment as far as it has come."""
        now = datetime.now(UTC)
        with self._lock:
            outcomes, waits = list(self._outcomes.values()), "; ".join(filter(None, self._waits.values()))
        if len(outcomes) > _MOST_PLACES:
            rest = [outcome for outcome in outcomes if outcome.state is not State.SUCCEEDED]
            waits = "; ".join(filter(None, (f"{len(outcomes) - len(rest)} of {len(outcomes)} went well", waits)))
            outcomes = rest
        made = [attrs.evolve(o, finished_at=now) if o.state is State.RUNNING else o for o in outcomes]
        return attrs.evolve(self._deployment, outcomes=tuple(made), error=waits)

    def _note(self, event: Event) -> None:
        place, data = (event.step, event.target), event.data
        if event.type == "step_started":
            self._outcomes[place] = Outcome(
                step=event.step, target=event.target, state=State.RUNNING, started_at=event.at
            )
        elif place in self._outcomes and event.type == "output":
            self._outcomes[place] = attrs.evolve(self._outcomes[place], why=_line(data["line"]))
        elif place in self._outcomes and event.type == "step_finished":
            self._outcomes[place] = attrs.evolve(
                self._outcomes[place],
                state=State(data["state"]),
                action=data["action"],
                why=data["why"],
                finished_at=event.at,
            )
        elif event.type in _WAITS:
            self._waits[event.step] = _WAITS[event.type].format(step=event.step, **data)

    def _run(self) -> None:
        self._show(self.shown)
        while not self._over.wait(_EVERY_S):
            self._show(self.shown)

    def _show(self, shown: Deployment) -> None:
        try:
            self._output.show(shown)
        except Exception:  # noqa: BLE001 - whatever the notebook raises, the deployment goes on
            _log.exception("the progress of deployment %s cannot be shown in the notebook", shown.id)
            self._over.set()


_WAITS = {
    "wave_started": "{step}: wave {wave} of {of}",
    "wave_finished": "",
    "paused": "{step}: {seconds:g} s before wave {wave}",
    "retrying": "{step}: trying again in {delay_s:g} s, {attempt} of {of}: {why}",
    "asked": "{step} asks about its {about}",
    "answered": "",
}
"""What a step waits for, in words."""


def _line(said: str) -> str:
    """What a step says, short enough for a cell of a table."""
    line = said.removeprefix("octossh: ")
    return line if len(line) <= _MOST_LETTERS else line[: _MOST_LETTERS - 3] + "..."


def _shell() -> Any:
    """The shell of the notebook whose kernel this is, or None."""
    # Where nobody has imported it, no kernel runs.
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


class _Cell:
    """An output of the cell that runs. A cell that ends with the deployment itself shows it no second time."""

    def __init__(self, shell: Any) -> None:
        self._shell, self._cell = shell, shell.execution_count
        self._handle: Any = None
        self._shown: Deployment | None = None

    def show(self, shown: Deployment) -> None:
        """See `Output`."""
        from IPython.display import DisplayHandle

        bundle = {"text/plain": str(shown), "text/html": shown._repr_html_()}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(bundle, raw=True)
            self._shell.display_formatter.ipython_display_formatter.for_type(Deployment, self._is_shown)
        else:
            self._handle.update(bundle, raw=True)
        self._shown = shown

    def _is_shown(self, value: Deployment) -> None:
        """Whether *value* is to be seen in this cell already; it is told to IPython in IPython's way."""
        seen = self._shown
        if (
            self._cell != self._shell.execution_count
            or seen is None
            or (seen.id, seen.state) != (value.id, value.state)
        ):
            raise NotImplementedError  # by which a formatter of IPython says: show it as ever
