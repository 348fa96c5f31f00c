"""Sending events to syslog: of this machine, or over the network."""

from __future__ import annotations

import contextlib
import os
import socket
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.recording.rows import canonical

if TYPE_CHECKING:
    import ssl

    from octossh.model import AuditEntry

__all__ = ["SyslogSink"]

_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
_NOTICE = 5
_MOST_BYTES = 8000  # of one datagram
_REFUSAL_S = 0.1  # and two round trips, for which a server may still refuse what it was sent
_FAREWELL_S = 2.0  # for which its last word is waited for


@frozen
class SyslogSink:
    """Sends each event as one message: the JSON of it, in the form of RFC 5424 over the network.

    What UDP loses on its way nobody notices, and TCP tells only that the message was taken by the next machine.

    Attributes:
        address: ``unix:///dev/log``, ``udp://HOST:514``, ``tcp://HOST:601`` (with lengths in front, RFC 6587), or
            ``tls://HOST:6514``.
        facility: The number of the facility; 10 is what concerns authorization (``authpriv``).
        ca: For TLS: a file with the certificate authorities that are trusted, in place of those of the system.
        timeout_s: Seconds to wait for a connection, and for each message to be taken.
        name: Under which the store remembers how far it has been sent. Default: made of the address.
    """

    address: str = field(default="unix:///dev/log")
    facility: int = field(default=10, kw_only=True)
    ca: str | None = field(default=None, kw_only=True)
    timeout_s: float = field(default=10.0, kw_only=True)
    name: str = field(kw_only=True)

    @name.default
    def _name(self) -> str:
        return f"syslog:{self.address}"

    @address.validator
    def _check_address(self, _attribute: object, address: object) -> None:
        try:
            parts = urllib.parse.urlsplit(str(address))
            good = bool(parts.path if parts.scheme == "unix" else parts.hostname and (parts.port or 1))
        except ValueError:
            good = False
        if not good or parts.scheme not in {"unix", *_PORTS}:
            raise ModelError(
                f"{address!r} is no address of a syslog; write unix:///dev/log, or udp://, tcp:// or tls:// and a host"
            )

    @facility.validator
    def _check_facility(self, _attribute: object, facility: object) -> None:
        if isinstance(facility, bool) or not isinstance(facility, int) or not 0 <= facility <= 23:
            raise ModelError(f"there is no facility {facility!r} of syslog; give a number from 0 to 23")

    def send(self, entries: Sequence[AuditEntry]) -> None:
        """Send *entries*; an error says that not all were taken."""
        parts = urllib.parse.urlsplit(self.address)
        with self._opened(parts) as sock:
            for entry in entries:
                message = self._message(entry, parts.scheme)
                if parts.scheme in {"tcp", "tls"}:
                    message = f"{len(message)} ".encode() + message
                sock.sendall(message)

    @contextlib.contextmanager
    def _opened(self, parts: urllib.parse.SplitResult) -> Iterator[socket.socket]:
        with contextlib.ExitStack() as stack:
            if parts.scheme == "unix":
                sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                sock.settimeout(self.timeout_s)
                sock.connect(parts.path)
                yield sock
                return
            place = parts.hostname or "", parts.port or _PORTS[parts.scheme]
            if parts.scheme == "udp":
                family, kind, protocol, _, address = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)[0]
                sock = stack.enter_context(socket.socket(family, kind, protocol))
                sock.settimeout(self.timeout_s)
                sock.connect(address)
                yield sock
                return
            sock = stack.enter_context(socket.create_connection(place, timeout=self.timeout_s))
            if parts.scheme == "tls":
                import ssl

                context = ssl.create_default_context(cafile=self.ca)
                began = time.monotonic()
                secure = stack.enter_context(context.wrap_socket(sock, server_hostname=place[0]))
                trip_s = time.monotonic() - began
                yield secure
                _part(secure, min(self.timeout_s, _REFUSAL_S + 2 * trip_s), min(self.timeout_s, _FAREWELL_S))
                return
            yield sock

    def _message(self, entry: AuditEntry, scheme: str) -> bytes:
        priority = self.facility * 8 + _NOTICE
        text = canonical(entry.to_dict())
        if scheme in {"udp", "unix"} and len(text) > _MOST_BYTES:
            text = canonical({**entry.to_dict(), "data": {"left_out": "it is too long for a datagram"}})
        if scheme == "unix":
            return f"<{priority}>octossh[{os.getpid()}]: {text}".encode()
        at = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        host = socket.gethostname().encode("ascii", "replace").decode() or "-"
        return f"<{priority}>1 {at} {host} octossh {os.getpid()} {entry.type[:32]} - {text}".encode()


def _part(secure: ssl.SSLSocket, refusal_s: float, farewell_s: float) -> None:
    """End a connection so that nothing on its way is lost; what is refused or reset is an error."""
    import ssl

    # By TLS 1.3, whoever is refused as a client hears of it when all seems to be sent.
    secure.settimeout(refusal_s)
    with contextlib.suppress(TimeoutError):
        secure.recv(1)
    # Closed with a ticket of the server unread, it would be reset.
    secure.settimeout(farewell_s)
    with contextlib.suppress(TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError):  # a server may end without a word
        secure.unwrap()
