"""A TCP connection with deadlines on everything, name lookup included, that notices when the other end dies."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

__all__ = ["Socket", "dial"]


class Socket(socket.socket):
    """A socket that remembers the first words of the other end, for the message when they were no good."""

    __slots__ = ("heard",)

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self.heard = b""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As always."""
        data = super().recv(size, flags)
        if len(self.heard) < _FIRST_WORDS:
            self.heard += data[:_FIRST_WORDS]
        return data


_FIRST_WORDS = 255


def resolve(address: str, port: int, timeout_s: float) -> list[tuple[Any, ...]]:
    """``getaddrinfo`` with a deadline: it has none of its own, so a thread waits for it.

    Raises:
        OSError: The name is not known (``gaierror``), or no answer came in time (``TimeoutError``).
    """
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answer.append(error)
        except UnicodeError:
            answer.append(socket.gaierror(socket.EAI_NONAME, "that is no host name"))

    thread = threading.Thread(target=ask, name=f"octossh-resolve-{address}", daemon=True)
    thread.start()
    thread.join(timeout_s)
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
