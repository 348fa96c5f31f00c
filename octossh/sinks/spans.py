"""Spans of OpenTelemetry, made from the events of deployments. The door of its library, which need not be installed."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from octossh._version import __version__
from octossh.model import CONTROLLER, State

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

    from octossh.model import Deployment, Event

__all__ = ["Spans", "carried"]

_log = logging.getLogger("octossh.sinks")

_GOOD = {State.SUCCEEDED.value, State.PARTIAL.value, State.WAITING.value, State.SKIPPED.value}
_BESIDE = {"retrying", "paused", "asked", "answered", "host_skipped", "tag_moved", "promotion_started",
           "promotion_refused"}  # fmt: skip
"""What happens at one moment, and so is an event of a span."""


_REMEMBERED = 100  # deployments that a later one can have a link to


class Spans:
    """Makes a span of each deployment, of its steps and waves, and of each step on each host.

    They go to whatever tracer provider the process has set; without one, or without the library, nothing happens. A
    deployment stands below the span that is current where it is begun, or else below the one that the environment
    names: ``TRACEPARENT``, with ``TRACESTATE``.

    Args:
        wanted: False: no span is made.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._made: dict[str, SpanContext] = {}

    @contextlib.contextmanager
    def before(self) -> Iterator[None]:
        """What a deployment will stand below is the current span: for what is called before it begins."""
        above: Context | None = None
        with _tried("what is called"):
            above = _above() if self._wanted and _tracer() is not None else None
        if above is None:
            yield
            return
        from opentelemetry import context

        token = context.attach(above)
        try:
            yield
        finally:
            context.detach(token)

    @contextlib.contextmanager
    def during(
        self, deployment: Deployment, on_event: Callable[[Event], None] | None = None
    ) -> Iterator[Callable[[Event], None] | None]:
        """What hears events of *deployment*, makes spans of them and passes them on; at the end all spans end.

        While an event is passed on, the span that it is about is the current one.
        """
        tree: _Tree | None = None
        with _tried("the deployment"):
            if (tracer := _tracer() if self._wanted else None) is not None:
                tree = _Tree(tracer, deployment, _above(), self._links(deployment))
        if tree is None:
            yield on_event
            return

        def hear(event: Event) -> None:
            about: Span | None = None
            with _tried(event.type):
                about = tree.hear(event)
            if on_event is not None:
                with _current(about):
                    on_event(event)

        try:
            yield hear
        finally:
            with _tried("the deployment"):
                tree.close()
            if tree.context is not None:
                self._made[deployment.id] = tree.context
                for id_ in list(self._made)[:-_REMEMBERED]:
                    del self._made[id_]

    def _links(self, deployment: Deployment) -> list[Link]:
        """To the deployment that it undoes, or that it goes on with."""
        from opentelemetry.trace import Link

        before = (self._made.get(id_) for id_ in (deployment.options.undoes, deployment.id))
        return [Link(context) for context in before if context is not None]


@contextlib.contextmanager
def _tried(what: str) -> Iterator[None]:
    """Whatever a provider or a processor of spans raises, the deployment goes on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - they are others'
        _log.warning("a span of %s could not be made: %s", what, error)


def carried() -> dict[str, str]:
    """The current span as W3C trace context: ``traceparent``, and ``tracestate`` if it has one; nothing without one."""
    try:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        return {}
    made: dict[str, str] = {}
    with _tried("what is called"):
        TraceContextTextMapPropagator().inject(made)
    return made


def _current(span: Span | None) -> contextlib.AbstractContextManager[object]:
    if span is None:
        return contextlib.nullcontext()
    from opentelemetry.trace import use_span

    return use_span(span, record_exception=False, set_status_on_exception=False)


def _tracer() -> Tracer | None:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("octossh", __version__)


def _above() -> Context | None:
    """Where a span goes that nothing is said about: None below the current one."""
    from opentelemetry import context, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if trace.get_current_span().get_span_context().is_valid:
        return None
    given = {name: os.environ.get(name.upper(), "") for name in ("traceparent", "tracestate")}
    return TraceContextTextMapPropagator().extract(given, context.get_current())


class _Tree:
    """The spans of one deployment. Its events come one at a time, but not in the order of their times.

    So one that would begin before the span above it begins with that.
    """

    def __init__(self, tracer: Tracer, deployment: Deployment, above: Context | None, links: list[Link]) -> None:
        self._tracer, self._deployment, self._above, self._links = tracer, deployment, above, links
        self._open: dict[tuple[str, ...], Span] = {}
        self._began: dict[tuple[str, ...], datetime] = {}
        self._waves: dict[str, tuple[str, ...]] = {}
        self._failed: dict[str, dict[str, None]] = {}
        self._heard: dict[str, datetime] = {}
        self.context: SpanContext | None = None

    def hear(self, event: Event) -> Span | None:
        """Begin, end or mark the span that *event* is about, and give it."""
        before = self._about(event)
        self._hear(event)
        # What begins is open now, and what has ended was so before.
        return max(before, self._about(event), key=lambda found: (len(found[0]), found[1] is not None))[1]

    def _about(self, event: Event) -> tuple[tuple[str, ...], Span | None]:
        """The key and the open span of the host that *event* is about, or else of its step, or of the deployment."""
        keys = [key for key in self._open if event.target and _is_of(key, event)]
        key = next((key for key in (*keys, (event.step,)) if key in self._open), ())
        return key, self._open.get(key)

    def _hear(self, event: Event) -> None:
        for name in ("", event.step):
            self._heard[name] = max(event.at, self._heard.get(name, event.at))
        match event.type:
            case "deployment_started" | "deployment_continued":
                self._begin_all(event)
            case "wave_started":
                self._waves[event.step] = key = event.step, f"wave {event.data['wave']}"
                self._begin(key, event.at, {"octossh.wave": event.data["wave"], "octossh.waves": event.data["of"]})
            case "wave_finished":
                failed = ", ".join(event.data["failed"])
                at = self._heard[event.step]
                self._end(self._waves.pop(event.step, ()), at, "failed" if failed else "", f"failed on {failed}")
            case "step_started":
                self._begin_host(event)
            case "step_finished":
                self._end_host(event)
            case "deployment_finished":
                self._end_all(str(event.data["state"]), str(event.data["error"]))
            case "deployment_waiting":
                self._end_all(State.WAITING.value, str(event.data["why"]))
            case kind if kind in _BESIDE:
                self._mark(event)

    def close(self) -> None:
        """End what is open: no event has said how it ended."""
        if self._open:
            self._end_all(State.UNKNOWN.value, "how it ended was not told")

    def _begin_all(self, event: Event) -> None:
        made = self._deployment
        said: dict[str, Any] = {
            "deployment.id": made.id,
            "deployment.name": f"{made.project} {made.release}",
            "deployment.environment.name": made.environment,
            "octossh.project": made.project,
            "octossh.release": made.release,
            "octossh.mode": made.mode.value,
        }
        name = f"{made.mode.value} {made.project}"
        span = self._tracer.start_span(
            name, self._above, attributes=said, links=self._links, start_time=_nanoseconds(event.at)
        )
        context = span.get_span_context()
        if context.is_valid:  # else nobody has set a provider, and nobody wants any of what would stand below it
            self._open[()], self._began[()], self.context = span, event.at, context

    def _begin_host(self, event: Event) -> None:
        said = _where(event)
        if behind := event.data.get("behind"):
            said["octossh.behind"] = list(behind)
        self._begin((*self._waves.get(event.step, (event.step,)), event.target), event.at, said)

    def _end_host(self, event: Event) -> None:
        found = [key for key in self._open if _is_of(key, event)]
        state, why = str(event.data["state"]), str(event.data["why"])
        failed = self._failed.setdefault(event.step, {})
        failed.pop(event.target, None)  # it may have been tried again
        if state not in _GOOD:
            failed[event.target] = None
        for key in found:
            self._end(key, event.at, state, why, {"octossh.action": event.data["action"], "octossh.state": state})

    def _end_all(self, state: str, error: str) -> None:
        status = {State.SUCCEEDED.value: "succeeded", State.FAILED.value: "failed"}.get(state, state)
        for key in sorted(self._open, key=len, reverse=True):
            if not key:
                self._end(key, self._heard[""], state, error, {"deployment.status": status})
            elif len(key) == 1:
                failed = ", ".join(self._failed.get(key[0], {}))
                self._end(key, self._heard[key[0]], "failed" if failed else "", f"failed on {failed}")
            else:
                left = "" if state in {"waiting", "succeeded"} else State.UNKNOWN.value
                self._end(key, self._heard[key[0]], left)

    def _mark(self, event: Event) -> None:
        key = next((key for key in self._open if key[:1] == (event.step,) and key[-1:] == (event.target,)), ())
        span = self._open.get(key or ((event.step,) if (event.step,) in self._open else ()))
        if span is not None:
            plain = {f"octossh.{name}": value for name, value in event.data.items() if isinstance(value, str | int)}
            span.add_event(event.type, {**plain, **_where(event)}, _nanoseconds(event.at))

    def _begin(self, key: tuple[str, ...], at: datetime, said: Mapping[str, Any] | None = None) -> None:
        """Begin the span *key*: step, wave if there are several, target; with those above it that are not open yet."""
        if key in self._open or () not in self._open:
            return
        from opentelemetry.trace import set_span_in_context

        if key[:-1] not in self._open:
            self._begin(key[:-1], at)
        above = set_span_in_context(self._open[key[:-1]])
        said = {"octossh.step": key[0], **(said or {})}
        name, at = key[-1] or key[0], max(at, self._began[key[:-1]])
        self._open[key] = self._tracer.start_span(name, above, attributes=said, start_time=_nanoseconds(at))
        self._began[key] = at

    def _end(
        self, key: tuple[str, ...], at: datetime, state: str, why: str = "", said: Mapping[str, Any] | None = None
    ) -> None:
        from opentelemetry.trace import Status, StatusCode

        if (span := self._open.pop(key, None)) is None:
            return
        span.set_attributes(said or {})
        if state and state not in _GOOD:
            span.set_attribute("error.type", state)
            span.set_status(Status(StatusCode.ERROR, why or state))
        with _tried(" ".join(key) or "the deployment"):
            span.end(_nanoseconds(max(at, self._began[key])))


def _is_of(key: tuple[str, ...], event: Event) -> bool:
    """Whether *key* is the span of the step of *event* on its host."""
    return key[:1] == (event.step,) and key[-1] == event.target and key[1:] != ()


def _where(event: Event) -> dict[str, Any]:
    return {"host.name": event.target} if event.target not in {"", CONTROLLER.name} else {}


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
