"""The three pipes of something that runs, moved on by the thread that waits for it."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import subprocess
from collections.abc import Iterator
from typing import IO, Protocol

from octossh.transport.contract import Feed
from octossh.transport.framing import CHUNK, Collector

__all__ = ["Pipes", "Running"]

_log = logging.getLogger("octossh")


class Running(Protocol):
    """A process here, or one on a host."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """What goes there."""
        ...

    @property
    def stdout(self) -> IO[bytes] | None:
        """What comes back."""
        ...

    @property
    def stderr(self) -> IO[bytes] | None:
        """The same."""
        ...

    def wait(self, timeout: float | None = None) -> object:
        """Wait for its end."""
        ...


class Pipes:
    """The three pipes of a process, moved on by one thread."""

    def __init__(
        self,
        process: Running,
        sent: bytes,
        collector: Collector,
        selector: selectors.BaseSelector,
        feed: Feed | None,
    ) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process, self._selector = process, selector
        self._left = memoryview(sent)
        self._wants = collector.wants
        self._pieces = _pieces(feed, collector) if feed else iter(())
        self._idle: IO[bytes] | None = None
        self.reading = 2
        for pipe, take in ((process.stdout, collector.feed_out), (process.stderr, collector.feed_err)):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, take)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)

    def move(self, wait_s: float) -> None:
        """Do what can be done; wait for it up to *wait_s* seconds."""
        if self._idle is not None and not self._wants.empty():
            self._selector.register(self._idle, selectors.EVENT_WRITE)
            self._idle = None
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_s)
            return
        for key, _ in self._selector.select(wait_s):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            if key.data is None:
                self._write(pipe)
                continue
            data = os.read(pipe.fileno(), CHUNK)
            if data:
                key.data(data)
            else:
                self.reading -= 1
                self._selector.unregister(pipe)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left[:CHUNK]) :]
        except BrokenPipeError:
            self._left = self._left[:0]
        if not self._left:
            piece = next(self._pieces, b"")
            self._left = memoryview(piece or b"")
            if not piece:
                self._selector.unregister(pipe)
            if piece is None:
                self._idle = pipe
            elif not piece:
                pipe.close()


def _pieces(feed: Feed, collector: Collector) -> Iterator[bytes | None]:
    """What *feed* gives for what the script asks for; None where it asks for nothing yet."""
    while True:
        try:
            frame = collector.wants.get_nowait()
            yield from filter(None, feed(frame) if frame else ())
        except queue.Empty:
            yield None
        except Exception:  # noqa: BLE001 - whatever it was, the script must not wait for more
            _log.exception("what a script asked for could not be given")
            return
