"""Sessions over the control socket of an ``ssh`` that is a master. See PROTOCOL.mux of OpenSSH; version 4 of it."""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import subprocess
import time
from typing import IO, Self

__all__ = ["MuxError", "Session", "answers"]

_HELLO, _VERSION = 0x00000001, 4
_LEAST_S = 0.01  # none would mean: do not wait at all
_NEW_SESSION = 0x10000002
_DENIED, _FAILURE, _EXIT, _OPENED = 0x80000002, 0x80000003, 0x80000004, 0x80000006
_NO_ESCAPE = 0xFFFFFFFF
_REQUEST = 1


class MuxError(Exception):
    """There is no session: nothing was sent.

    Attributes:
        refused: Whether the host was asked and refused.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class Session:
    """A command on the host, with its three pipes. `Session.open` makes one.

    Attributes:
        stdin: What goes there.
        stdout: What comes back.
        stderr: The same.
        code: Its exit code, once the host has told it.
        over: Whether the master has nothing more to say of it.
    """

    def __init__(self, sock: socket.socket, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self._sock, self._read = sock, b""
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.code: int | None = None
        self.over = False

    @classmethod
    def open(cls, path: str, command: str, timeout_s: float) -> Self:
        """Start *command* on the host behind the control socket *path*.

        Raises:
            MuxError: It was not started.
        """
        deadline = time.monotonic() + timeout_s
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            sock = ours.enter_context(socket.socket(socket.AF_UNIX))
            pipes = [_pipe() for _ in range(3)]
            near = [ours.enter_context(pipes[0][1]), *(ours.enter_context(pipe[0]) for pipe in pipes[1:])]
            far = [theirs.enter_context(pipes[0][0]), *(theirs.enter_context(pipe[1]) for pipe in pipes[1:])]
            made = cls(sock, *near)
            try:
                sock.settimeout(timeout_s)
                sock.connect(path)
                made._ask(command, far, deadline)
            except OSError as error:
                raise MuxError(f"the master did not answer: {error.strerror or error}") from error
            ours.pop_all()
            return made

    def _ask(self, command: str, ends: list[IO[bytes]], deadline: float) -> None:
        self._sock.sendall(_packed(_numbers(_HELLO, _VERSION)))
        self._expect(_HELLO, deadline)
        # Neither a terminal nor X11, agent and subsystem; then the name of the terminal, and the command.
        wanted = _numbers(_NEW_SESSION, _REQUEST) + _text("") + _numbers(0, 0, 0, 0, _NO_ESCAPE)
        self._sock.sendall(_packed(wanted + _text("") + _text(command)))
        for end in ends:
            self._sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [end.fileno()]))])
        self._expect(_OPENED, deadline)

    def poll(self) -> int | None:
        """The exit code if it is known, without waiting."""
        self._hear(0)
        return self.code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until the master says something.

        Raises:
            TimeoutExpired: It did not in time.
        """
        if not self._hear(timeout):
            raise subprocess.TimeoutExpired("ssh", timeout or 0)
        return self.code

    def close(self) -> None:
        """Let go of it; what still runs there gets no more input, and nobody reads its output."""
        self._sock.close()
        for pipe in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):  # what was left to flush has nobody to read it
                pipe.close()

    def _hear(self, timeout_s: float | None) -> bool:
        """Take in what the master says; False when it said nothing in time."""
        if self.over:
            time.sleep(timeout_s or 0)
            return False
        if not select.select([self._sock], [], [], timeout_s)[0]:
            return False
        try:
            data = self._sock.recv(4096)
        except OSError:
            data = b""
        self.over = not data
        self._read += data
        while (message := self._next()) is not None:
            kind, rest = message
            if kind == _EXIT:
                self.code = int.from_bytes(rest[4:8], "big")
        return True

    def _next(self) -> tuple[int, bytes] | None:
        if len(self._read) < 4 or len(self._read) < 4 + (size := int.from_bytes(self._read[:4], "big")):
            return None
        message, self._read = self._read[4 : 4 + size], self._read[4 + size :]
        return int.from_bytes(message[:4], "big"), message[4:]

    def _expect(self, kind: int, deadline: float) -> None:
        while (message := self._next()) is None:
            self._sock.settimeout(max(_LEAST_S, deadline - time.monotonic()))
            data = self._sock.recv(4096)
            if not data:
                raise MuxError("the master has ended")
            self._read += data
        if message[0] in (_DENIED, _FAILURE):
            reason = message[1][8:].decode("utf-8", "replace")
            raise MuxError(reason or "refused", refused=True)
        if message[0] != kind:
            raise MuxError(f"the master said {message[0]:#x} in place of {kind:#x}")


def answers(path: str, timeout_s: float) -> bool:
    """Whether there is a master behind the control socket *path*, and it is awake."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(path)
            sock.sendall(_packed(_numbers(_HELLO, _VERSION)))
            return bool(sock.recv(4))
        except OSError:
            return False


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    end, start = os.pipe()
    return os.fdopen(end, "rb", buffering=0), os.fdopen(start, "wb", buffering=0)


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in values)


def _text(value: str) -> bytes:
    data = value.encode()
    return _numbers(len(data)) + data


def _packed(message: bytes) -> bytes:
    return _numbers(len(message)) + message
