"""A TCP connection with deadlines on everything, name lookup included, that notices when the other end dies."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import tempfile
import time
from typing import Any

from octossh.promises import started

__all__ = ["Piped", "Socket", "Tunnel", "dial"]


class Socket(socket.socket):
    """A socket that remembers the first words of the other end, for the message when they were no good.

    It has one reader, paramiko, which asks for each packet in two pieces: what is there is read at once and kept.
    """

    __slots__ = ("_at", "_read", "heard")

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self.heard = b""
        self._read, self._at = b"", 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As always."""
        if self._at == len(self._read):
            self._read, self._at = self._received(max(size, _AT_ONCE), flags), 0
        data = self._read[self._at : self._at + size]
        self._at += len(data)
        return data

    def _received(self, size: int, flags: int) -> bytes:
        data = super().recv(size, flags)
        if len(self.heard) < _FIRST_WORDS:
            self.heard += data[:_FIRST_WORDS]
        if _QUICK is not None:
            # sshd holds small answers back until the one before is acknowledged, which the kernel puts off by 40 ms.
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)
        return data

    def hang_up(self) -> None:
        """Send what is left, and wake up whoever reads: paramiko would notice half a second later."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


_FIRST_WORDS = 255
_AT_ONCE = 32_768
_REAP_S = 2.0
_QUICK = getattr(socket, "TCP_QUICKACK", None)  # of Linux; the kernel forgets it from time to time


def resolve(address: str, port: int, timeout_s: float) -> list[tuple[Any, ...]]:
    """``getaddrinfo`` with a deadline: it has none of its own, so a thread waits for it where a name is looked up.

    Raises:
        OSError: The name is not known (``gaierror``), or no answer came in time (``TimeoutError``).
    """
    # For text, Python would load the tables of international names.
    host = address.encode() if address.isascii() else address
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    with contextlib.suppress(socket.gaierror, UnicodeError):
        return ask(flags=socket.AI_NUMERICHOST)
    answer: list[Any] = []

    def look_up() -> None:
        try:
            answer.append(ask())
        except OSError as error:
            answer.append(error)
        except UnicodeError:
            answer.append(socket.gaierror(socket.EAI_NONAME, "that is no host name"))

    thread = started(look_up, f"octossh-resolve-{address}")
    if thread is not None:
        thread.join(timeout_s)
    else:
        look_up()  # for as long as name servers are asked here
    if not answer:
        raise socket.gaierror(socket.EAI_AGAIN, f"no name server answered within {timeout_s:g} s")
    if isinstance(answer[0], OSError):
        raise answer[0]
    return list(answer[0])


def dial(address: str, port: int, timeout_s: float, keepalive_s: float) -> Socket:
    """Connect to the first address that answers.

    Raises:
        OSError: The last error, when none does.
    """
    deadline = time.monotonic() + timeout_s
    last: OSError = TimeoutError("no address answered in time")
    found = resolve(address, port, timeout_s)
    for number, (family, kind, protocol, _name, place) in enumerate(found):
        # Each gets its share of what is left, so that a dead first address leaves time for the second.
        share = (deadline - time.monotonic()) / (len(found) - number)
        if share <= 0:
            break
        sock = Socket(family, kind, protocol)
        try:
            sock.settimeout(share)
            sock.connect(place)
            tune(sock, keepalive_s)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise last


def tune(sock: socket.socket, keepalive_s: float) -> None:
    """Send small packets at once, and let the kernel notice a dead link within three times *keepalive_s*."""
    interval = max(1, round(keepalive_s))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", interval),
        ("TCP_KEEPINTVL", max(1, interval // 2)),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", round(keepalive_s * 3000)),
    ):
        option = getattr(socket, name, None)  # macOS has not all of them
        if option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


class Tunnel:
    """What carries bytes both ways, such as a channel through another host, where paramiko wants a socket."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._closed = False  # paramiko looks at it
        self.heard = b""

    def recv(self, size: int) -> bytes:
        """As a socket does."""
        data = bytes(self._channel.recv(size))
        if len(self.heard) < _FIRST_WORDS:
            self.heard += data[:_FIRST_WORDS]
        return data

    def send(self, data: bytes) -> int:
        """As a socket does."""
        return int(self._channel.send(data))

    def settimeout(self, timeout_s: float | None) -> None:
        """As a socket does."""
        self._channel.settimeout(timeout_s)

    def close(self) -> None:
        """As a socket does."""
        self._closed = True
        self._channel.close()


class Piped(Tunnel):
    """The input and output of a command (``ProxyCommand``).

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: str) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed together with this
        try:
            # In a session of its own, so that Ctrl-C at the terminal does not end it under a run.
            self._process = subprocess.Popen(  # noqa: S603 - the user's own configuration says so
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said.fileno(),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            self._said.close()
            raise
        finally:
            theirs.close()

    def said(self) -> str:
        """The last line that the command wrote to its standard error."""
        with contextlib.suppress(ValueError, OSError):
            self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 4096))
            lines = self._said.read().decode("utf-8", "replace").split("\n")
            return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
        return ""

    def close(self) -> None:
        """End the command, too."""
        super().close()
        if self._process.poll() is None:
            self._process.terminate()
            started(functools.partial(_reap, self._process), "octossh-reap")
        self._said.close()


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_REAP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
