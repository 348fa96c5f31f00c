"""Whether the other end is still there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from octossh.transport.pulse import Pulse, Watch


@pytest.fixture
def watch() -> Watch:
    return Watch(0.02)


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.slow
def test_a_peer_that_does_not_answer_is_declared_dead_once_within_three_intervals(
    watch: Watch, answers: threading.Event
) -> None:
    dead = threading.Event()
    calls: list[float] = []
    pulse = Pulse(lambda: answers.wait(30), 0.2, lambda silent: (calls.append(silent), dead.set()))  # type: ignore[func-returns-value]
    began = time.monotonic()
    watch.add(pulse)
    assert dead.wait(5)
    assert time.monotonic() - began < 3 * 0.2 + 0.5
    assert not threading.Event().wait(0.1)
    assert len(calls) == 1
    pulse.stop()
    watch.remove(pulse)


def test_a_peer_that_answers_is_left_alone(watch: Watch) -> None:
    asked = threading.Semaphore(0)

    def ask() -> bool:
        asked.release()
        return True

    dead: list[float] = []
    pulse = Pulse(ask, 0.05, dead.append)
    watch.add(pulse)
    for _ in range(8):
        assert asked.acquire(timeout=5)
    assert not dead
    pulse.stop()
    watch.remove(pulse)


def test_an_error_while_asking_is_no_answer(watch: Watch) -> None:
    dead = threading.Event()
    pulse = Pulse(lambda: 1 / 0 > 0, 0.05, lambda _: dead.set())
    watch.add(pulse)
    assert dead.wait(5)
    pulse.stop()
    watch.remove(pulse)


def test_bytes_that_came_are_a_sign_of_life(answers: threading.Event) -> None:
    dead: list[float] = []
    pulse = Pulse(lambda: answers.wait(30), 0.1, dead.append)
    pulse._heard_at -= 100
    pulse.heard()
    pulse.check()
    assert not dead
    pulse._heard_at -= 100
    pulse.check()
    assert dead
    pulse.stop()


def test_the_silence_of_this_process_is_not_held_against_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    ticks = [0.02, 60.0, 0.02]  # in the second one, the process was stopped for a minute

    def wait(_timeout_s: float) -> bool:
        if not ticks:
            return True
        clock[0] += ticks.pop(0)
        return False

    seen: list[str] = []
    pulse = SimpleNamespace(check=lambda: seen.append("check"), heard=lambda: seen.append("heard"))
    monkeypatch.setattr("octossh.transport.pulse.time", SimpleNamespace(monotonic=lambda: clock[0]))
    watch = Watch(0.02)
    watch._pulses = [pulse]  # type: ignore[list-item]
    watch._thread = threading.current_thread()
    watch._wake = SimpleNamespace(wait=wait)  # type: ignore[assignment]
    watch._look()
    assert seen == ["check", "heard", "check"]


def test_a_nudge_asks_at_once_and_the_answer_proves_what_came_before() -> None:
    asked = threading.Event()

    def ask() -> bool:
        asked.set()
        return True

    pulse = Pulse(ask, 1000, lambda _: None)
    moment = time.monotonic()
    assert not pulse.proved_since(moment)
    pulse.nudge()
    assert asked.wait(5)
    deadline = time.monotonic() + 5
    while not pulse.proved_since(moment) and time.monotonic() < deadline:
        threading.Event().wait(0.001)
    assert pulse.proved_since(moment)
    pulse.stop()
    pulse.join(5)
    assert not pulse._thread.is_alive()


def test_the_watch_has_a_thread_only_while_there_is_something_to_watch(watch: Watch) -> None:
    pulses = [Pulse(lambda: True, 1000, lambda _: None) for _ in range(2)]
    for pulse in pulses:
        watch.add(pulse)
    thread = watch._thread
    assert thread is not None
    watch.remove(pulses[0])
    assert watch._thread is thread
    watch.remove(pulses[1])
    assert not thread.is_alive()
    watch.add(pulses[0])
    assert watch._thread is not None
    watch.remove(pulses[0])
    for pulse in pulses:
        pulse.stop()


def test_a_peer_that_no_thread_looks_at_is_looked_at_as_soon_as_there_is_one(
    watch: Watch, answers: threading.Event, few: dict[str, int]
) -> None:
    dead, none = threading.Event(), Pulse(lambda: True, 60, lambda _silent: None)
    silent = Pulse(lambda: answers.wait(30), 0.05, lambda _silent: dead.set())
    few["octossh-watch"] = 0
    watch.add(silent)
    few.clear()
    watch.add(none)
    assert dead.wait(5)
    for pulse in (silent, none):
        pulse.stop()
        watch.remove(pulse)
