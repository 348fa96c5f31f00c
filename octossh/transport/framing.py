"""Bytes in, frames and log lines out. Pure: no I/O, no threads of its own, shared by all transports.

A frame is what stands between the marker ``##octossh <nonce> `` and the end of the line. Since nothing on the
host can guess the nonce, the marker counts wherever it stands: text without a newline that came before it (the
greeting of a login shell) is log, and does not hide the frame. A frame ``marker NONCE`` says that from there on
another nonce counts in that stream.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from octossh.errors import Hosts, ReadError
from octossh.shell import Frame, Result

__all__ = ["CHUNK", "FRAMES", "HEAD", "LINE", "LINGER_NOTE", "LINGER_S", "TAIL", "Collector", "Log", "Reader"]

CHUNK = 64 << 10  # bytes read or written at once
HEAD = 64 << 10  # bytes of the log that are kept from its beginning
TAIL = 256 << 10  # and from its end
LINE = 1 << 20  # a longer line comes in pieces
FRAMES = 64 << 20  # bytes of frames that one script may answer
LINGER_S = 2.0  # seconds of silence after the end of the shell, when something else holds its output open
_PASSING = {"gap", "log", "tick", "want"}  # of no interest once they have been seen
LINGER_NOTE = "something that the script left behind still holds its output; nobody waits for that"

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Log:
    """Text of any length in bounded memory: the head and the tail, and how much is missing in between."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._gone = 0
        self._open_by: object = None

    def add(self, data: bytes | bytearray, source: object = None) -> None:
        """Append *data*; a line that another source left open is ended first."""
        if not data:
            return
        if self._open_by not in (None, source):
            self._append(b"\n")
        self._append(data)
        self._open_by = None if data.endswith(b"\n") else source or self

    def _append(self, data: bytes | bytearray) -> None:
        room = HEAD - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * TAIL:
            self._gone += len(self._tail) - TAIL
            del self._tail[:-TAIL]

    def text(self) -> str:
        """All of it, or its head and its tail with a line in between that says how much was left out."""
        head, tail, gone = bytes(self._head), bytes(self._tail[-TAIL:]), self._gone
        gone += len(self._tail) - len(tail)
        if gone:
            # Whole lines only: half a line could hold half a secret, which no masking would find.
            kept_head = head[: head.rfind(b"\n") + 1] or head
            kept_tail = tail[tail.find(b"\n") + 1 :] or tail
            gone += len(head) - len(kept_head) + len(tail) - len(kept_tail)
            newline = b"" if kept_head.endswith(b"\n") else b"\n"
            notice = f"[octossh: {gone} bytes left out]\n".encode()
            head, tail = kept_head + newline + notice, kept_tail
        return (head + tail).decode("utf-8", "backslashreplace")


class Reader:
    """Splits one stream into frames and log, the same way however the bytes are cut into chunks.

    Args:
        marker: What a frame begins with; empty for a stream that has none.
        on_frame: Gets the bytes between the marker and the end of the line.
        on_log: Gets bytes of the log: whole lines, or at the end or before a frame an open one.
        on_line: Gets each line of the log; None saves the work of splitting.
        on_flood: Is called once, when frames exceed *frames* bytes; nothing is read after that.
        frames: Bytes of frames that are held at most.
    """

    def __init__(
        self,
        marker: bytes,
        *,
        on_frame: Callable[[bytes], None],
        on_log: Callable[[bytes], None],
        on_line: Callable[[bytes], None] | None = None,
        on_flood: Callable[[], None] = lambda: None,
        frames: int,
        line: int = LINE,
    ) -> None:
        self._marker = marker
        self._on_frame, self._on_log, self._on_line, self._on_flood = on_frame, on_log, on_line, on_flood
        self._left, self._line = frames, line
        self._buffer = bytearray()
        self._scanned = 0
        self._in_frame = self._flooded = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._flooded:
            return
        self._buffer += data
        while (self._take_frame if self._in_frame else self._take_log)():
            pass

    def close(self) -> None:
        """The stream has ended: what is left is log. A frame without its newline is torn, so it is log too."""
        rest = (self._marker if self._in_frame else b"") + bytes(self._buffer)
        self._buffer.clear()
        self._in_frame = False
        if rest:
            self._emit(rest, len(rest))

    def _take_frame(self) -> bool:
        end = self._buffer.find(b"\n", self._scanned)
        self._scanned = len(self._buffer)
        if (self._scanned if end < 0 else end) > self._left:
            self._flooded = True
            self._buffer.clear()
            self._on_flood()
            return False
        if end < 0:
            return False
        self._left -= end
        frame = bytes(self._buffer[:end])
        if frame.startswith(b"marker "):
            # What follows in this stream was said by an earlier run, which had a nonce of its own.
            self._marker = b"##octossh " + frame[7:] + b" "
        else:
            self._on_frame(frame)
        self._drop(end + 1)
        self._in_frame = False
        return True

    def _take_log(self) -> bool:
        """Take all that can be told to be log; True when a frame follows."""
        found = self._buffer.find(self._marker, max(0, self._scanned - len(self._marker) + 1)) if self._marker else -1
        if found >= 0:
            if found:
                self._emit(bytes(self._buffer[:found]), self._line)
            self._drop(found + len(self._marker))
            self._in_frame = True
            return True
        end = self._buffer.rfind(b"\n", self._scanned) + 1
        if end:
            self._emit(bytes(self._buffer[:end]), 0)
            self._drop(end)
        while len(self._buffer) >= self._line + len(self._marker):
            cut = _boundary(self._buffer, self._line)
            self._emit(bytes(self._buffer[:cut]), cut)
            self._drop(cut)
        self._scanned = len(self._buffer)
        return False

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0

    def _emit(self, block: bytes, open_limit: int) -> None:
        """Hand on *block*. Its last line, when it has no newline, is cut as soon as it exceeds *open_limit*."""
        self._on_log(block)
        if self._on_line is None:
            return
        lines = block.split(b"\n")
        last = lines.pop()
        for line in lines:
            self._pieces(line, self._line + len(self._marker) - 1)
        if last:
            self._pieces(last, open_limit)

    def _pieces(self, line: bytes, limit: int) -> None:
        # The limits are those at which a line that comes byte by byte is cut, so that it is the same in one.
        assert self._on_line is not None
        while len(line) > limit:
            cut = _boundary(line, self._line)
            self._on_line(line[:cut])
            line = line[cut:]
        self._on_line(line)


def _boundary(data: bytes | bytearray, at: int) -> int:
    """The end of the last whole UTF-8 character at or before *at*; *at* itself where that is no UTF-8."""
    for back in range(4):
        if at - back <= 0 or data[at - back] & 0xC0 != 0x80:
            return at - back if at - back > 0 else at
    return at


class Collector:
    """What comes back from one script: both streams in, a `Result` out. Its two streams may come from two threads.

    Attributes:
        wants: What the script asks for, as it comes.
    """

    def __init__(
        self,
        nonce: str,
        on_line: Callable[[str], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        self._log = Log()
        self._frames: list[Frame] = []
        self._callback, self._on_frame = on_line, on_frame
        self._complained = False
        self.wants: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.started_at = datetime.now(UTC)
        self._began = self.heard_at = time.monotonic()
        self._ended_at = 0.0
        self.error: ReadError | None = None
        self._out = self._reader(f"##octossh {nonce} ".encode(), "out")
        self._err = self._reader(f"##octossh {nonce} ".encode(), "err")

    def _reader(self, marker: bytes, source: str) -> Reader:
        return Reader(
            marker,
            on_frame=self._frame,
            on_log=lambda data: self._log.add(data, source),
            on_line=self._line if self._callback else None,
            on_flood=self._flood,
            frames=FRAMES,
        )

    def start(self) -> None:
        """The script is being sent now."""
        self.started_at = datetime.now(UTC)
        self._began = self.heard_at = time.monotonic()

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def silent_since(self) -> float:
        """When (monotonic) the silence after the end of the shell began, which the first call says to have come.

        Of a script that was silent before, the last words may arrive behind the news of its end.
        """
        self._ended_at = self._ended_at or time.monotonic()
        return max(self._ended_at, self.heard_at)

    @property
    def busy(self) -> bool:
        """Whether something that came is being worked on right now."""
        return self._lock.locked()

    def feed_out(self, data: bytes) -> None:
        """Bytes of standard output."""
        self.heard_at = time.monotonic()
        with self._lock:
            self._out.feed(data)
        self.heard_at = time.monotonic()

    def feed_err(self, data: bytes) -> None:
        """Bytes of standard error."""
        self.heard_at = time.monotonic()
        with self._lock:
            self._err.feed(data)
        self.heard_at = time.monotonic()

    def note(self, text: str) -> None:
        """A line of our own in the log."""
        self._log.add(f"[octossh: {text}]\n".encode(), "note")
        if self._callback:
            self._line(f"[octossh: {text}]".encode())

    def result(self, exit_code: int, note: str = "") -> Result:
        """Both streams have ended: all that came."""
        with self._lock:
            spent = self.spent_s
            self._out.close()
            self._err.close()
            if note:
                self.note(note)
            return Result(tuple(self._frames), self._log.text(), exit_code, self.started_at, spent)

    def _frame(self, data: bytes) -> None:
        frame = Frame(*data.decode("utf-8", "replace").partition(" ")[::2])
        if frame.kind == "want":
            self.wants.put(frame)
        if frame.kind not in _PASSING:
            self._frames.append(frame)
        if self._on_frame is not None:
            self._told(self._on_frame, frame)
        if frame.kind == "gap":
            self.note(f"{frame.text.rpartition(' ')[2]} bytes left out")

    def _flood(self) -> None:
        self.error = ReadError(f"the script answered more than {FRAMES >> 20} MiB of frames; it was given up")
        self.error.hosts = Hosts.UNKNOWN

    def _line(self, line: bytes) -> None:
        assert self._callback is not None
        self._told(self._callback, line.decode("utf-8", "backslashreplace"))

    def _told(self, tell: Callable[[T], None], what: T) -> None:
        try:
            tell(what)
        except Exception:  # noqa: BLE001 - whoever only watches must not end what is watched
            if not self._complained:
                self._complained = True
                _log.warning("on_line raised; the run goes on, and further errors of it are not shown", exc_info=True)
