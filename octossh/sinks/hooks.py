"""Hooks that are commands and web servers."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from typing import IO

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model import HookCall, Moment
from octossh.sinks.http import Posting, check_seconds
from octossh.sinks.spans import carried

__all__ = ["CommandHook", "Webhook"]

_USUAL = (Moment.BEFORE_DEPLOY, Moment.FAILURE, Moment.AFTER_DEPLOY)


def _moments(value: Iterable[Moment | str]) -> tuple[Moment, ...]:
    known = {moment.value: moment for moment in Moment}
    several = isinstance(value, Iterable) and not isinstance(value, str)
    names = [str(getattr(one, "value", one)) for one in (value if several else (value,))]
    if stray := next((name for name in names if name not in known), None):
        raise ModelError(f"a hook is called at no moment {stray!r}; {did_you_mean(stray, known)}")
    return tuple(known[name] for name in names)


def _words(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else ()


@frozen
class CommandHook:
    """Runs a command on this machine, with a `HookCall` as JSON on its standard input.

    It succeeds with exit code 0. What it says is shown only where it fails: the last line of it. Where there is a span
    of OpenTelemetry, its environment names it: ``TRACEPARENT``, with ``TRACESTATE``.

    Attributes:
        command: Its words, which go through no shell.
        on: The moments at which it runs. Default: before and after each deployment, and where a step fails.
        timeout_s: Seconds that it may take; then it is killed, with all that it has started in its session.
    """

    command: tuple[str, ...] = field(converter=_words)
    on: tuple[Moment, ...] = field(default=_USUAL, kw_only=True, converter=_moments)
    timeout_s: float = field(default=30.0, kw_only=True, validator=check_seconds)

    @command.validator
    def _check_command(self, _attribute: object, words: object) -> None:
        text = isinstance(words, tuple) and all(isinstance(word, str) and "\0" not in word for word in words)
        if not text or not words or not words[0]:  # type: ignore[index]
            raise ModelError("the command of a hook is no list of words; write one such as ['./notify.sh']")

    @property
    def name(self) -> str:
        """The command."""
        return shlex.join(self.command)

    def call(self, call: HookCall) -> None:
        """Run it; an error says why it failed."""
        told = json.dumps(call.to_dict(), ensure_ascii=False).encode()
        # In a file: a pipe would stay open as long as whatever the command leaves behind.
        with tempfile.TemporaryFile() as said:
            code = self._run(told, said)
            if code:
                last = _last_line(said)
                raise OSError(f"it ended with exit code {code}" + (f": {last}" if last else ""))

    def _run(self, told: bytes, said: IO[bytes]) -> int:
        try:
            running = subprocess.Popen(  # noqa: S603 - what the user wants to run
                self.command,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is for the deployment
            )
        except OSError as error:
            raise OSError(f"it cannot be run: {error.strerror}") from None
        with running:
            try:
                running.communicate(told, timeout=self.timeout_s)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise OSError(f"it did not end within {self.timeout_s:g} s") from None
                raise
        return running.returncode


def _environment() -> dict[str, str] | None:
    """That of this process, with the current span in place of the one above; None: just that."""
    span = {name.upper(): value for name, value in carried().items()}
    if not span:
        return None
    return {name: value for name, value in os.environ.items() if name not in {"TRACEPARENT", "TRACESTATE"}} | span


def _last_line(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - 65536))
    lines = said.read().decode("utf-8", "backslashreplace").strip().splitlines()
    return lines[-1][:300] if lines else ""


@frozen
class Webhook(Posting):
    """POSTs a `HookCall` as JSON, signed as an `HttpSink` signs.

    Where there is a span of OpenTelemetry, the headers ``traceparent`` and ``tracestate`` name it.

    Attributes:
        on: The moments at which it is called. Default: before and after each deployment, and where a step fails.
    """

    on: tuple[Moment, ...] = field(default=_USUAL, kw_only=True, converter=_moments)

    def call(self, call: HookCall) -> None:
        """Send it; an error says that it was not taken."""
        self.post(call.to_dict(), carried())
