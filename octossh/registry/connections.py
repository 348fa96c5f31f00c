"""Connections that hold to the bounds of a question: its time, its bytes, and where they may go.

What the HTTP library reads by itself, such as a status line and headers, it reads for as long as something comes.
Here each byte that comes is counted, and none is waited for after the deadline.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests.adapters
import requests.auth
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions
import urllib3.poolmanager
from attrs import define

from octossh.registry.deadlines import Deadline
from octossh.registry.headers import is_inner

__all__ = ["Adapter", "Bounds", "Inner", "Late", "Lengthy", "NoNetrc", "bounded"]


class NoNetrc(requests.auth.AuthBase):
    """Keeps ``requests`` from looking into ``~/.netrc``, which it does for requests that have no auth."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """*r* as it is."""
        return r


class Late(TimeoutError):
    """The deadline came before the end of the answer."""


class Lengthy(OSError):
    """More bytes came than any answer to this question has."""


class Inner(OSError):
    """The name is one of an inner network; the text is its address."""


@define
class Bounds:
    """What one request may take.

    Attributes:
        deadline: When it has to be over.
        timeout_s: Seconds to wait for a connection, and for each piece of an answer.
        left_bytes: How much may still come: headers and what stands before them, then the body.
        inner: Whether it may go to an address of a loopback, private or link-local network.
        reached: The address of the server, once a connection was made to it and not to a proxy.
    """

    deadline: Deadline
    timeout_s: float
    left_bytes: int
    inner: bool = True
    reached: str | None = None

    def wait_s(self) -> float:
        """How long to wait now.

        Raises:
            Late: Not any more.
        """
        left_s = self.deadline.left_s
        if left_s <= 0:
            raise Late
        return min(self.timeout_s, left_s)


_bounds: ContextVar[Bounds] = ContextVar("bounds")


@contextmanager
def bounded(bounds: Bounds) -> Iterator[None]:
    """Hold the requests of this thread to *bounds*."""
    token = _bounds.set(bounds)
    try:
        yield
    finally:
        _bounds.reset(token)


class _Reader(io.RawIOBase):
    """What comes out of a socket, as far as the bounds let it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, bounds: Bounds) -> None:
        super().__init__()
        self._raw, self._sock, self._bounds = raw, sock, bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._bounds.wait_s())
        try:
            size = self._raw.readinto(buffer)
        except TimeoutError:
            self._bounds.wait_s()
            raise
        self._bounds.left_bytes -= size or 0
        if self._bounds.left_bytes < 0:
            raise Lengthy
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, _bounds.get()))


class _Connecting:
    """Looks the name up itself, so that what was checked is what is connected to."""

    response_class: type[http.client.HTTPResponse] = _Response
    proxy: Any
    host: str
    port: int
    socket_options: Any
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        bounds = _bounds.get()
        try:
            places = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            fault = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise urllib3.exceptions.NameResolutionError(self.host, self, fault) from error  # type: ignore[arg-type]
        last: OSError = OSError("the name has no address")
        for family, kind, protocol, _, place in places:
            address = str(place[0])
            if self.proxy is None and not bounds.inner and is_inner(address):
                last = Inner(address)
                continue
            try:
                sock = _connect(family, kind, protocol, place, self.socket_options, bounds)
            except OSError as error:
                last = error
                continue
            if self.proxy is None:
                bounds.reached = address
            return sock
        raise urllib3.exceptions.NewConnectionError(self, "no connection") from last  # type: ignore[arg-type]


def _connect(family: int, kind: int, protocol: int, place: Any, options: Any, bounds: Bounds) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options or ():
            sock.setsockopt(*option)
        sock.settimeout(bounds.wait_s())
        sock.connect(place)
    except BaseException:
        sock.close()
        raise
    return sock


class _Plain(_Connecting, urllib3.connection.HTTPConnection):
    pass


class _Secure(_Connecting, urllib3.connection.HTTPSConnection):
    pass


class _PlainPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _Secure


class Adapter(requests.adapters.HTTPAdapter):
    """Makes the connections of a session; with a *context*, those by TLS trust and show what stands in it."""

    def __init__(self, context: ssl.SSLContext | None = None, **options: Any) -> None:
        self._tls: dict[str, Any] = {} if context is None else {"ssl_context": context}
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Called by ``requests``."""
        super().init_poolmanager(*args, **{**self._tls, **options})
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Called by ``requests``."""
        manager = super().proxy_manager_for(*args, **{**self._tls, **options})
        # A SOCKS proxy has connections of its own kind.
        if isinstance(manager, urllib3.poolmanager.ProxyManager):
            manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager
