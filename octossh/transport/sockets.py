"""A TCP connection with deadlines on everything, name lookup included, that notices when the other end dies."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

__all__ = ["dial", "greeting", "tune"]

_PEEK = 255


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


def dial(address: str, port: int, timeout_s: float, keepalive_s: float) -> socket.socket:
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
        sock = socket.socket(family, kind, protocol)
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


def greeting(sock: socket.socket, timeout_s: float) -> str:
    """The first line that the server says, left unread, so that whoever comes next sees it too.

    Raises:
        EOFError: It closed without a word.
        OSError: It reset the connection, or said nothing for *timeout_s* seconds (``TimeoutError``).
    """
    deadline = time.monotonic() + timeout_s
    seen = b""
    while b"\n" not in seen and len(seen) < _PEEK:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no greeting within {timeout_s:g} s")
        sock.settimeout(left)
        before = len(seen)
        seen = sock.recv(_PEEK, socket.MSG_PEEK)
        if not seen:
            raise EOFError("it closed the connection without a word")
        if len(seen) == before:
            if _closed(sock):
                break
            # A peek does not wait for more than there is.
            time.sleep(min(0.02, left))
    return seen.decode("utf-8", "replace").partition("\n")[0].strip()


def _closed(sock: socket.socket) -> bool:
    """Whether the other end has closed, though bytes of it are unread."""
    info = getattr(socket, "TCP_INFO", None)
    if info is None:
        return False
    state = sock.getsockopt(socket.IPPROTO_TCP, info, 1)[0]
    return state != 1  # TCP_ESTABLISHED
